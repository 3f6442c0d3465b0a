"""Settings and presets of the diffusion prior."""

from typing import Any

from pydantic import Field

from clipsonic.config import Frozen
from clipsonic.settings.training import TrainingSettings


class PriorSettings(Frozen):
    """Everything that decides a diffusion prior, besides its pairs."""

    depth: int = Field(12, gt=0)
    """Layers."""
    heads: int = Field(12, gt=0)
    """Attention heads."""
    head_dim: int = Field(64, gt=0, multiple_of=2)
    """Channels of a head."""
    ff_mult: int = Field(4, gt=0)
    """Widening of the feed-forward layers."""
    dropout: float = Field(0.05, ge=0, lt=1)
    """Of attention and feed-forward layers."""
    timesteps: int = Field(1000, gt=1)
    """Of the cosine schedule; the clean embedding is predicted."""
    sampling_steps: int = Field(64, gt=0)
    """Steps of a draw."""
    candidates: int = Field(2, gt=0)
    """Embeddings drawn for each text; the nearest to it is kept."""
    text_dropout: float = Field(0.1, ge=0, le=1)
    """Share of pairs trained without their text."""
    training: TrainingSettings = TrainingSettings(steps=200_000, weight_decay=0.06, workers=0)
    """The training loop, see above."""


# The optimizer of DALLE2-pytorch's prior trainer, with which LAION's was trained.
OPTIMIZER: dict[str, Any] = {"betas": (0.9, 0.99), "eps": 1e-6, "weight_decay_on": "matrices"}

PRIOR_PRESETS: dict[str, PriorSettings] = {
    # The paper's SD, and LAION's network: 102 M parameters on ViT-L/14.
    "paper": PriorSettings(
        training=TrainingSettings(steps=200_000, weight_decay=0.06, workers=0, **OPTIMIZER)
    ),
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
            precision="auto",
            checkpoint_every=500,
            validate_every=250,
            log_every=10,
            workers=0,
            **OPTIMIZER,
        ),
    ),
}
