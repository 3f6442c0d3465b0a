"""Every fixed number of the system: the sound and its mel spectrogram, and the settings of a training run."""

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SAMPLE_RATE = 16_000  # Hz, mono
N_FFT = 2048  # samples in a spectrum's window
HOP_LENGTH = 512  # samples from one frame to the next
N_MELS = 64  # bands, Slaney scale, 0 Hz to half the sample rate
CROP_FRAMES = 64  # frames the U-Net is trained on
CROP_SAMPLES = CROP_FRAMES * HOP_LENGTH  # 32,768 samples, 2.048 s
CLIP_FRAMES = 128  # frames it is sampled at unless told
FRAMES_PER_SECOND = SAMPLE_RATE / HOP_LENGTH  # 31.25
CLIP_SECONDS = CLIP_FRAMES / FRAMES_PER_SECOND  # 4.096 s

LOG_MEL_FLOOR = math.log(1e-5)  # natural log; every quieter band is clamped to it
LOG_MEL_TOP = 3.5  # the loudest of 400 environmental clips reaches 3.2


class Frozen(BaseModel):
    """Settings that do not change once made and refuse names they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class MelSettings(Frozen):
    """The mel spectrogram a model or a data set was made with; all must agree to be used together."""

    sample_rate: int = SAMPLE_RATE
    n_fft: int = N_FFT
    hop_length: int = HOP_LENGTH
    n_mels: int = N_MELS
    log_floor: float = round(LOG_MEL_FLOOR, 6)
    log_top: float = LOG_MEL_TOP


class UNetSettings(Frozen):
    """Shape of the denoiser."""

    fold: Literal[1, 2, 4] = 1  # k x k mel pixels become k * k channels before the first layer
    channels: tuple[Annotated[int, Field(gt=0, multiple_of=32)], ...] = (128, 256, 384, 512)  # one a level
    blocks: int = Field(3, gt=0)  # residual blocks a level
    attention_levels: tuple[int, ...] = (2, 3)  # 16 and 8 bands high at fold 1
    attention_heads: Literal[1, 2, 4, 8] = 4


class DiffusionSettings(Frozen):
    """The noise process and what the network predicts."""

    timesteps: int = Field(4000, gt=1)  # cosine schedule
    prediction: Literal["epsilon", "v_prediction", "sample"] = "epsilon"
    learned_variance: bool = True  # hybrid loss; the network also predicts how much noise to add back
    sampler: Literal["ddpm", "ddim", "dpm++", "unipc"] = (
        "ddpm"  # what the saved model samples with unless told
    )
    sampling_steps: int = Field(1000, gt=0)


class TrainingSettings(Frozen):
    """The loop: the same for every model that is trained."""

    steps: int = Field(500_000, ge=0)
    batch_size: int = Field(32, gt=0)  # per process
    learning_rate: float = Field(1e-4, ge=0)
    warmup_steps: int = 0
    lr_decay: float = Field(1.0, gt=0, le=1)  # factor a step
    betas: tuple[float, float] = (0.9, 0.999)  # of AdamW
    weight_decay: float = 0.0
    max_grad_norm: float = math.inf
    ema_decay: float = 0.9999
    precision: Literal["no", "bf16", "fp16"] = "no"
    seed: int = Field(0, ge=0)
    checkpoint_every: int = Field(5000, gt=0)
    validate_every: int = Field(5000, gt=0)
    log_every: int = Field(100, gt=0)
    workers: int = Field(4, ge=0)  # processes that read the data; 0 reads in the loop


class SpectrogramSettings(Frozen):
    """Everything that decides a spectrogram model, besides its data."""

    unet: UNetSettings = UNetSettings()
    diffusion: DiffusionSettings = DiffusionSettings()
    training: TrainingSettings = TrainingSettings()
    condition: Literal["image", "text"] = "image"  # a clip's pictures, or its label (CLIP-TTA, CLAP-TTA)
    condition_dropout: float = Field(0.1, ge=0, le=1)  # share of clips trained without their condition
    condition_noise: float = Field(
        0.0, ge=0
    )  # length, at most, of a random vector added to the unit embedding
    quiet_crop_db: float = -math.inf  # crops quieter than the clip's loudest crop by more are not drawn
    weights: Literal["float32", "float16"] = "float32"  # how the finished model is stored


SPECTROGRAM_PRESETS: dict[str, SpectrogramSettings] = {
    # The paper's, VGGSound: 121 M parameters.
    "paper": SpectrogramSettings(),
    # For two processor cores: 11.1 M parameters.
    "mini": SpectrogramSettings(
        unet=UNetSettings(
            fold=2, channels=(64, 128, 192), blocks=2, attention_levels=(2,), attention_heads=4
        ),
        diffusion=DiffusionSettings(
            timesteps=1000,
            prediction="v_prediction",
            learned_variance=False,
            sampler="dpm++",
            sampling_steps=30,
        ),
        training=TrainingSettings(
            steps=1500,
            learning_rate=4e-4,
            warmup_steps=100,
            weight_decay=0.01,
            max_grad_norm=1.0,
            ema_decay=0.996,
            precision="bf16",
            checkpoint_every=250,
            validate_every=250,
            log_every=10,
            workers=0,
        ),
        condition_noise=1.5,
        quiet_crop_db=-20.0,
        weights="float16",
    ),
}


class PriorSettings(Frozen):
    """Everything that decides a diffusion prior, besides its pairs."""

    depth: int = Field(12, gt=0)  # layers
    heads: int = Field(12, gt=0)
    head_dim: int = Field(64, gt=0, multiple_of=2)
    ff_mult: int = Field(4, gt=0)  # widening of the feed-forward layers
    dropout: float = Field(0.05, ge=0, lt=1)
    timesteps: int = Field(1000, gt=1)  # cosine schedule, the clean embedding is predicted
    sampling_steps: int = Field(64, gt=0)
    candidates: int = Field(2, gt=0)  # drawn for each text; the nearest to it is kept
    text_dropout: float = Field(0.1, ge=0, le=1)  # share of pairs trained without their text
    training: TrainingSettings = TrainingSettings(steps=200_000, weight_decay=0.06, workers=0)


PRIOR_PRESETS: dict[str, PriorSettings] = {
    # The paper's SD, and LAION's network: 102 M parameters on ViT-L/14.
    "paper": PriorSettings(),
    # For two processor cores: 9.0 M parameters on mini's encoder.
    "mini": PriorSettings(
        depth=4,
        heads=6,
        dropout=0.1,
        training=TrainingSettings(
            steps=2000,
            batch_size=64,
            learning_rate=3e-4,
            warmup_steps=100,
            weight_decay=0.06,
            max_grad_norm=1.0,
            ema_decay=0.998,
            precision="bf16",
            checkpoint_every=500,
            validate_every=250,
            log_every=10,
            workers=0,
        ),
    ),
}


class BigVGANSettings(Frozen):
    """Shape of a BigVGAN generator, and the mel spectrogram it turns into sound."""

    sample_rate: int = Field(SAMPLE_RATE, gt=0)
    n_fft: int = Field(N_FFT, gt=0)
    n_mels: int = Field(N_MELS, gt=0)
    lowest: float = Field(0.0, ge=0)  # Hz, where the mel bands begin
    highest: float = Field(SAMPLE_RATE / 2, gt=0)  # Hz, where they end
    channels: int = Field(1536, gt=0)  # of the first layer; each upsampling halves them
    upsample_rates: tuple[Annotated[int, Field(gt=0)], ...] = (8, 4, 2, 2, 2, 2)  # their product is the hop
    upsample_kernels: tuple[Annotated[int, Field(gt=0)], ...] = (16, 8, 4, 4, 4, 4)
    block_kernels: tuple[Annotated[int, Field(gt=0)], ...] = (
        3,
        7,
        11,
    )  # one residual block each, at every rate
    block_dilations: tuple[tuple[Annotated[int, Field(gt=0)], ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    activation: Literal["snake", "snakebeta"] = "snakebeta"
    log_scale: bool = True  # the activation's parameters are stored as logarithms
    final_bias: bool = True
    final_tanh: bool = True  # else the wave is clipped to [-1, 1]

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

    width: int = Field(256, gt=0)  # channels of the blocks
    blocks: int = Field(8, gt=0)
    expansion: int = Field(3, gt=0)  # widening inside a block
    upsample: Literal[1, 2, 4, 8] = 4  # spectra a mel frame


class VocoderSettings(Frozen):
    """Everything that decides a vocoder, besides its sounds."""

    generator: BigVGANSettings | FourierVocoderSettings = BigVGANSettings()
    segment: int = Field(8192, gt=0, multiple_of=HOP_LENGTH)  # samples of a training crop
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)  # of the multi-period discriminator
    resolutions: tuple[tuple[int, int, int], ...] = (  # (FFT, hop, window) of the multi-resolution one
        (1024, 120, 600),
        (2048, 240, 1200),
        (512, 50, 240),
    )
    discriminator_width: float = Field(1.0, gt=0, le=1)  # share of the published channels
    judged_level: float = Field(
        0.0, ge=0
    )  # root mean square at which the discriminators hear a crop, real and made; 0 leaves it as it is
    mel_weight: float = Field(45.0, ge=0)
    stft_weight: float = Field(0.0, ge=0)  # of the multi-resolution STFT distance, which BigVGAN does without
    adversarial_after: int = Field(0, ge=0)  # steps before the discriminators join
    training: TrainingSettings = TrainingSettings(
        learning_rate=1e-4,
        lr_decay=0.9999996,
        betas=(0.8, 0.99),
        weight_decay=0.01,
        ema_decay=0.0,
    )


VOCODER_PRESETS: dict[str, VocoderSettings] = {
    "paper-large": VocoderSettings(generator=BIGVGAN_PRESETS["paper-large"]),
    "paper-base": VocoderSettings(generator=BIGVGAN_PRESETS["paper-base"]),
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
        training=TrainingSettings(
            steps=7500,
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
