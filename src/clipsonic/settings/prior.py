"""Settings and presets of the diffusion prior."""

from pydantic import Field

from clipsonic.config import Frozen
from clipsonic.settings.training import TrainingSettings


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
