"""What is known of the answer comes out as it is, with every solver; the rest does not."""

import pytest
import torch

from clipsonic.diffusion.editing import holding
from clipsonic.diffusion.objective import Objective, noise_process
from clipsonic.diffusion.prediction import Prediction
from clipsonic.diffusion.sampling import SOLVERS, sample, solver
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS, DiffusionSettings

KNOWN = torch.rand(1, 1, 64, 32, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8


def seeds(*numbers: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(number) for number in numbers]


@pytest.mark.parametrize("name", list(SOLVERS))
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_what_is_kept_is_sampled_to_itself(name: str, prediction: str) -> None:
    settings = DiffusionSettings(timesteps=1000, prediction=prediction, learned_variance=False)
    process = noise_process(settings)
    objective = Objective(process)
    kept = torch.arange(32) < 20
    elsewhere = torch.full_like(KNOWN, 0.3)

    def denoise(x, t):
        x0 = elsewhere.expand_as(x)
        return Prediction(objective.target(x0, objective.noise(x0, x, t), t))

    found = sample(
        holding(denoise, objective, KNOWN, kept), solver(name, process), KNOWN.shape[1:], 12, seeds(1, 2)
    )
    assert (found - KNOWN)[..., :20].abs().max() < 2e-3
    assert (found - 0.3)[..., 20:].abs().max() < 2e-3


@pytest.mark.parametrize("name", list(SOLVERS))
def test_the_weaker_the_nearer_to_the_outline(name: str) -> None:
    """With a denoiser that only ever says "the mean": what is left of the outline is what was not noised."""
    process = noise_process(SPECTROGRAM_PRESETS["mini"].diffusion)
    objective = Objective(process)
    steps = []

    def denoise(x, t):
        a = objective.alpha_bar[t].float().view(-1, 1, 1, 1)
        x0 = a.sqrt() * x / (a + (1 - a) / 0.2)  # the best guess for data of variance 0.2
        return Prediction(objective.target(x0, objective.noise(x0, x, t), t))

    distances = []
    for strength in (0.1, 0.4, 0.8, 1.0):
        done: list[int] = []
        found = sample(
            denoise,
            solver(name, process),
            KNOWN.shape[1:],
            20,
            seeds(1),
            on_step=done.append,
            outline=KNOWN,
            strength=strength,
        )
        steps.append(len(done))
        distances.append(float((found - KNOWN).square().mean()))
    assert steps == [2, 8, 16, 20]
    assert distances[:3] == sorted(distances[:3])
    assert distances[0] < 0.1 * distances[-1]
