"""How sure a mean is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000


@dataclass(frozen=True)
class Mean:
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float
    items: int  # independent ones, over which the interval was drawn

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap_mean(values: NDArray[np.floating], items: NDArray[np.integer]) -> Mean:
    """Values and the item each belongs to => their mean, with the 95 % percentile interval over items.

    The bootstrap (Efron 1979) draws whole items with replacement, so that several values of one item do not count
    as independent.
    """
    _, place = np.unique(items, return_inverse=True)
    counts = np.bincount(place)
    sums = np.bincount(place, weights=values)
    drawn = np.random.default_rng(0).integers(len(counts), size=(DRAWS, len(counts)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Mean(float(sums.sum() / counts.sum()), float(low), float(high), len(counts))
