"""Our respaced ancestral sampler beside improved-diffusion's: same noise, same predictions at every step."""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.parity import improved_diffusion
from benchmarks.parity.table import Row
from clipsonic.diffusion.objective import noise_process
from clipsonic.diffusion.prediction import Prediction
from clipsonic.diffusion.sampling import sample
from clipsonic.settings.spectrogram import DiffusionSettings

FIXTURE = Path(__file__).parents[2] / "tests" / "fixtures" / "sampler.safetensors"
SETTINGS = DiffusionSettings()
SHAPE = (1, 8, 8)
SEEDS = (3, 4)
STEPS = (50, 1000)


def predicted(x: Tensor, t: Tensor) -> Tensor:
    """Return noise and variance as a function of noisy data and times 0..1000 that mixes its values."""
    share = (t.float() * (math.pi / 2000)).sin().view(-1, 1, 1, 1)
    return torch.cat([share * x + 0.1 * (3 * x.roll(1, -1)).tanh(), (2 * x.roll(1, -2)).cos()], dim=1)


def generators() -> list[torch.Generator]:
    """Return one generator a row."""
    return [torch.Generator().manual_seed(seed) for seed in SEEDS]


def ours(steps: int) -> Tensor:
    """Return what this project samples, (2, 1, 8, 8)."""

    def denoise(x: Tensor, t: Tensor) -> Prediction:
        output, variance = predicted(x, t * (1000 / SETTINGS.timesteps)).chunk(2, dim=1)
        return Prediction(output, variance)

    return sample(denoise, noise_process(SETTINGS), SHAPE, steps, generators())


def theirs(reference: Path, steps: int) -> Tensor:
    """Return what improved-diffusion samples with the same draws."""
    process = improved_diffusion.diffusion(reference, SETTINGS, steps)

    def draws() -> Iterator[Tensor]:
        rows = generators()
        while True:
            yield torch.cat([torch.randn((1, *SHAPE), generator=row) for row in rows])

    drawn = draws()
    start = next(drawn)
    with patch("torch.randn_like", lambda *_: next(drawn)):
        found: Tensor = process.p_sample_loop(predicted, start.shape, noise=start, device="cpu")
    return found


def compare(reference: Path, full: bool, keep: bool) -> list[Row]:
    """Return a row for each number of steps."""
    expected = {steps: theirs(reference, steps) for steps in STEPS}
    if keep:
        save_file({str(steps): value.contiguous() for steps, value in expected.items()}, FIXTURE)
    rows = []
    for steps, value in expected.items():
        start = time.perf_counter()
        found = ours(steps)
        seconds = (time.perf_counter() - start) / len(SEEDS)
        note = f"{steps} of {SETTINGS.timesteps} steps; 2 x 64 values of deviation {value.std():.2f}"
        rows.append(Row("ancestral sampler", 0, float((found - value).abs().max()), seconds, note))
    return rows
