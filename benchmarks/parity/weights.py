"""Random weights and inputs that are the same on every machine and with every version of torch and numpy."""

import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def noise(name: str, *shape: int) -> Tensor:
    """Standard normal numbers that depend on `name` and `shape` alone (RandomState's stream is frozen)."""
    drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    return torch.from_numpy(drawn.astype(np.float32))


def seeded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict's names and shapes => weights of a plausible size for each.

    Matrices and kernels keep the variance of what goes through them; gains are near 1, biases near 0, so that
    every weight has its part in the output. Integer entries (counters, positions) stay as they are.
    """
    weights = {}
    for name, like in state.items():
        if not like.is_floating_point():
            weights[name] = like.clone()
        elif like.dim() > 1:
            weights[name] = noise(name, *like.shape) / max(1, like[0].numel()) ** 0.5
        else:
            gain = name.endswith(("weight", ".g", "running_var"))
            weights[name] = float(gain) + 0.1 * noise(name, *like.shape)
    return weights
