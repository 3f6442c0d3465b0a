"""What a training run says of itself: means of the losses and the pace."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from clipsonic.settings.training import TrainingSettings


@dataclass(frozen=True)
class Progress:
    """State of a run after some step."""

    step: int
    steps: int
    losses: dict[str, float]  # mean over the steps since the last report
    examples_per_second: float
    seconds_left: float
    validation_loss: float | None = None
    skipped: int = 0  # steps of this stretch that were left out, their loss or gradient not finite


class Report:
    """Means of the losses and the pace, to whoever iterates and to TensorBoard."""

    def __init__(self, out: Path, settings: TrainingSettings, accelerator: Accelerator, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.settings, self.accelerator = settings, accelerator
        self.board = SummaryWriter(str(out / "logs")) if accelerator.is_main_process else None
        self.examples = settings.batch_size * accelerator.num_processes
        self.first, self.began = step, time.monotonic()
        self.sums: dict[str, Tensor] = {}
        self.summed = 0  # steps that are in the sums
        self.counted, self.since, self.skipped = 0, self.began, 0

    def add(self, losses: dict[str, Tensor]) -> None:
        """Counts a step, which has no losses if it was left out."""
        self.counted += 1
        self.skipped += not losses
        self.summed += bool(losses)
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value.detach()

    def emit(self, step: int, validation: float | None) -> Progress:
        """What there is to say after a step; the means begin anew."""
        now = time.monotonic()
        means = {name: value / self.summed for name, value in self.sums.items()}
        means = self.accelerator.reduce(means, "mean")  # each process has seen its own share
        losses = {name: value.item() for name, value in means.items()}
        pace = self.counted * self.examples / (now - self.since)
        left = (self.settings.steps - step) * (now - self.began) / max(1, step - self.first)
        self.sums, self.counted, self.summed, self.since = {}, 0, 0, now
        if self.board is not None:
            for name, value in losses.items():
                self.board.add_scalar(f"loss/{name}", value, step)
            self.board.add_scalar("examples_per_second", pace, step)
            if self.skipped:
                self.board.add_scalar("skipped", self.skipped, step)
            if validation is not None:
                self.board.add_scalar("loss/validation", validation, step)
        return Progress(step, self.settings.steps, losses, pace, left, validation, self.skipped)

    def close(self) -> None:
        """Ends the logs."""
        if self.board is not None:
            self.board.close()
