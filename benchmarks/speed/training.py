"""A training step of the paper's U-Net: this project's loop beside the same network trained the plain way."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.speed.timing import Row, row
from clipsonic.config import CROP_FRAMES, N_MELS
from clipsonic.diffusion.objective import Objective, noise_process
from clipsonic.diffusion.unet import build_unet, predict
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS, SpectrogramSettings
from clipsonic.training.loop import train
from clipsonic.training.recipe import Recipe

BATCH = 4
EMBEDDING = 768
PEER = "float32, eager, plain AdamW, single-precision EMA"


class Random(Recipe):
    """The paper's network and objective on random mels: the step without the reading of data."""

    data_id = "random"
    examples = 1

    def __init__(self, settings: SpectrogramSettings, channels_last: bool) -> None:
        self.settings, self.training = settings, settings.training
        torch.manual_seed(0)
        self.objective = Objective(noise_process(settings.diffusion))
        self.model = build_unet(settings.unet, settings.diffusion, EMBEDDING)
        if channels_last:
            self.model.to(memory_format=torch.channels_last)
        self.mel = torch.randn(settings.training.batch_size, 1, N_MELS, CROP_FRAMES).clamp(-1, 1)
        self.embedding = torch.nn.functional.normalize(torch.randn(len(self.mel), EMBEDDING), dim=-1)

    def batches(self, step: int, rank: int, processes: int) -> Iterator[Tensor]:
        """The same mels at every step."""
        while True:
            yield self.mel

    def losses(self, model: torch.nn.Module, batch: Tensor, random: torch.Generator) -> dict[str, Tensor]:
        """The hybrid loss at random times."""
        t = torch.randint(0, self.objective.timesteps, (len(batch),), generator=random)
        noise = torch.randn(batch.shape, generator=random)
        noisy = self.objective.add_noise(batch, noise, t)
        said = predict(model, noisy, t, self.embedding, self.objective.timesteps)
        with torch.autocast("cpu", enabled=False):
            parts = self.objective.loss(said, batch, noisy, noise, t)
        return {name: value.mean() for name, value in parts.items()}

    def validation_loss(self, model: torch.nn.Module) -> None:
        """None: nothing is held out."""

    def export(self, folder: Path) -> None:
        """Nothing: the weights are thrown away."""


def measure(runs: int, peers: Path | None) -> list[Row]:
    """One row; steps of one long run, its first one not counted."""
    paper = SPECTROGRAM_PRESETS["paper"]
    fast = {"batch_size": BATCH, "precision": "bf16", "log_every": 1, "workers": 0}
    settings = paper.model_copy(update={"training": paper.training.model_copy(update=fast)})
    with tempfile.TemporaryDirectory() as folder:
        run = train(Random(settings, channels_last=True), Path(folder) / "run")
        plain = _plain(Random(settings, channels_last=False))
        made = row(
            f"a training step, paper preset, batch {BATCH}, bf16",
            PEER,
            lambda: next(run),
            lambda: next(plain),
            runs,
            "1.9 x",
            "weights, optimizer and average stay float32",
        )
        plain.close()
        _forget(run)
    return [made]


def _plain(recipe: Random) -> Iterator[float]:
    """The loop as one writes it first."""
    model = recipe.model
    average = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0, foreach=False, fused=False)
    random = torch.Generator().manual_seed(0)
    while True:
        loss = sum(recipe.losses(model, recipe.mel, random).values(), torch.zeros(()))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            for kept, parameter in zip(average, model.parameters(), strict=True):
                kept.mul_(0.9999).add_(parameter, alpha=1 - 0.9999)
        yield loss.item()


def _forget(run: Iterator[object]) -> None:
    """Ends the run; its last checkpoint goes the way of the folder."""
    run.close()  # type: ignore[attr-defined]
