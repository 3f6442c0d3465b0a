"""Data of any length from a network that knows a few seconds: overlapping windows, denoised together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from clipsonic.diffusion.prediction import Prediction
from clipsonic.diffusion.sampling import Denoiser

BATCH = 8  # windows in the network at once


@dataclass(frozen=True)
class Windows:
    """Where windows lie, and how much each says of each of its frames; together they cover the whole."""

    starts: list[int]  # first frames
    spans: list[int]  # of which span each is
    weights: Float[Tensor, "n window"]

    def __post_init__(self) -> None:
        self.weights.div_(self._total()[self._frames()])

    @property
    def length(self) -> int:
        """Frames of a window."""
        return self.weights.shape[1]

    def _frames(self) -> Tensor:
        return torch.tensor(self.starts)[:, None] + torch.arange(self.length)

    def _total(self) -> Float[Tensor, "frames"]:
        total = torch.zeros(max(self.starts) + self.length)
        total.index_put_((self._frames(),), self.weights, accumulate=True)
        if not (total > 0).all():
            raise ValueError("the windows leave frames uncovered")
        return total


def cover(spans: Sequence[tuple[int, int]], frames: int, window: int, overlap: int) -> Windows:
    """Windows over spans of frames that follow one another and fill the whole.

    Within a span each window overlaps the next by `overlap` frames or more and fades into it. Of a window that
    reaches out of its span the rest only listens: what is said there is not used, so that spans do not blend.
    """
    window = min(window, frames)
    overlap = min(overlap, window // 2)
    starts: list[int] = []
    belongs: list[int] = []
    weights = []
    for span, (begin, end) in enumerate(spans):
        first = min(max(0, (begin + end - window) // 2), frames - window) if end - begin < window else begin
        count = 1 + max(0, -(-(end - begin - window) // (window - overlap)))
        for number in range(count):
            start = first + round(number * max(0, end - begin - window) / max(1, count - 1))
            weight = torch.ones(window)
            rise = (torch.arange(overlap) + 0.5) / max(1, overlap)
            if number > 0:
                weight[:overlap] = rise
            if number < count - 1:
                weight[window - overlap :] = rise.flip(0)
            places = torch.arange(start, start + window)
            starts.append(start)
            belongs.append(span)
            weights.append(weight * ((places >= begin) & (places < end)))
    return Windows(starts, belongs, torch.stack(weights))


def windowed(
    guided: Callable[[Float[Tensor, "k d"]], Denoiser], embeddings: Float[Tensor, "b n d"], windows: Windows
) -> Denoiser:
    """A denoiser of windows => one of the whole: at each step the weighted mean of what the windows say of a frame.

    After MultiDiffusion (Bar-Tal et al. 2023, arXiv 2302.08113), along time: since all windows are shown the same
    noisy data and take each step together, there is no joint to be heard.

    Args:
        guided: embeddings of some windows => their denoiser.
        embeddings: the condition of each window of each clip.
        windows: those of every clip.
    """
    starts, length = windows.starts, windows.length
    weights = windows.weights.to(embeddings.device)

    def whole(x: Float[Tensor, "b 1 mels frames"], t: Tensor) -> Prediction:
        pieces = [(clip, number) for clip in range(len(x)) for number in range(len(starts))]
        output, variance = torch.zeros_like(x), None
        for first in range(0, len(pieces), BATCH):
            part = pieces[first : first + BATCH]
            cut = torch.stack([x[clip, ..., starts[n] : starts[n] + length] for clip, n in part])
            condition = torch.stack([embeddings[clip, n] for clip, n in part])
            said = guided(condition)(cut, t[:1].expand(len(part)))
            for place, (clip, n) in enumerate(part):
                output[clip, ..., starts[n] : starts[n] + length] += said.output[place] * weights[n]
            if said.variance is not None:
                variance = torch.zeros_like(x) if variance is None else variance
                for place, (clip, n) in enumerate(part):
                    variance[clip, ..., starts[n] : starts[n] + length] += said.variance[place] * weights[n]
        return Prediction(output, variance)

    return whole
