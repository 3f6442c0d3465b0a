"""The smallest thing that can be trained."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from clipsonic import files
from clipsonic.config import Frozen
from clipsonic.settings.training import TrainingSettings
from clipsonic.training.recipe import Recipe


class Line(Frozen):
    training: TrainingSettings


class Straight(Recipe):
    """A model of two numbers; step 3 is what the test makes of it."""

    def __init__(self, bad: float = 0.0, **training: object) -> None:
        base = {
            "steps": 8,
            "batch_size": 4,
            "checkpoint_every": 2,
            "validate_every": 4,
            "log_every": 1,
            "workers": 0,
        }
        self.training = TrainingSettings(**(base | training))
        self.settings = Line(training=self.training)
        torch.manual_seed(0)
        self.model = torch.nn.Linear(1, 1)
        self.bad = bad

    @property
    def data_id(self) -> str:
        return "a line"

    @property
    def examples(self) -> int:
        return 4

    def batches(self, step: int, rank: int, processes: int) -> Iterator[dict[str, Tensor]]:
        while True:
            x = torch.randn(4, 1, generator=torch.Generator().manual_seed(step))
            if step == 3 and self.bad:
                x[1] = self.bad
            yield {"x": x, "y": 2 * x + 1}
            step += 1

    def losses(
        self, model: torch.nn.Module, batch: dict[str, Tensor], random: torch.Generator
    ) -> dict[str, Tensor]:
        return {"mse": (model(batch["x"]) - batch["y"]).square().mean()}

    def validation_loss(self, model: torch.nn.Module) -> float | None:
        return None

    def export(self, folder: Path) -> None:
        with files.whole_folder(folder) as aside:
            (aside / "weight").write_text(repr(self.model.weight.item()))
