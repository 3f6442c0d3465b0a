"""What raters say of systems: mean opinion scores, differences, agreement.

Raters and prompts are both drawn from many, and every score depends on both: an interval over scores alone would be
far too narrow. Needs scipy (the extra `serve`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy import stats

LOWEST, HIGHEST = 1, 5  # of the scale
LEVEL = 0.95  # of every interval


@dataclass(frozen=True)
class Ratings:
    """Answers to one question, one a row: who said what of which system's sound for which prompt."""

    rater: Int[np.ndarray, "n"]
    prompt: Int[np.ndarray, "n"]
    system: Int[np.ndarray, "n"]
    score: Float[np.ndarray, "n"]

    def of(self, *systems: int) -> "Ratings":
        """Those of some systems."""
        kept = np.isin(self.system, systems)
        return Ratings(self.rater[kept], self.prompt[kept], self.system[kept], self.score[kept])


@dataclass(frozen=True)
class Opinion:
    """A mean opinion score with its 95 % interval over raters and prompts."""

    value: float
    low: float
    high: float
    ratings: int
    raters: int
    prompts: int


@dataclass(frozen=True)
class Difference:
    """How much higher one system was rated than another."""

    first: int
    second: int
    value: float
    low: float  # of the 95 % interval over raters and prompts, not corrected for the number of pairs
    high: float
    over_raters: float  # p of the signed-rank test over raters
    over_prompts: float  # the same over prompts
    p: float  # the larger of both, corrected for the number of pairs


def mean_opinion(ratings: Ratings) -> Opinion:
    """Ratings of one system => its mean, sure within what other raters and other prompts would have said.

    With one rater or one prompt nothing is known of others: the interval is then the whole scale.
    """
    score = ratings.score
    mean = float(score.mean())
    half = _half_width((score - mean) / len(score), ratings.rater, ratings.prompt)
    counts = len(score), len(np.unique(ratings.rater)), len(np.unique(ratings.prompt))
    return Opinion(mean, max(LOWEST, mean - half), min(HIGHEST, mean + half), *counts)


def differences(ratings: Ratings, systems: Sequence[int]) -> list[Difference]:
    """Every pair of systems => their difference, and whether it may be chance.

    The test is Wilcoxon's (1945) on the means of each rater, and again on those of each prompt; a difference has to
    hold over both (Clark 1973). Holm (1979) corrects for the number of pairs.
    """
    pairs = list(combinations(systems, 2))
    found = [_difference(ratings.of(*pair), *pair) for pair in pairs]
    corrected = holm([max(each.over_raters, each.over_prompts) for each in found])
    return [Difference(**{**each.__dict__, "p": p}) for each, p in zip(found, corrected, strict=True)]


def _difference(both: Ratings, first: int, second: int) -> Difference:
    is_first = both.system == first
    means = both.score[is_first].mean(), both.score[~is_first].mean()
    share = np.where(is_first, both.score - means[0], both.score - means[1])
    share = share * np.where(is_first, 1 / is_first.sum(), -1 / (~is_first).sum())
    value, half = float(means[0] - means[1]), _half_width(share, both.rater, both.prompt)
    span = HIGHEST - LOWEST
    low, high = max(-span, value - half), min(span, value + half)
    tests = [_over(both, is_first, units) for units in (both.rater, both.prompt)]
    return Difference(first, second, value, low, high, tests[0], tests[1], max(tests))


def _half_width(
    share: Float[np.ndarray, "n"], rater: Int[np.ndarray, "n"], prompt: Int[np.ndarray, "n"]
) -> float:
    """Each score's part in the error of an estimate => half of its interval.

    The variance is that of Cameron, Gelbach and Miller (2011): over raters, plus over prompts, less what both count
    twice, and never less than one of them alone; the quantile is Student's with the fewer of both less one.
    """
    pair = rater * (int(prompt.max(initial=0)) + 1) + prompt
    (by_rater, raters), (by_prompt, prompts), (by_pair, _) = (
        _clustered(share, units) for units in (rater, prompt, pair)
    )
    if min(raters, prompts) < 2:
        return float("inf")
    variance = max(by_rater + by_prompt - by_pair, by_rater, by_prompt)
    return float(stats.t.ppf((1 + LEVEL) / 2, min(raters, prompts) - 1) * np.sqrt(variance))


def _clustered(share: Float[np.ndarray, "n"], units: NDArray[np.integer]) -> tuple[float, int]:
    _, place = np.unique(units, return_inverse=True)
    sums = np.bincount(place, weights=share)
    count = len(sums)
    return float((sums**2).sum() * count / max(1, count - 1)), count


def _over(both: Ratings, is_first: NDArray[np.bool_], units: Int[np.ndarray, "n"]) -> float:
    """p of the signed-rank test on the units that have scores of both systems."""
    names, place = np.unique(units, return_inverse=True)
    means = []
    for side in (is_first, ~is_first):
        counts = np.bincount(place[side], minlength=len(names))
        sums = np.bincount(place[side], weights=both.score[side], minlength=len(names))
        means.append(np.divide(sums, counts, out=np.full(len(names), np.nan), where=counts > 0))
    apart = means[0] - means[1]
    return signed_rank(apart[np.isfinite(apart)])


def signed_rank(apart: Float[np.ndarray, "n"]) -> float:
    """Differences => the two-sided p of Wilcoxon's test, exact with ties too; those of zero say nothing.

    scipy.stats.wilcoxon takes seconds where 14 differences have ties, and approximates where there are more.
    """
    apart = np.round(apart, 9)  # so that equal differences are tied
    apart = apart[apart != 0]
    ranks = np.rint(2 * stats.rankdata(np.abs(apart))).astype(int)  # twice, so that they are whole
    chances = np.ones(1)  # of each sum of the ranks of positive differences, every sign being as likely
    for rank in ranks:
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    at = ranks[apart > 0].sum()
    return float(min(1.0, 2 * min(chances[: at + 1].sum(), chances[at:].sum())))


def holm(p: Sequence[float]) -> list[float]:
    """p values => the same corrected for their number, so that one false finding in all is as rare as one was."""
    order = np.argsort(p)
    factors = len(p) - np.arange(len(p))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(np.asarray(p)[order] * factors))
    return [float(each) for each in corrected]


def agreement(units: Int[np.ndarray, "n"], score: Float[np.ndarray, "n"]) -> float | None:
    """Krippendorff's alpha (2004) for interval scales: 1 all agree, 0 as by chance.

    Args:
        units: which clip each score is of; those with one score say nothing and are left out.

    Returns:
        None where no clip has two scores, or all scores are the same.
    """
    _, place, counts = np.unique(units, return_inverse=True, return_counts=True)
    kept = counts[place] > 1
    score, place = score[kept], place[kept]
    sums, squares = np.bincount(place, weights=score), np.bincount(place, weights=score**2)
    several = np.bincount(place)
    within = ((several * squares - sums**2)[several > 1] / (several[several > 1] - 1)).sum()
    n = len(score)
    between = (n * (score**2).sum() - score.sum() ** 2) / (n - 1) if n > 1 else 0.0
    return None if between <= 0 else float(1 - within / between)
