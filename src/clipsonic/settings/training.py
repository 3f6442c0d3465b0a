"""Settings of the training loop."""

import math
from typing import Literal

from pydantic import Field

from clipsonic.config import Frozen


class TrainingSettings(Frozen):
    """The loop: the same for every model that is trained."""

    steps: int = Field(500_000, ge=0)
    """Steps of the whole run."""
    batch_size: int = Field(32, gt=0)
    """Examples a step, of each process."""
    learning_rate: float = Field(1e-4, ge=0)
    """Of AdamW, after the warm-up."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises from 0."""
    lr_decay: float = Field(1.0, gt=0, le=1)
    """Factor on the learning rate at each step, or epoch."""
    lr_decay_every: Literal["step", "epoch"] = "step"
    """When `lr_decay` applies."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of AdamW."""
    eps: float = Field(1e-8, gt=0)
    """Of AdamW."""
    weight_decay: float = 0.0
    """Of AdamW."""
    weight_decay_on: Literal["all", "matrices"] = "all"
    """Decay all weights, or all but biases, gains and other vectors."""
    max_grad_norm: float = math.inf
    """Gradients of a larger norm are scaled down to it."""
    ema_decay: float = 0.9999
    """Of the moving average of the weights, which is what is exported."""
    precision: Literal["auto", "no", "bf16", "fp16"] = "no"
    """Of forward and backward passes: float32 (no), bf16, fp16, or auto: bf16 where the hardware has it, else
    float32."""
    seed: int = Field(0, ge=0)
    """Of every random draw."""
    checkpoint_every: int = Field(5000, gt=0)
    """Steps between two checkpoints."""
    validate_every: int = Field(5000, gt=0)
    """Steps between two measurements of the held-out loss."""
    log_every: int = Field(100, gt=0)
    """Steps between two lines of the log."""
    workers: int = Field(4, ge=0)
    """Processes that read the data; 0 reads it in the loop."""
    shard: bool = False
    """Of several processes each holds a part of weights, gradients, moments and average (FSDP2); for networks
    that do not fit otherwise, the spectrogram model and the prior alone."""
    on_nan: Literal["stop", "skip"] = "stop"
    """At a loss or gradient that is not finite: stop the run, or skip the step; its batch is kept on disk."""
