"""Our hybrid loss beside improved-diffusion's, with its gradient: same mels, noise, times and predictions."""

import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.parity import improved_diffusion
from benchmarks.parity.table import Row
from benchmarks.parity.weights import noise
from clipsonic.diffusion.objective import Objective, noise_process
from clipsonic.diffusion.prediction import Prediction
from clipsonic.settings.spectrogram import DiffusionSettings

FIXTURE = Path(__file__).parents[2] / "tests" / "fixtures" / "objective.safetensors"
SETTINGS = DiffusionSettings()
TIMES = (0, 1, 2, 500, 2000, 3998, 3999)
TERMS = ("mse", "bound")


def inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return mels of which a tenth lies at an end of the range, noise, predictions (7, 2, 8, 8), and times."""
    x0 = (0.6 * noise("objective mel", len(TIMES), 1, 8, 8)).clamp(-1, 1)
    drawn = noise("objective noise", len(TIMES), 1, 8, 8)
    output = noise("objective output", len(TIMES), 2, 8, 8) * 0.2
    output[:, :1] += drawn
    return x0, drawn, output.requires_grad_(), torch.tensor(TIMES)


def results(terms: dict[str, Tensor], xt: Tensor, output: Tensor) -> dict[str, Tensor]:
    """Return the noisy mels, the terms of each example and the gradient of their sum by what was predicted."""
    whole = terms["mse"].sum() + terms["bound"].sum()
    numbers = {"xt": xt, **terms, "gradient": torch.autograd.grad(whole, output)[0]}
    return {name: number.detach().contiguous() for name, number in numbers.items()}


def ours() -> dict[str, Tensor]:
    """Return what this project computes."""
    x0, drawn, output, t = inputs()
    objective = Objective(noise_process(SETTINGS))
    xt = objective.add_noise(x0, drawn, t)
    mean, variance = output.chunk(2, dim=1)
    return results(objective.loss(Prediction(mean, variance), x0, xt, drawn, t), xt, output)


def theirs(reference: Path) -> dict[str, Tensor]:
    """Return what improved-diffusion computes."""
    x0, drawn, output, t = inputs()
    process = improved_diffusion.diffusion(reference, SETTINGS, SETTINGS.timesteps)
    terms = process.training_losses(lambda x, times: output, x0, t, noise=drawn)
    return results({"mse": terms["mse"], "bound": terms["vb"]}, process.q_sample(x0, t, noise=drawn), output)


def compare(reference: Path, full: bool, keep: bool) -> list[Row]:
    """Return a row for times above 0, and one for time 0, whose likelihood they approximate by a tanh."""
    expected = theirs(reference)
    if keep:
        save_file(expected, FIXTURE)
    start = time.perf_counter()
    found = ours()
    seconds = (time.perf_counter() - start) / len(TIMES)
    first, later = (
        max(float((found[name][rows] - value[rows]).abs().max()) for name, value in expected.items())
        for rows in (slice(0, 1), slice(1, None))
    )
    bounds = ", ".join(f"{float(bound):.4g}" for bound in expected["bound"])
    return [
        Row(
            "hybrid loss, t > 0",
            0,
            later,
            seconds,
            f"times {TIMES}, bounds {bounds}; noisy mels, gradients too",
        ),
        Row("hybrid loss, t = 0", 0, first, seconds, "they approximate the normal distribution function"),
    ]
