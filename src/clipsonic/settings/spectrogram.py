"""Settings and presets of the spectrogram model."""

import math
from typing import Annotated, Literal

from pydantic import Field

from clipsonic.config import Frozen
from clipsonic.settings.training import TrainingSettings


class UNetSettings(Frozen):
    """Shape of the denoiser."""

    fold: Literal[1, 2, 4] = 1
    """k x k mel pixels become k * k channels before the first layer."""
    channels: tuple[Annotated[int, Field(gt=0, multiple_of=32)], ...] = (128, 256, 384, 512)
    """Channels of each level; multiples of 32."""
    blocks: int = Field(3, gt=0)
    """Residual blocks a level."""
    attention_levels: tuple[int, ...] = (2, 3)
    """Levels with attention, from 0; 2 and 3 are 16 and 8 bands high at fold 1."""
    attention_heads: Literal[1, 2, 4, 8] = 4
    """Heads of each attention layer."""
    # As published. Off by default: runs and models from before these settings were trained without them.
    middle_norm: bool = False
    """Group norm before the attention in the middle, as published."""
    zero_init: bool = False
    """Begin the last layers of blocks, attentions and network at zero, as published."""


class DiffusionSettings(Frozen):
    """The noise process and what the network predicts."""

    timesteps: int = Field(4000, gt=1)
    """Of the cosine schedule."""
    prediction: Literal["epsilon", "v_prediction", "sample"] = "epsilon"
    """What the network predicts."""
    learned_variance: bool = True
    """Also predict how much noise to add back (hybrid loss)."""
    sampler: Literal["ddpm", "ddim", "dpm++", "unipc"] = "ddpm"
    """Default solver of the saved model."""
    sampling_steps: int = Field(1000, gt=0)
    """Default steps of the saved model."""


class SpectrogramSettings(Frozen):
    """Everything that decides a spectrogram model, besides its data."""

    unet: UNetSettings = UNetSettings()
    """Shape of the denoiser."""
    diffusion: DiffusionSettings = DiffusionSettings()
    """The noise process."""
    training: TrainingSettings = TrainingSettings()
    """The training loop."""
    condition: Literal["image", "text"] = "image"
    """A clip's pictures, or its label (CLIP-TTA, CLAP-TTA)."""
    condition_dropout: float = Field(0.1, ge=0, le=1)
    """Share of clips trained without their condition."""
    condition_noise: float = Field(0.0, ge=0)
    """Largest length of a random vector added to the unit embedding."""
    condition_stray: float = Field(0.0, ge=0, lt=1)
    """Largest share of another clip's embedding added to the unit embedding."""
    quiet_crop_db: float = -math.inf
    """Crops quieter than the clip's loudest crop by more than so many dB are not drawn."""
    speed: float = Field(0.0, ge=0, lt=0.5)
    """Crops are played up to this share faster, pitch included; never slower, which would empty the top bands."""
    filter_db: float = Field(0.0, ge=0)
    """Standard deviation in dB of the random filter a sound is heard through."""
    weights: Literal["float32", "float16"] = "float32"
    """Precision in which the finished model is stored."""


SPECTROGRAM_PRESETS: dict[str, SpectrogramSettings] = {
    # The paper's, VGGSound: 121 M parameters.
    "paper": SpectrogramSettings(unet=UNetSettings(middle_norm=True, zero_init=True)),
    # For two processor cores: 11.1 M parameters.
    "mini": SpectrogramSettings(
        unet=UNetSettings(
            fold=2,
            channels=(64, 128, 192),
            blocks=2,
            attention_levels=(2,),
            attention_heads=4,
            middle_norm=True,
        ),
        diffusion=DiffusionSettings(
            timesteps=1000,
            prediction="v_prediction",
            learned_variance=False,
            sampler="unipc",
            sampling_steps=12,
        ),
        training=TrainingSettings(
            steps=1500,
            learning_rate=4e-4,
            warmup_steps=100,
            weight_decay=0.01,
            max_grad_norm=1.0,
            ema_decay=0.996,
            precision="auto",
            checkpoint_every=250,
            validate_every=250,
            log_every=10,
            workers=0,
        ),
        condition_noise=1.5,
        condition_stray=0.8,
        quiet_crop_db=-20.0,
        speed=0.08,
        filter_db=2.0,
        weights="float16",
    ),
}
