"""Two Gaussians => the Fréchet distance between them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from clipsonic.errors import UserError

ROUNDING = 1e-10  # of the traces: what the faster way to the distance may be wrong by


@dataclass(frozen=True)
class Statistics:
    """A Gaussian's mean and covariance, and from how many samples they are."""

    mean: Float[Tensor, "d"]
    covariance: Float[Tensor, "d d"]
    count: int


def statistics(features: Float[Tensor, "n d"]) -> Statistics:
    """Features => their Gaussian in float64, the covariance divided by n - 1.

    Raises:
        UserError: fewer than two features, or some that are not numbers.
    """
    if len(features) < 2:
        raise UserError(f"a Fréchet distance needs two windows of sound a side or more, got {len(features)}")
    if not features.isfinite().all():
        raise UserError("features to compare hold values that are not numbers (nan or infinite)")
    rows = features.double()
    return Statistics(rows.mean(0), torch.cov(rows.T).reshape(rows.shape[1], -1), len(rows))


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """|m_a - m_b|² + tr(A) + tr(B) - 2 tr (A B)^(1/2) (Dowson and Landau 1982), in float64, never negative."""
    return distance(Gaussian(a.mean, factor_of(a.covariance)), Gaussian(b.mean, factor_of(b.covariance)))


@dataclass(frozen=True)
class Gaussian:
    """A mean and any factor of a covariance: factor times its transpose."""

    mean: Float[Tensor, "d"]
    factor: Float[Tensor, "d r"]


def distance(a: Gaussian, b: Gaussian) -> float:
    """With A = F F' and B = G G', tr (A B)^(1/2) is the sum of the singular values of F' G.

    So no square root of a matrix is taken, nothing is complex, and a covariance need not have full rank.
    """
    traces = a.factor.square().sum() + b.factor.square().sum()
    common = _nuclear_norm(a.factor.T @ b.factor, ROUNDING * float(traces))
    return max(0.0, float((a.mean - b.mean).square().sum() + traces) - 2 * common)


def factor_of(covariance: Float[Tensor, "d d"]) -> Float[Tensor, "d r"]:
    """F with F F' = the covariance, as many columns as it has rank."""
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if not failed:
        return factor
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > len(values) * torch.finfo(values.dtype).eps * values[-1].clamp(min=0)
    return vectors[:, kept] * values[kept].sqrt()


def _nuclear_norm(matrix: Float[Tensor, "r s"], tolerance: float) -> float:
    """Sum of the singular values: from the eigenvalues of the smaller Gram matrix where these are exact enough.

    That takes a third of the time, but squares the condition: an eigenvalue comes with an error of about the
    largest one's rounding.
    """
    if 0 in matrix.shape:
        return 0.0
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    squares = torch.linalg.eigvalsh(gram)
    error = torch.finfo(squares.dtype).eps * squares[-1].clamp(min=torch.finfo(squares.dtype).tiny)
    if (error / squares.clamp(min=float(error)).sqrt()).sum() <= tolerance:
        return float(squares.clamp(min=0).sqrt().sum())
    return float(torch.linalg.svdvals(matrix).sum())
