"""What the training loop asks of a model that is to be trained."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipsonic.config import Frozen
from clipsonic.settings.training import TrainingSettings


class Recipe(ABC):
    """A model, its data and its loss; the loop knows nothing else of them."""

    settings: Frozen  # recorded with the run; a run does not continue under others
    training: TrainingSettings
    model: torch.nn.Module
    # Modules that are gathered one by one where the weights are spread over processes; none: they cannot be.
    blocks: tuple[type[torch.nn.Module], ...] = ()

    @property
    @abstractmethod
    def data_id(self) -> str:
        """Changes when the data does."""

    @property
    @abstractmethod
    def examples(self) -> int:
        """Training examples of an epoch."""

    @abstractmethod
    def batches(self, step: int, rank: int, processes: int) -> Iterator[Any]:
        """Endless batches of one process, from a step on."""

    @abstractmethod
    def losses(self, model: torch.nn.Module, batch: Any, random: torch.Generator) -> dict[str, Tensor]:
        """Parts of the loss, scalars to be added; `model` is `self.model`, wrapped for several processes."""

    @abstractmethod
    def validation_loss(self, model: torch.nn.Module) -> float | None:
        """The loss on held-out data under fixed noise, None where there is no such data."""

    def show(self, model: torch.nn.Module, board: Any, step: int) -> None:  # noqa: B027  # most show nothing
        """Adds pictures and sounds to TensorBoard's writer, wherever the held-out loss is measured."""

    @abstractmethod
    def export(self, folder: Path) -> None:
        """Saves the finished model; the loop has put the averaged weights in `model`."""


class AdversarialRecipe(Recipe):
    """A model that is trained against another; at every step the critic goes first."""

    critic: torch.nn.Module

    @abstractmethod
    def critic_losses(self, critic: torch.nn.Module, model: torch.nn.Module, batch: Any) -> dict[str, Tensor]:
        """What the critic is trained with, empty while it waits; both may be wrapped for several processes."""
