"""Arithmetic on queries: unit embeddings => unit embeddings."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from clipsonic.errors import UserError


def mix(parts: Float[Tensor, "k d"], weights: Sequence[float] | None = None) -> Float[Tensor, "d"]:
    """Return the weighted sum of queries at norm 1 (equal weights); a query alone is returned as it is.

    Raises:
        UserError: not one weight a query, or the queries cancel out.
    """
    if weights is None:
        weights = [1.0] * len(parts)
    if len(weights) != len(parts):
        raise UserError(
            f"{len(weights)} weights for {len(parts)} queries; give one each, texts before pictures"
        )
    counted = [place for place, weight in enumerate(weights) if weight != 0]
    if len(counted) == 1 and weights[counted[0]] > 0:
        return parts[counted[0]]  # bit for bit: a query alone is the same whether or not it went through here
    total = (torch.tensor(weights, dtype=parts.dtype, device=parts.device)[:, None] * parts).sum(0)
    if total.norm() <= 1e-3 * sum(map(abs, weights)):
        raise UserError("the queries cancel each other out under these weights")
    return normalize(total, dim=0)


def between(
    start: Float[Tensor, "d"], end: Float[Tensor, "d"], shares: Sequence[float]
) -> Float[Tensor, "k d"]:
    """Points on the great circle from one query to another (slerp, Shoemake 1985); share 0 is the start.

    Raises:
        UserError: the queries are opposite, so that there are many ways.
    """
    cosine = (start @ end).clamp(-1, 1)
    angle = cosine.arccos()
    if angle < 1e-4:
        return normalize(torch.stack([start + share * (end - start) for share in shares]), dim=-1)
    if cosine < -0.9999:
        raise UserError("the two queries are opposite to each other; nothing lies between them")
    points = [
        (((1 - share) * angle).sin() * start + (share * angle).sin() * end) / angle.sin() for share in shares
    ]
    return normalize(torch.stack(points), dim=-1)
