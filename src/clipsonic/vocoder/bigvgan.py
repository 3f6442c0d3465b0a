"""The paper's vocoder: BigVGAN's generator (Lee et al. 2023, arXiv 2206.04658)."""

from collections.abc import Sequence

import torch
from diffusers import MMAudioVocoder
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from pydantic import ValidationError
from torch import Tensor, nn

from clipsonic.config import BigVGANSettings
from clipsonic.errors import UserError
from clipsonic.vocoder.base import Vocoder


class BigVGAN(Vocoder):
    """diffusers' generator of the second version, with the choices of all versions.

    `BigVGAN(**BIGVGAN_PRESETS["paper-large"].model_dump())`; the arguments are `config.BigVGANSettings`. Weights
    are stored as they are used: whoever trains with weight norm folds it before saving.

    Raises:
        UserError: the settings do not fit together.
    """

    @register_to_config
    def __init__(
        self,
        *,
        sample_rate: int,
        n_fft: int,
        n_mels: int,
        lowest: float,
        highest: float,
        channels: int,
        upsample_rates: Sequence[int],
        upsample_kernels: Sequence[int],
        block_kernels: Sequence[int],
        block_dilations: Sequence[Sequence[int]],
        activation: str,
        log_scale: bool,
        final_bias: bool,
        final_tanh: bool,
    ) -> None:
        super().__init__()
        settings = self.settings
        self.generator = MMAudioVocoder(
            num_mels=settings.n_mels,
            upsample_initial_channel=settings.channels,
            upsample_rates=settings.upsample_rates,
            upsample_kernel_sizes=settings.upsample_kernels,
            resblock_kernel_sizes=settings.block_kernels,
            resblock_dilation_sizes=settings.block_dilations,
        )
        for name, module in list(self.generator.named_modules()):
            if name.endswith(".act"):
                width = module.alpha.shape[0]
                snake = Snake(width, settings.activation == "snakebeta", settings.log_scale)
                self.generator.set_submodule(name, snake)
        width = self.generator.conv_post.in_channels
        last = TanhConv if settings.final_tanh else nn.Conv1d
        self.generator.conv_post = last(width, 1, 7, padding=3, bias=settings.final_bias)

    @property
    def settings(self) -> BigVGANSettings:
        """The registered arguments, checked."""
        try:
            return BigVGANSettings(**{name: self.config[name] for name in BigVGANSettings.model_fields})
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            raise UserError(
                f"no BigVGAN can be built so: {name} {first['msg']}".replace(":  ", ": ")
            ) from error

    @property
    def mel(self) -> dict[str, int | float]:
        """The mel spectrogram it reads."""
        settings = self.settings
        return {
            "sample rate": settings.sample_rate,
            "window": settings.n_fft,
            "hop": settings.hop_length,
            "bands": settings.n_mels,
            "lowest Hz": settings.lowest,
            "highest Hz": settings.highest,
        }

    def forward(self, mel: Float[Tensor, "b mels frames"]) -> Float[Tensor, "b samples"]:
        """Log-mel => wave in [-1, 1], as many samples a frame as the upsampling rates multiply to."""
        return self.generator(mel.to(self.dtype)).sample[:, 0]


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

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        """Adds the periodic part."""
        alpha = self.alpha[:, None]
        beta = alpha if self.beta is None else self.beta[:, None]
        if self.log_scale:
            alpha, beta = alpha.exp(), beta.exp()
        return x + (1 / (beta + 1e-9)) * (x * alpha).sin().square()


class TanhConv(nn.Conv1d):
    """The last layer of BigVGAN's first version, which ends in tanh."""

    def forward(self, input: Float[Tensor, "b c t"]) -> Float[Tensor, "b 1 t"]:
        """Convolution, then tanh; the generator's clipping then does nothing."""
        return super().forward(input).tanh()
