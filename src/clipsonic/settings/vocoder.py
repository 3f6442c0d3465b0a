"""Settings and presets of the vocoders."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clipsonic.config import HOP_LENGTH, N_FFT, N_MELS, SAMPLE_RATE, Frozen
from clipsonic.settings.training import TrainingSettings


class BigVGANSettings(Frozen):
    """Shape of a BigVGAN generator, and the mel spectrogram it turns into sound."""

    sample_rate: int = Field(SAMPLE_RATE, gt=0)
    """Hz."""
    n_fft: int = Field(N_FFT, gt=0)
    """Samples in a spectrum's window."""
    n_mels: int = Field(N_MELS, gt=0)
    """Mel bands."""
    lowest: float = Field(0.0, ge=0)
    """Hz, lower edge of the mel bands."""
    highest: float = Field(SAMPLE_RATE / 2, gt=0)
    """Hz, upper edge of the mel bands."""
    channels: int = Field(1536, gt=0)
    """Channels of the first layer; each upsampling halves them."""
    upsample_rates: tuple[Annotated[int, Field(gt=0)], ...] = (8, 4, 2, 2, 2, 2)
    """Factors of the upsampling layers; their product is the hop."""
    upsample_kernels: tuple[Annotated[int, Field(gt=0)], ...] = (16, 8, 4, 4, 4, 4)
    """Kernel of each upsampling layer."""
    block_kernels: tuple[Annotated[int, Field(gt=0)], ...] = (
        3,
        7,
        11,
    )
    """Kernels of the residual blocks, one block each, at every rate."""
    block_dilations: tuple[tuple[Annotated[int, Field(gt=0)], ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    """Dilations of each residual block."""
    activation: Literal["snake", "snakebeta"] = "snakebeta"
    """Periodic activation."""
    log_scale: bool = True
    """Store the activation's parameters as logarithms."""
    final_bias: bool = True
    """The last convolution has a bias."""
    final_tanh: bool = True
    """End in tanh; else clip the waveform to [-1, 1]."""

    @property
    def hop_length(self) -> int:
        """Samples a frame."""
        return math.prod(self.upsample_rates)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.upsample_rates) != len(self.upsample_kernels):
            raise ValueError("upsample_rates and upsample_kernels are of different length")
        if len(self.block_kernels) != len(self.block_dilations):
            raise ValueError("block_kernels and block_dilations are of different length")
        if any(
            kernel < rate or (kernel - rate) % 2
            for rate, kernel in zip(self.upsample_rates, self.upsample_kernels, strict=True)
        ):
            raise ValueError("an upsampling kernel is its rate and an even number more")
        if any(kernel % 2 == 0 for kernel in self.block_kernels):
            raise ValueError("block_kernels are odd")
        if self.channels % 2 ** len(self.upsample_rates):
            raise ValueError("channels cannot be halved at every rate")
        return self


BIGVGAN_PRESETS: dict[str, BigVGANSettings] = {
    # The paper's: 121 M parameters.
    "paper-large": BigVGANSettings(),
    # Its smaller one: 14 M parameters.
    "paper-base": BigVGANSettings(
        channels=512, upsample_rates=(8, 8, 2, 2, 2), upsample_kernels=(16, 16, 4, 4, 4)
    ),
}


class FourierVocoderSettings(Frozen):
    """Shape of the light vocoder."""

    width: int = Field(256, gt=0)
    """Channels of the blocks."""
    blocks: int = Field(8, gt=0)
    """Residual blocks."""
    expansion: int = Field(3, gt=0)
    """Widening inside a block."""
    upsample: Literal[1, 2, 4, 8] = 4
    """Spectra a mel frame."""


class VocoderSettings(Frozen):
    """Everything that decides a vocoder, besides its sounds."""

    generator: BigVGANSettings | FourierVocoderSettings = BigVGANSettings()
    """The network; generator.width chooses the light one, generator.channels BigVGAN."""
    segment: int = Field(8192, gt=0, multiple_of=HOP_LENGTH)
    """Samples of a training crop; a multiple of the hop."""
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    """Of the multi-period discriminator."""
    resolutions: tuple[tuple[int, int, int], ...] = (
        (1024, 120, 600),
        (2048, 240, 1200),
        (512, 50, 240),
    )
    """FFT, hop and window of each multi-resolution discriminator."""
    discriminator_width: float = Field(1.0, gt=0, le=1)
    """Share of the published channels of the discriminators."""
    judged_level: float = Field(0.0, ge=0)
    """Root mean square at which the discriminators hear a crop, real and generated; 0 leaves it as it is."""
    peak: float = Field(0.0, ge=0, le=1)
    """Peak to which each recording is brought before it is cropped, 0.95 as published; 0 leaves it as it is."""
    mel_weight: float = Field(45.0, ge=0)
    """Weight of the mel distance."""
    stft_weight: float = Field(0.0, ge=0)
    """Weight of the multi-resolution STFT distance, which BigVGAN does without."""
    adversarial_after: int = Field(0, ge=0)
    """Steps before the discriminators join."""
    weights: Literal["float32", "float16"] = "float32"
    """Precision in which the finished vocoder is stored."""
    training: TrainingSettings = TrainingSettings(  # of the published code's first version
        learning_rate=1e-4,
        lr_decay=0.999,
        lr_decay_every="epoch",
        betas=(0.8, 0.99),
        weight_decay=0.01,
        max_grad_norm=1000.0,  # of the generator and of the discriminators, each as a whole
        ema_decay=0.0,
    )
    """The training loop, see above."""


VOCODER_PRESETS: dict[str, VocoderSettings] = {
    "paper-large": VocoderSettings(generator=BIGVGAN_PRESETS["paper-large"], peak=0.95),
    "paper-base": VocoderSettings(generator=BIGVGAN_PRESETS["paper-base"], peak=0.95),
    # For two processor cores: 3.5 M parameters.
    "mini": VocoderSettings(
        generator=FourierVocoderSettings(),
        segment=16_384,
        # Frames as far apart as a quarter of their window: a third of the published ones' time.
        resolutions=((1024, 256, 1024), (2048, 512, 2048), (512, 128, 512)),
        discriminator_width=0.125,
        # Recordings of all levels: at their own, discriminators tell nothing apart for hundreds of steps.
        judged_level=0.3,
        stft_weight=2.5,
        adversarial_after=5000,
        weights="float16",
        training=TrainingSettings(
            steps=6000,
            batch_size=8,
            learning_rate=5e-4,
            lr_decay=0.9999,
            betas=(0.8, 0.99),
            weight_decay=0.01,
            warmup_steps=200,
            max_grad_norm=10.0,
            ema_decay=0.999,
            checkpoint_every=500,
            validate_every=500,
            log_every=20,
            workers=0,
        ),
    ),
}
