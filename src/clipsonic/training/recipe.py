"""What the training loop asks of a model that is to be trained."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipsonic.config import Frozen, TrainingSettings


class Recipe(ABC):
    """A model, its data and its loss; the loop knows nothing else of them."""

    settings: Frozen  # recorded with the run; a run does not continue under others
    training: TrainingSettings
    model: torch.nn.Module

    @property
    @abstractmethod
    def data_id(self) -> str:
        """Changes when the data does."""

    @abstractmethod
    def batches(self, step: int, rank: int, processes: int) -> Iterator[Any]:
        """Endless batches of one process, from a step on."""

    @abstractmethod
    def losses(self, model: torch.nn.Module, batch: Any, random: torch.Generator) -> dict[str, Tensor]:
        """Parts of the loss, scalars to be added; `model` is `self.model`, wrapped for several processes."""

    @abstractmethod
    def validation_loss(self, model: torch.nn.Module) -> float | None:
        """The loss on held-out data under fixed noise, None where there is no such data."""

    @abstractmethod
    def export(self, folder: Path) -> None:
        """Saves the finished model; the loop has put the averaged weights in `model`."""
