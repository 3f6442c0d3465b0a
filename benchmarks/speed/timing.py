"""Two ways of doing one piece of work, timed in turn."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One piece of work: how long we take, how long the peer takes, and what our way costs in quality.

    Attributes:
        work: what was done.
        peer: whose way it was done beside ours.
        ours: median, in `unit`.
        theirs: the same of the peer; None where the peer is absent.
        ratio: theirs by ours, of each pair of runs: median, least, most.
        goal: the ratio, or with a limit for ours the time, that was asked for.
        quality: largest difference or score, ours beside theirs, and what `theirs` leaves out.
    """

    work: str
    peer: str
    ours: float
    theirs: float | None
    ratio: tuple[float, float, float] | None
    goal: str
    quality: str = ""
    unit: str = "s"


def row(
    work: str,
    peer: str,
    ours: Work,
    theirs: Work | None,
    runs: int,
    goal: str,
    quality: str = "",
    theirs_times: float = 1,
) -> Row:
    """Times both, one after the other, `runs` times after a run that is not counted.

    Args:
        theirs_times: how often the peer's whole work holds what `theirs` does, where the whole takes too long.
    """
    if theirs is None:
        return Row(
            work,
            peer,
            statistics.median(seconds(ours) for _ in _warmed(runs, ours)),
            None,
            None,
            goal,
            quality,
        )
    pairs = []
    for _ in _warmed(runs, ours, theirs):
        pairs.append((seconds(ours), seconds(theirs) * theirs_times))
    ratios = sorted(other / own for own, other in pairs)
    return Row(
        work,
        peer,
        statistics.median(own for own, _ in pairs),
        statistics.median(other for _, other in pairs),
        (statistics.median(ratios), ratios[0], ratios[-1]),
        goal,
        quality,
    )


def _warmed(runs: int, *works: Work) -> range:
    for work in works:
        work()
    return range(runs)


def seconds(work: Work) -> float:
    """Wall seconds of one run."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def matrix_product(dtype: torch.dtype, size: int = 2048) -> float:
    """Floating-point operations a second of a square matrix product: the ceiling of this machine."""
    left, right = torch.randn(2, size, size).to(dtype)
    best = min(seconds(lambda: left @ right) for _ in range(7))
    return 2 * size**3 / best
