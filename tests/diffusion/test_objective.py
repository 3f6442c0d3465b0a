"""Each formula against its evaluation in double precision, written out again from the papers."""

import math

import numpy as np
import pytest
import torch
from benchmarks.parity import objective as parity
from safetensors.torch import load_file
from scipy.stats import norm

from clipsonic.diffusion.objective import Objective, discretised_log_likelihood, noise_process
from clipsonic.diffusion.prediction import Prediction
from clipsonic.settings.spectrogram import DiffusionSettings

PAPER = DiffusionSettings()
T = PAPER.timesteps


@pytest.fixture(scope="module")
def objective() -> Objective:
    return Objective(noise_process(PAPER))


@pytest.fixture(scope="module")
def schedule() -> dict[str, np.ndarray]:
    """Nichol and Dhariwal 2021, eq. 17, betas capped at 0.999."""

    def f(t):
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    beta = np.array([min(1 - f((t + 1) / T) / f(t / T), 0.999) for t in range(T)])
    alpha_bar = np.cumprod(1 - beta)
    before = np.append(1.0, alpha_bar[:-1])
    return {"beta": beta, "alpha_bar": alpha_bar, "before": before}


TIMES = [0, 1, 2, 500, 2000, 3998, 3999]


def example(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    count = len(TIMES)
    x0 = torch.rand(count, 1, 8, 8, generator=random, dtype=torch.float64) * 1.8 - 0.9
    noise = torch.randn(count, 1, 8, 8, generator=random, dtype=torch.float64)
    return x0, noise, torch.tensor(TIMES)


def column(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values[TIMES]).view(-1, 1, 1, 1)


def test_schedule(objective, schedule) -> None:
    np.testing.assert_allclose(objective.alpha_bar.numpy(), schedule["alpha_bar"], rtol=1e-11)
    np.testing.assert_allclose(objective.log_beta.exp().numpy(), schedule["beta"], rtol=1e-9)


def test_losses_and_gradients_are_the_published_codes() -> None:
    expected, found = load_file(parity.FIXTURE), parity.ours()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        # At time 0 they approximate the normal distribution function by a tanh.
        torch.testing.assert_close(found[name][1:], value[1:], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(found[name][:1], value[:1], atol=2e-3, rtol=0)


def test_posterior(objective, schedule) -> None:
    x0, noise, t = example()
    xt = objective.add_noise(x0, noise, t)
    a, b, beta = column(schedule["alpha_bar"]), column(schedule["before"]), column(schedule["beta"])
    torch.testing.assert_close(xt, a.sqrt() * x0 + (1 - a).sqrt() * noise, rtol=1e-3, atol=1e-5)
    mean = b.sqrt() * beta / (1 - a) * x0 + (1 - beta).sqrt() * (1 - b) / (1 - a) * xt
    posterior = objective.posterior(x0, xt, t)
    torch.testing.assert_close(posterior.mean, mean, rtol=1e-3, atol=1e-5)
    variance = beta * (1 - b) / (1 - a)
    variance[0] = (schedule["beta"] * (1 - schedule["before"]) / (1 - schedule["alpha_bar"]))[1]
    torch.testing.assert_close(posterior.log_variance.exp(), variance.expand_as(x0), rtol=1e-3, atol=0)


def test_bound_is_the_divergence_of_the_two_normals(objective) -> None:
    x0, noise, t = example()
    xt = objective.add_noise(x0, noise, t)
    random = torch.Generator().manual_seed(1)
    said = noise + 0.1 * torch.randn(noise.shape, generator=random, dtype=torch.float64)
    share = torch.rand(noise.shape, generator=random, dtype=torch.float64) * 2 - 1
    bound = objective.variational_bound(Prediction(said, share), x0, xt, t)

    alpha_bar = objective.alpha_bar.numpy()
    beta = objective.log_beta.exp().numpy()
    for place, time in enumerate(TIMES):
        before = alpha_bar[time - 1] if time else 1.0
        low = beta[1] * (1 - alpha_bar[0]) / (1 - alpha_bar[1])
        low = beta[time] * (1 - before) / (1 - alpha_bar[time]) if time else low
        v = share[place].numpy()
        log_variance = (v + 1) / 2 * np.log(beta[time]) + (1 - (v + 1) / 2) * np.log(low)
        x, y = x0[place].numpy(), xt[place].numpy()
        guess = (y - np.sqrt(1 - alpha_bar[time]) * said[place].numpy()) / np.sqrt(alpha_bar[time])
        pull, stay = np.sqrt(before) * beta[time], np.sqrt(1 - beta[time]) * (1 - before)
        mean = (pull * guess + stay * y) / (1 - alpha_bar[time])
        true = (pull * x + stay * y) / (1 - alpha_bar[time])
        if time:
            nats = 0.5 * (log_variance - np.log(low) + (low + (true - mean) ** 2) / np.exp(log_variance) - 1)
        else:
            spread = np.exp(log_variance / 2)
            nats = -np.log(
                np.maximum(
                    norm.cdf((x - mean + 1 / 255) / spread) - norm.cdf((x - mean - 1 / 255) / spread), 1e-12
                )
            )
        assert bound[place].item() == pytest.approx(nats.mean() / math.log(2), rel=1e-5), time


def test_discretised_likelihood_sums_to_one(objective) -> None:
    bins = torch.linspace(-1, 1, 256, dtype=torch.float64).view(-1, 1)
    t = torch.full((256,), 1500)
    posterior = objective.posterior(torch.full_like(bins, 0.3), torch.full_like(bins, 0.1), t)
    assert discretised_log_likelihood(bins, posterior).exp().sum().item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_the_target_gives_back_the_clean_data(prediction) -> None:
    objective = Objective(noise_process(PAPER.model_copy(update={"prediction": prediction})))
    x0, noise, t = example()
    xt = objective.add_noise(x0, noise, t)
    clean = objective.clean(objective.target(x0, noise, t), xt, t)
    torch.testing.assert_close(clean, x0, atol=1e-6, rtol=1e-6)


def test_the_bound_teaches_only_the_variance(objective) -> None:
    x0, noise, t = example()
    xt = objective.add_noise(x0, noise, t)
    said = torch.zeros_like(noise, requires_grad=True)
    share = torch.zeros_like(noise, requires_grad=True)
    parts = objective.loss(Prediction(said, share), x0, xt, noise, t)
    assert set(parts) == {"mse", "bound"}
    parts["bound"].sum().backward()
    assert said.grad is None
    assert share.grad is not None
    assert share.grad.abs().min() > 0


def test_hybrid_loss_weighs_the_bound_by_t_over_1000(objective) -> None:
    x0, noise, t = example()
    xt = objective.add_noise(x0, noise, t)
    prediction = Prediction(noise * 0.9, torch.zeros_like(noise))
    parts = objective.loss(prediction, x0, xt, noise, t)
    torch.testing.assert_close(parts["bound"], 4 * objective.variational_bound(prediction, x0, xt, t))
    torch.testing.assert_close(parts["mse"], (0.01 * noise**2).flatten(1).mean(1))
