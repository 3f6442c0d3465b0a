"""What the denoiser is trained on: noise, velocity or data regression, and the hybrid loss of improved diffusion.

Symbols are those of Ho et al. 2020 and Nichol and Dhariwal 2021. Times count from 0 to T-1, as in code.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDPMScheduler
from jaxtyping import Float, Float64, Int
from torch import Tensor

from clipsonic.diffusion.prediction import Prediction
from clipsonic.settings.spectrogram import DiffusionSettings


def noise_process(settings: DiffusionSettings) -> DDPMScheduler:
    """The cosine schedule (Nichol and Dhariwal 2021, eq. 17) and the ancestral sampler that belongs to it.

    `timestep_spacing="linspace"` is their space_timesteps: 1000 of 4000 steps are strides of 4 and 5.
    """
    return DDPMScheduler(
        settings.timesteps,
        beta_schedule="squaredcos_cap_v2",
        prediction_type=settings.prediction,
        variance_type="learned_range" if settings.learned_variance else "fixed_small",
        timestep_spacing="linspace",
        clip_sample=True,
        clip_sample_range=1.0,
    )


@dataclass(frozen=True)
class Posterior:
    """q(x_{t-1} | x_t, x_0), a normal distribution."""

    mean: Tensor
    log_variance: Tensor


class Objective:
    """The losses of one noise process; its coefficients are computed once, in double precision.

    Args:
        scheduler: any of diffusers' with the cosine schedule, which itself keeps single precision.
    """

    def __init__(self, scheduler: Any) -> None:
        self.prediction: str = scheduler.config.prediction_type
        self.learned_variance: bool = scheduler.config.get("variance_type") == "learned_range"
        self.timesteps: int = scheduler.config.num_train_timesteps
        assert scheduler.config.beta_schedule == "squaredcos_cap_v2"
        beta = cosine_betas(self.timesteps)
        self.alpha_bar = torch.cumprod(1 - beta, 0)
        alpha_bar_before = torch.cat([torch.ones(1, dtype=torch.float64), self.alpha_bar[:-1]])
        self.log_beta = beta.log()
        variance = beta * (1 - alpha_bar_before) / (1 - self.alpha_bar)  # Ho et al., eq. 7
        # At t = 0 it is zero; its neighbour's logarithm stands in, as in the published code.
        self.posterior_log_variance = torch.cat([variance[1:2], variance[1:]]).log()
        self.posterior_x0 = beta * alpha_bar_before.sqrt() / (1 - self.alpha_bar)
        self.posterior_xt = (1 - alpha_bar_before) * (1 - beta).sqrt() / (1 - self.alpha_bar)

    def add_noise(
        self, x0: Float[Tensor, "b *shape"], noise: Float[Tensor, "b *shape"], t: Int[Tensor, "b"]
    ) -> Tensor:
        """x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise (Ho et al. 2020, eq. 4)."""
        return at(self.alpha_bar.sqrt(), t, x0) * x0 + at((1 - self.alpha_bar).sqrt(), t, x0) * noise

    def target(
        self, x0: Float[Tensor, "b *shape"], noise: Float[Tensor, "b *shape"], t: Int[Tensor, "b"]
    ) -> Tensor:
        """What a perfect network would say: the noise, the velocity (Salimans and Ho 2022) or the clean data."""
        if self.prediction == "epsilon":
            return noise
        if self.prediction == "sample":
            return x0
        return at(self.alpha_bar.sqrt(), t, x0) * noise - at((1 - self.alpha_bar).sqrt(), t, x0) * x0

    def clean(
        self, output: Float[Tensor, "b *shape"], xt: Float[Tensor, "b *shape"], t: Int[Tensor, "b"]
    ) -> Tensor:
        """The network's output => its estimate of x_0."""
        signal, sigma = at(self.alpha_bar.sqrt(), t, xt), at((1 - self.alpha_bar).sqrt(), t, xt)
        if self.prediction == "epsilon":
            return (xt - sigma * output) / signal
        if self.prediction == "sample":
            return output
        return signal * xt - sigma * output

    def noise(
        self, x0: Float[Tensor, "b *shape"], xt: Float[Tensor, "b *shape"], t: Int[Tensor, "b"]
    ) -> Tensor:
        """The noise in x_t, were x_0 known."""
        return (xt - at(self.alpha_bar.sqrt(), t, xt) * x0) / at((1 - self.alpha_bar).sqrt(), t, xt)

    def posterior(
        self, x0: Float[Tensor, "b *shape"], xt: Float[Tensor, "b *shape"], t: Int[Tensor, "b"]
    ) -> Posterior:
        """Mean and log-variance of the step back from x_t, were x_0 known (Ho et al. 2020, eq. 6 and 7)."""
        mean = at(self.posterior_x0, t, x0) * x0 + at(self.posterior_xt, t, x0) * xt
        return Posterior(mean, at(self.posterior_log_variance, t, x0).expand_as(mean))

    def model_posterior(
        self, prediction: Prediction, xt: Float[Tensor, "b *shape"], t: Int[Tensor, "b"]
    ) -> Posterior:
        """The step back as the network sees it; its log-variance lies between the two bounds (eq. 15)."""
        assert prediction.variance is not None
        mean = self.posterior(self.clean(prediction.output, xt, t), xt, t).mean
        share = (prediction.variance + 1) / 2
        upper, lower = at(self.log_beta, t, xt), at(self.posterior_log_variance, t, xt)
        return Posterior(mean, share * upper + (1 - share) * lower)

    def variational_bound(
        self,
        prediction: Prediction,
        x0: Float[Tensor, "b *shape"],
        xt: Float[Tensor, "b *shape"],
        t: Int[Tensor, "b"],
    ) -> Float[Tensor, "b"]:
        """One term of the bound, in bits a value: L_{t-1}, or L_0 where t = 0 (Ho et al. 2020, eq. 5)."""
        true, model = self.posterior(x0, xt, t), self.model_posterior(prediction, xt, t)
        divergence = normal_kl(true, model)
        surprise = -discretised_log_likelihood(x0, model)
        bits = torch.where((t == 0).view(-1, *[1] * (x0.dim() - 1)), surprise, divergence)
        return bits.flatten(1).mean(1) / math.log(2)

    def loss(
        self,
        prediction: Prediction,
        x0: Float[Tensor, "b *shape"],
        xt: Float[Tensor, "b *shape"],
        noise: Float[Tensor, "b *shape"],
        t: Int[Tensor, "b"],
    ) -> dict[str, Float[Tensor, "b"]]:
        """Squared error of each example and, with learned variance, the bound; their sum is the loss.

        The hybrid loss (Nichol and Dhariwal 2021, eq. 16) in the published code's scale: the bound's gradient
        reaches the variance only, and its weight is T / 1000.
        """
        error = (prediction.output - self.target(x0, noise, t)).square().flatten(1).mean(1)
        if not self.learned_variance:
            return {"mse": error}
        detached = Prediction(prediction.output.detach(), prediction.variance)
        bound = self.variational_bound(detached, x0, xt, t)
        return {"mse": error, "bound": bound * (self.timesteps / 1000)}


