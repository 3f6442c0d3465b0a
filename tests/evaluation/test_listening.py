"""Opinion scores of simulated panels whose truth is known, and the parts of their statistics by other means."""

import numpy as np
import pytest
from benchmarks.panel import MEANS, Spread, simulate, true_score
from scipy import stats

from clipsonic.evaluation.listening import (
    Ratings,
    agreement,
    differences,
    holm,
    mean_opinion,
    signed_rank,
)

PANELS = 60


@pytest.fixture(scope="module")
def panels() -> list[Ratings]:
    return [simulate(MEANS, 16, 24, 24, Spread(), seed) for seed in range(PANELS)]


def test_the_simulated_truth_is_what_unlimited_ratings_have() -> None:
    for mean in MEANS:
        ratings = simulate([mean], 2000, 2000, 100, Spread(), 0)
        assert ratings.score.mean() == pytest.approx(true_score(mean, Spread()), abs=0.05)


def test_intervals_hold_the_true_scores(panels: list[Ratings]) -> None:
    """95 % of 240; the panels of one seed share their raters, so that a wide margin is left."""
    truth = [true_score(mean, Spread()) for mean in MEANS]
    held, naive = 0, 0
    for ratings in panels:
        for system, score in enumerate(truth):
            mine = ratings.of(system)
            opinion = mean_opinion(mine)
            held += opinion.low <= score <= opinion.high
            naive += abs(opinion.value - score) < 1.96 * mine.score.std() / np.sqrt(len(mine.score))
    assert 0.90 <= held / (4 * PANELS) <= 0.99
    assert naive / (4 * PANELS) < 0.85  # what raters and prompts have in common is not small here


def test_differences_hold_and_equals_are_seldom_told_apart(panels: list[Ratings]) -> None:
    truth = [true_score(mean, Spread()) for mean in MEANS]
    held, wrong, found = 0, 0, 0
    for ratings in panels:
        pairs = differences(ratings, range(4))
        held += sum(each.low <= truth[each.first] - truth[each.second] <= each.high for each in pairs)
        told = {(each.first, each.second) for each in pairs if each.p < 0.05}
        wrong += (1, 2) in told
        found += (0, 3) in told
        assert all(each.p >= max(each.over_raters, each.over_prompts) for each in pairs)
    assert 0.90 <= held / (6 * PANELS) <= 0.99
    assert wrong <= 6
    assert found == PANELS


def test_one_way_without_prompts_is_the_usual_interval() -> None:
    """Every rater says one thing, and prompts make no difference: Student's interval over raters."""
    random = np.random.default_rng(0)
    each = np.clip(3 + random.normal(0, 0.5, 9), 1, 5)
    rater, prompt = np.repeat(np.arange(9), 9), np.tile(np.arange(9), 9)
    opinion = mean_opinion(Ratings(rater, prompt, np.zeros(81, int), np.repeat(each, 9)))
    low, high = stats.t.interval(0.95, 8, each.mean(), stats.sem(each))
    assert (opinion.low, opinion.high) == (pytest.approx(low), pytest.approx(high))


def test_what_is_not_known_is_not_told() -> None:
    zeros = np.zeros(4, int)
    opinion = mean_opinion(Ratings(zeros, np.arange(4), zeros, np.array([3.0, 4, 3, 4])))
    assert (opinion.value, opinion.low, opinion.high, opinion.raters, opinion.prompts) == (3.5, 1, 5, 1, 4)
    (pair,) = differences(
        Ratings(np.arange(4), zeros, np.array([0, 0, 1, 1]), np.array([5.0, 5, 1, 1])), [0, 1]
    )
    assert (pair.value, pair.low, pair.high, pair.p) == (4, -4, 4, 1)


@pytest.mark.parametrize("seed", range(5))
def test_signed_ranks(seed: int) -> None:
    random = np.random.default_rng(seed)
    smooth = random.normal(0.3, 1, 12)
    assert signed_rank(smooth) == pytest.approx(stats.wilcoxon(smooth, method="exact").pvalue)
    tied = np.rint(random.normal(0.5, 1, 8)) / 2
    signs = 1 - 2 * ((np.arange(2**8)[:, None] >> np.arange(8)) & 1)  # all of them, by hand
    ranks = np.where(
        tied == 0, 0, stats.rankdata(np.where(tied == 0, np.nan, np.abs(tied)), nan_policy="omit")
    )
    sums, at = (signs > 0) @ ranks, ranks[tied > 0].sum()
    assert signed_rank(tied) == pytest.approx(min(1, 2 * min((sums <= at).mean(), (sums >= at).mean())))
    assert signed_rank(np.zeros(5)) == signed_rank(np.empty(0)) == 1


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1, 1] and holm([]) == []


def test_agreement_is_krippendorffs() -> None:
    """The example of his page of 2011: four observers, twelve units, interval alpha 0.849."""
    nan = np.nan
    said = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
            [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
        ]
    )
    there = np.isfinite(said)
    units = np.broadcast_to(np.arange(12), said.shape)
    assert agreement(units[there], said[there]) == pytest.approx(0.849, abs=5e-4)
    assert agreement(np.array([0, 1, 2]), np.array([1.0, 2, 3])) is None  # no unit twice
    assert agreement(np.array([0, 0, 1, 1]), np.array([2.0, 2, 2, 2])) is None
    assert agreement(np.array([0, 0, 1, 1]), np.array([2.0, 2, 5, 5])) == 1
