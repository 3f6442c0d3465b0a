"""The Fréchet distance between two sets of features, with how sure it is and what unlimited samples would give.

Over sounds it is the Fréchet audio distance (FAD, Kilgour et al. 2019, arXiv 1812.08466), over pictures the Fréchet
inception distance (FID, Heusel et al. 2017, arXiv 1706.08500): both sets are taken as Gaussians.
"""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clipsonic.errors import UserError
from clipsonic.evaluation.gaussians import Gaussian, distance, factor_of

GROUPS = 50  # of clips, at most: what is left out or drawn at once
SHARES = np.linspace(0.7, 0.95, 10)  # of the groups, to extrapolate from
SUBSETS = 5  # of each share
NORMAL_95 = 1.959964  # standard deviations


@dataclass(frozen=True)
class Frechet:
    """A measured distance. All intervals hold 95 %, over the clips of both sides."""

    value: float  # at these numbers of clips; too large by a bias that shrinks as they grow
    low: float  # of what other clips, as many, would give on average
    high: float
    infinity: float  # extrapolated to unlimited clips on both sides; may fall below 0 by chance
    infinity_low: float  # of the distance between the two distributions
    infinity_high: float
    clips: int  # generated
    windows: int  # of them, a feature each
    reference_clips: int
    reference_windows: int
    dimension: int  # of a feature
    embedding: str  # what made the features, exactly
    warning: str | None  # why the value is doubtful, if it is

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Groups:
    """The clips of one side in at most 50 groups drawn at random, any of which can be left out.

    Args:
        clips: the features of each.
        items: what each clip is of: clips of one item are not independent, and stay in one group.
        centre: taken from all features, which keeps the sums exact.

    Raises:
        UserError: fewer than two clips, or features that are not numbers.
    """

    def __init__(
        self,
        clips: Sequence[Float[Tensor, "windows d"]],
        items: Sequence[Hashable],
        centre: Float[Tensor, "d"],
    ) -> None:
        if len(clips) < 2:
            raise UserError(f"a Fréchet distance needs two clips a side or more, got {len(clips)}")
        of_item: dict[Hashable, list[int]] = {}
        for number, item in enumerate(items):
            of_item.setdefault(item, []).append(number)
        together = list(of_item.values())
        order = np.random.default_rng(0).permutation(len(together))
        size = min(GROUPS, len(together))
        self.rows = [
            torch.cat([clips[clip] for item in order[first::size] for clip in together[item]]) - centre
            for first in range(size)
        ]
        every = torch.cat(self.rows)
        if not every.isfinite().all():
            raise UserError("features to compare hold values that are not numbers (nan or infinite)")
        self.windows, self.dimension = every.shape
        self._sum = every.sum(0)
        self._products = every.T @ every if self.windows > 2 * self.dimension else None

    def without(self, dropped: Collection[int] = ()) -> Gaussian:
        """The Gaussian of all groups but these: by taking their sums from the whole, where windows are many."""
        out = [self.rows[group] for group in dropped]
        count = self.windows - sum(map(len, out))
        scale = max(count - 1, 1)
        gone = torch.cat([*out, self.rows[0][:0]])
        mean = (self._sum - gone.sum(0)) / count
        if self._products is not None:
            products = self._products - gone.T @ gone
            return Gaussian(mean, factor_of((products - count * mean.outer(mean)) / scale))
        left = torch.cat([rows for group, rows in enumerate(self.rows) if group not in dropped])
        return Gaussian(mean, (left - mean).T / scale**0.5)


