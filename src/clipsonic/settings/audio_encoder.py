"""Settings and presets of the small language-audio encoder's training."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from clipsonic.config import Frozen
from clipsonic.settings.training import TrainingSettings


class AudioEncoderSettings(Frozen):
    """Everything that decides a language-audio encoder, besides its data."""

    embedding_dim: int = Field(128, gt=0)
    """Dimensions of the embedding."""
    channels: tuple[Annotated[int, Field(gt=0)], ...] = Field((32, 64, 128, 256), min_length=1, max_length=6)
    """Channels of the convolutions; each halves bands and frames."""
    shortest_crop: int = Field(32, gt=0)
    """Frames of the shortest crop; 32 are 1.024 s."""
    longest_crop: int = Field(128, gt=0)
    """Frames of the longest crop; 128 are 4.096 s."""
    quiet_crop_db: float = -20.0
    """Crops quieter than the clip's loudest crop by more than so many dB are not drawn."""
    mixed: float = Field(0.8, ge=0, le=1)
    """Share of crops to which another sound is added."""
    filter_db: float = Field(6.0, ge=0)
    """Standard deviation in dB of the random filter a crop is heard through."""
    training: TrainingSettings = TrainingSettings()
    """The training loop, see above."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.shortest_crop > self.longest_crop:
            raise ValueError("shortest_crop is longer than longest_crop")
        return self


AUDIO_ENCODER_PRESETS: dict[str, AudioEncoderSettings] = {
    # For two processor cores: 0.8 M parameters.
    "mini": AudioEncoderSettings(
        training=TrainingSettings(
            steps=600,
            batch_size=40,
            learning_rate=2e-3,
            lr_decay=0.994,
            warmup_steps=50,
            weight_decay=0.05,
            max_grad_norm=1.0,
            ema_decay=0.98,
            precision="auto",
            checkpoint_every=200,
            validate_every=50,
            log_every=10,
            workers=0,
        ),
    ),
}