def cosine_betas(timesteps: int) -> Float64[Tensor, "t"]:
    """Return the betas of the cosine schedule (Nichol and Dhariwal 2021, eq. 17), at most 0.999."""
    time = torch.arange(timesteps + 1, dtype=torch.float64) / timesteps
    alpha_bar = ((time + 0.008) / 1.008 * math.pi / 2).cos().square()
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=0.999)


def at(values: Float64[Tensor, "t"], t: Int[Tensor, "b"], like: Float[Tensor, "b *shape"]) -> Tensor:
    """A coefficient at each example's time, shaped to multiply `like`."""
    return values.to(like.dtype).to(like.device)[t].view(-1, *[1] * (like.dim() - 1))


def normal_kl(p: Posterior, q: Posterior) -> Tensor:
    """KL(p || q) of two normal distributions with diagonal covariance, in nats a value."""
    return 0.5 * (
        q.log_variance
        - p.log_variance
        + (p.log_variance - q.log_variance).exp()
        + (p.mean - q.mean).square() * (-q.log_variance).exp()
        - 1
    )


def discretised_log_likelihood(x: Tensor, p: Posterior) -> Tensor:
    """Log-probability of a value's bin of width 2/255, the outer bins open (Ho et al. 2020, eq. 13)."""
    spread = (0.5 * p.log_variance).exp()
    above = normal_cdf((x - p.mean + 1 / 255) / spread)
    below = normal_cdf((x - p.mean - 1 / 255) / spread)
    chance = torch.where(x < -0.999, above, torch.where(x > 0.999, 1 - below, above - below))
    return chance.clamp(min=1e-12).log()


def normal_cdf(x: Tensor) -> Tensor:
    """Standard normal distribution function."""
    return 0.5 * (1 + torch.erf(x / math.sqrt(2)))
