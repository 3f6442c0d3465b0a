"""BigVGAN's activation, at twice the rate lest overtones fold back (Lee et al. 2023, arXiv 2206.04658).

Up, snake, low-pass, down. On the way up every second sample that a filter of 12 taps meets is zero, on the way down
every second result is dropped: even and odd samples each have 6 taps of their own, and kept apart need neither.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

TAPS = 6  # of a filter, for each of the two phases
EDGE = TAPS // 2  # samples beyond each end that the low-pass on the way down reads
TILE = 1 << 19  # numbers taken through at once: with what is made of them they stay in the processor's cache


class Snake(nn.Module):
    """`x + sin(a x)^2 / b` with `a`, `b` learned for each channel (Ziyin et al. 2020, arXiv 2006.08195).

    Args:
        channels: of the input.
        beta: `b` is a parameter of its own (BigVGAN's snakebeta); else it is `a`.
        log_scale: the logarithms of `a` and `b` are stored.
    """

    def __init__(self, channels: int, beta: bool, log_scale: bool) -> None:
        super().__init__()
        start = torch.zeros(channels) if log_scale else torch.ones(channels)
        self.alpha = nn.Parameter(start.clone())
        self.beta = nn.Parameter(start.clone()) if beta else None
        self.log_scale = log_scale

    def scales(self) -> tuple[Float[Tensor, "c 1"], Float[Tensor, "c 1"]]:
        """`a` and `1 / b`, in single precision: in half, 1e-9 is 0, and 1/b and angles soon too large."""
        alpha = self.alpha.float()[:, None]
        beta = alpha if self.beta is None else self.beta.float()[:, None]
        if self.log_scale:
            alpha, beta = alpha.exp(), beta.exp()
        return alpha, 1 / (beta + 1e-9)

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        """Adds the periodic part."""
        alpha, share = self.scales()
        wide = x.float()
        return (wide + share * (wide * alpha).sin().square()).to(x.dtype)


class AntiAliased(nn.Module):
    """A snake between two low-pass filters, under the names that diffusers' module gives its weights.

    Args:
        snake: the activation.
        upsample: diffusers' way to twice the rate.
        downsample: and back. As they stand, both serve training and other devices than the processor.
    """

    def __init__(self, snake: Snake, upsample: nn.Module, downsample: nn.Module) -> None:
        super().__init__()
        self.act = snake
        self.upsample = upsample
        self.downsample = downsample

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        """As long as it was; without gradients on the processor tile by tile, up to rounding the same."""
        if torch.is_grad_enabled() or x.device.type != "cpu":
            activated: Tensor = self.downsample(self.act(self.upsample(x)))
            return activated
        up = [2 * tap for tap in self.upsample.get_buffer("filter").flatten().tolist()]
        down = self.downsample.get_buffer("lowpass.filter").flatten().tolist()
        alpha, share = (scale.repeat(len(x), 1) for scale in self.act.scales())
        made = torch.empty(x.shape, dtype=torch.float32)
        wholes = (x.flatten(0, 1), made.flatten(0, 1), alpha, share)
        rows = max(1, TILE // x.shape[-1])
        for given, out, a, b in zip(*(torch.split(whole, rows) for whole in wholes), strict=True):
            phases = _doubled(given.float(), up)
            phases += (phases * a).sin_().square_().mul_(b)
            _halve(phases, down, out)
        return made.to(x.dtype)


def _doubled(x: Float[Tensor, "rows t"], taps: list[float]) -> Float[Tensor, "2 rows more"]:
    """Even and odd samples at twice the rate, `EDGE` more of each at both ends, where their values say nothing."""
    first, last = (end.expand(-1, 2 * EDGE) for end in (x[:, :1], x[:, -1:]))
    wide = torch.cat([first, x, last], dim=1)
    phases = x.new_empty(2, len(x), x.shape[1] + 2 * EDGE)
    _filter(wide, taps[::-2], phases[0])
    _filter(wide[:, 1:], taps[-2::-2], phases[1])
    return phases


def _halve(phases: Float[Tensor, "2 rows more"], taps: list[float], out: Float[Tensor, "rows t"]) -> None:
    """Low-pass filter and every second sample; the first and the last of all go on beyond the ends."""
    even, odd = phases
    phases[..., :EDGE] = even[:, EDGE, None].clone()
    phases[..., -EDGE:] = odd[:, -EDGE - 1, None].clone()
    _filter(even[:, 1:], taps[1::2], out)
    _filter(odd, taps[::2], out, add=True)


def _filter(
    x: Float[Tensor, "rows more"], taps: list[float], out: Float[Tensor, "rows t"], add: bool = False
) -> None:
    """Sum of `x`, one sample further for each tap; a pass each, which in the cache is faster than a convolution."""
    length = out.shape[1]
    if not add:
        torch.mul(x[:, :length], taps[0], out=out)
    for start, tap in list(enumerate(taps))[not add :]:
        out.add_(x[:, start : start + length], alpha=tap)
