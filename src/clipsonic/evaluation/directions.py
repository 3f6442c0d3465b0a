"""What the paper reports and a right implementation should show, held against what was measured.

Directions and not values: other data, encoders and sizes give other values. A difference counts only where the 95 %
intervals do not overlap; where they do, nothing is claimed either way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol


class Measured(Protocol):
    """A value with its 95 % interval: a `Mean` or a `Frechet`."""

    @property
    def value(self) -> float: ...  # noqa: D102

    @property
    def low(self) -> float: ...  # noqa: D102

    @property
    def high(self) -> float: ...  # noqa: D102


Verdict = Literal["holds", "does not hold", "not decided", "not measured"]


@dataclass(frozen=True)
class Direction:
    """A claim and what became of it."""

    claim: str
    verdict: Verdict
    numbers: str


def less(claim: str, values: Mapping[str, Measured], *order: str) -> Direction:
    """Whether the named values rise from each to the next.

    Args:
        claim: in words.
        values: by name of the system.
        order: names, the smallest value first.
    """
    missing = [name for name in order if name not in values]
    if missing:
        return Direction(claim, "not measured", f"no {', '.join(missing)}")
    numbers = ", ".join(
        f"{name} {values[name].value:.3g} [{values[name].low:.3g}, {values[name].high:.3g}]" for name in order
    )
    verdict: Verdict = "holds"
    for before, after in pairwise(order):
        one, other = values[before], values[after]
        if other.high < one.low:
            verdict = "does not hold"
            break
        if one.high >= other.low:
            verdict = "not decided"
    return Direction(claim, verdict, numbers)


def rises(claim: str, along: Sequence[tuple[float, Measured]]) -> Direction:
    """Whether a value at the last guidance scale is above that at the first."""
    if len(along) < 2:
        return Direction(claim, "not measured", "fewer than two guidance scales")
    named = {f"w = {w:g}": value for w, value in along}
    ends = list(named)
    found = less(claim, named, ends[0], ends[-1])
    return Direction(claim, found.verdict, less(claim, named, *ends).numbers)
