"""Settings of the training loop."""

import math
from typing import Literal

from pydantic import Field

from clipsonic.config import Frozen


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
    # Of several processes each holds a part of the weights, gradients, moments and average (FSDP2): for networks
    # that do not fit otherwise; the spectrogram model and the prior alone.
    shard: bool = False
    # What a loss or gradient that is not finite does: stops the run, or leaves the step out, and the batch on disk.
    on_nan: Literal["stop", "skip"] = "stop"