def measure_frechet(
    generated: Sequence[Float[Tensor, "windows d"]],
    reference: Sequence[Float[Tensor, "windows d"]],
    embedding: str,
    items: Sequence[Hashable] | None = None,
    paired: bool = False,
) -> Frechet:
    """Features of each clip of both sides => their distance, extrapolated and with intervals.

    Args:
        embedding: what made the features, exactly.
        items: what each generated clip is of, where several are of one thing; else all are independent.
        paired: the generated clips are the reference's, changed: what holds for one side's clips holds for the
            other's, which are then left out together.

    The interval is the value and 1.96 standard errors, by the jackknife that leaves out one group of clips at a
    time (Efron and Stein 1981); the variances of both sides add up. The usual bootstrap would mislead: clips drawn
    twice act as fewer clips, and add the bias of a small sample once more. In simulations with 16 to 64 numbers a
    feature and 60 to 400 clips a side, its percentile interval held the mean value in 0 to 15 % of the trials, and
    this one in 95 to 99 %. The same standard error serves the extrapolated distance, which spreads as much; that
    interval held the true distance in 86 to 97 %, least where windows were few (see `frechet_infinity`).

    Raises:
        UserError: fewer than two clips on a side, or features that are not numbers.
    """
    a, b = _sides(generated, reference, items, paired)
    value, infinity = distance(a.without(), b.without()), _extrapolate(a, b, paired)
    error = NORMAL_95 * _standard_error(a, b, paired)
    return Frechet(
        value=value,
        low=max(0.0, value - error),
        high=value + error,
        infinity=infinity,
        infinity_low=infinity - error,
        infinity_high=infinity + error,
        clips=len(generated),
        windows=a.windows,
        reference_clips=len(reference),
        reference_windows=b.windows,
        dimension=a.dimension,
        embedding=embedding,
        warning=_warning(a, b),
    )


def frechet_infinity(
    generated: Sequence[Float[Tensor, "windows d"]], reference: Sequence[Float[Tensor, "windows d"]]
) -> float:
    """The distance at unlimited clips, after Chong and Forsyth 2020 (arXiv 1911.07023, section 4).

    The distance grows linearly with 1/N. Here N counts the clips of both sides, which shrink by the same share;
    theirs is the generated side alone, since their reference is large. The line goes through the value of all
    clips, which no choice of a subset blurs. Where windows are few, the distance bends away from the line and the
    result is still too large: with 7 windows a dimension, 0.35 instead of 0.27, where the value was 1.43.

    Raises:
        UserError: fewer than two clips on a side, or features that are not numbers.
    """
    return _extrapolate(*_sides(generated, reference), paired=False)


def _sides(
    generated: Sequence[Float[Tensor, "windows d"]],
    reference: Sequence[Float[Tensor, "windows d"]],
    items: Sequence[Hashable] | None = None,
    paired: bool = False,
) -> tuple[Groups, Groups]:
    centre = torch.cat([*generated, *reference]).double().mean(0)
    items = range(len(generated)) if items is None else items
    others = items if paired else range(len(reference))
    return Groups(generated, items, centre), Groups(reference, others, centre)


def _extrapolate(a: Groups, b: Groups, paired: bool) -> float:
    """Least squares of distance = value + slope * (1 / share - 1) => its value at 1 / share = 0."""
    random = np.random.default_rng(0)
    value = distance(a.without(), b.without())
    steps, rises = [], []
    for share in np.repeat(SHARES, SUBSETS):
        parts, shares = [], []
        for side in (a, b):
            groups = len(side.rows)
            kept = max(1, round(share * groups))
            if not paired or side is a:
                order = random.permutation(groups)
            parts.append(side.without(order[kept:].tolist()))
            shares.append(kept / groups)
        steps.append(2 / sum(shares) - 1)
        rises.append(distance(*parts) - value)
    return value - float(np.dot(steps, rises) / np.dot(steps, steps))


def _standard_error(a: Groups, b: Groups, paired: bool) -> float:
    """Of the distance, by leaving out each group of each side in turn, or of both at once where they are pairs."""
    if paired:
        without = [distance(a.without([group]), b.without([group])) for group in range(len(a.rows))]
        return ((len(without) - 1) * float(np.var(without))) ** 0.5
    variance = 0.0
    for one, other in ((a, b), (b, a)):
        whole = other.without()
        without = [distance(one.without([group]), whole) for group in range(len(one.rows))]
        variance += (len(without) - 1) * float(np.var(without))
    return variance**0.5


def _warning(a: Groups, b: Groups) -> str | None:
    sides = {"generated": a, "reference": b}
    short = [f"{s.windows} {name} windows" for name, s in sides.items() if s.windows <= s.dimension]
    if not short:
        return None
    return f"{' and '.join(short)} for {a.dimension} dimensions: too few for a covariance, the value is too large"
