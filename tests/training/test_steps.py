"""How a step is taken: what the optimizer decays, and how the rate falls."""

import pytest
import torch

from clipsonic.settings.prior import PRIOR_PRESETS
from clipsonic.settings.training import TrainingSettings
from clipsonic.settings.vocoder import VOCODER_PRESETS
from clipsonic.training.steps import learning_rate, optimizer_of


def test_the_priors_optimizer_decays_matrices_alone() -> None:
    settings = PRIOR_PRESETS["paper"].training
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LayerNorm(3))
    decayed, spared = optimizer_of(network, settings).param_groups
    assert [tuple(weight.shape) for weight in decayed["params"]] == [(3, 3)]
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.06, 0)
    assert len(spared["params"]) == 3
    for group in (decayed, spared):
        assert (group["betas"], group["eps"], group["lr"]) == ((0.9, 0.99), 1e-6, 1e-4)


def test_all_weights_decay_by_default() -> None:
    network = torch.nn.Linear(3, 3)
    (group,) = optimizer_of(network, TrainingSettings(weight_decay=0.1)).param_groups
    assert (len(group["params"]), group["weight_decay"], group["eps"]) == (2, 0.1, 1e-8)


def test_bigvgans_rate_falls_by_epochs() -> None:
    settings = VOCODER_PRESETS["paper-large"].training
    assert (settings.batch_size, settings.max_grad_norm) == (32, 1000)
    rates = [learning_rate(settings, step, processes=2, examples=640) for step in (0, 9, 10, 25)]
    assert rates == pytest.approx([1e-4, 1e-4, 0.999e-4, 0.999**2 * 1e-4])


def test_the_rate_falls_by_steps_and_warms_up() -> None:
    settings = TrainingSettings(learning_rate=1.0, lr_decay=0.5, warmup_steps=2)
    assert [learning_rate(settings, step, 1, 1) for step in range(3)] == [0.5, 0.5, 0.25]
