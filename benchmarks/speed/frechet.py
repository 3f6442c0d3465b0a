"""The Fréchet distance of two sets of 5,000 features of 2,048 numbers, beside scipy's square root of a matrix."""

from pathlib import Path

import numpy as np
import torch

from benchmarks.speed.timing import Row, row
from clipsonic.evaluation.gaussians import frechet_distance, statistics

SAMPLES, DIMENSION = 5000, 2048
PEER = "scipy.linalg.sqrtm, float64"


def measure(runs: int, peers: Path | None) -> list[Row]:
    """One row, from the covariances on: both need these."""
    random = torch.Generator().manual_seed(0)
    mixing = torch.randn(DIMENSION, DIMENSION, generator=random) / DIMENSION**0.5
    left = torch.randn(SAMPLES, DIMENSION, generator=random) @ mixing
    right = torch.randn(SAMPLES, DIMENSION, generator=random) @ mixing + 0.1
    a, b = statistics(left), statistics(right)
    try:
        from scipy.linalg import sqrtm
    except ImportError:
        return [row("Fréchet distance, 2048-d", PEER, lambda: frechet_distance(a, b), None, runs, "8 x")]

    def theirs() -> float:
        root = np.asarray(sqrtm(a.covariance.numpy() @ b.covariance.numpy())).real
        means = float((a.mean - b.mean).square().sum())
        return means + float(a.covariance.trace() + b.covariance.trace()) - 2 * float(np.trace(root))

    difference = abs(frechet_distance(a, b) - theirs())
    return [
        row(
            f"Fréchet distance, {DIMENSION}-d, {SAMPLES:,} samples a side",
            PEER,
            lambda: frechet_distance(a, b),
            theirs,
            min(runs, 3),
            "8 x",
            f"the two differ by {difference:.0e}",
        )
    ]
