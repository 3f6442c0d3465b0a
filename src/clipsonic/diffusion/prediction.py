"""What a denoiser says, whatever it denoises."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Prediction(NamedTuple):
    """The network's word on noisy data."""

    output: Float[Tensor, "b *shape"]  # noise, velocity or clean data, as the scheduler's config names it
    variance: Float[Tensor, "b *shape"] | None = None  # v of improved diffusion, in about [-1, 1]
