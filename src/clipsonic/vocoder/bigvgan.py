"""The paper's vocoder: BigVGAN's generator (Lee et al. 2023, arXiv 2206.04658)."""

import math
from collections.abc import Sequence

from diffusers import MMAudioVocoder
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from pydantic import ValidationError
from torch import Tensor, nn

from clipsonic.errors import UserError
from clipsonic.settings.vocoder import BigVGANSettings
from clipsonic.vocoder.antialiased import AntiAliased, Snake
from clipsonic.vocoder.base import Vocoder, readable

END_REACH = 3  # samples each side that the first and the last convolution see: their kernels are 7 wide
ACTIVATION_REACH = 5  # that an activation sees through its two low-pass filters, 12 wide at twice the rate


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
            if hasattr(module, "act"):
                width = module.act.alpha.shape[0]
                snake = Snake(width, settings.activation == "snakebeta", settings.log_scale)
                made = AntiAliased(snake, module.upsample, module.downsample)
                self.generator.set_submodule(name, made)
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

    @property
    def context_frames(self) -> int:
        """From the last layer back to the mel, what a sample depends on at every rate; 21 at `paper-large`."""
        settings = self.settings
        block_reach = max(
            sum(2 * ACTIVATION_REACH + (kernel - 1) // 2 * (dilation + 1) for dilation in dilations)
            for kernel, dilations in zip(settings.block_kernels, settings.block_dilations, strict=True)
        )
        reach = END_REACH + ACTIVATION_REACH
        stages = list(zip(settings.upsample_rates, settings.upsample_kernels, strict=True))
        for rate, kernel in reversed(stages):
            reach = math.ceil((reach + block_reach + (kernel - rate) // 2) / rate)
        return reach + END_REACH

    def forward(self, mel: Float[Tensor, "b mels frames"]) -> Float[Tensor, "b samples"]:
        """Log-mel => wave in [-1, 1], as many samples a frame as the upsampling rates multiply to.

        What comes out of a silent mel is a matter of training: the biases alone make a sound.
        """
        return self.generator(readable(mel).to(self.dtype)).sample[:, 0].float()


class TanhConv(nn.Conv1d):
    """The last layer of BigVGAN's first version, which ends in tanh."""

    def forward(self, input: Float[Tensor, "b c t"]) -> Float[Tensor, "b 1 t"]:
        """Convolution, then tanh; the generator's clipping then does nothing."""
        return super().forward(input).tanh()
