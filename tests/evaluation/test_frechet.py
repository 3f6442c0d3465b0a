"""The Fréchet distance against closed forms and SciPy, and its intervals where the truth is known."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from clipsonic.errors import UserError
from clipsonic.evaluation.frechet import Groups, frechet_infinity, measure_frechet
from clipsonic.evaluation.gaussians import Statistics, _nuclear_norm, frechet_distance, statistics


def gaussian(mean: list[float], variances: list[float]) -> Statistics:
    return Statistics(torch.tensor(mean).double(), torch.tensor(variances).double().diag(), 1000)


def rows(count: int, d: int, seed: int = 0, falling: float = 0.0) -> Tensor:
    """Features whose standard deviations fall by so many powers of ten from the first to the last."""
    random = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(d, d, generator=random, dtype=torch.float64))[0]
    return (
        torch.randn(count, d, generator=random, dtype=torch.float64) * torch.logspace(0, -falling, d)
    ) @ turn


def clips(count: int, windows: int, d: int, seed: int, shift: float = 0.0) -> list[Tensor]:
    """Clips whose windows are alike."""
    random = torch.Generator().manual_seed(seed)
    own = 0.8 * torch.randn(count, 1, d, generator=random)
    return list(own + 0.6 * torch.randn(count, windows, d, generator=random) + shift)


def test_diagonal_gaussians() -> None:
    a, b = gaussian([0, 0, 1], [1, 4, 9]), gaussian([3, 0, 1], [4, 1, 0])
    assert frechet_distance(a, b) == pytest.approx(9 + 1 + 1 + 9, rel=1e-12)
    assert frechet_distance(gaussian([1], [4]), gaussian([4], [25])) == pytest.approx(9 + 9, rel=1e-12)


def test_disjoint_planes() -> None:
    """Where one covariance has its variance the other has none: nothing is transported within a plane."""
    a, b = gaussian([0, 0], [2, 0]), gaussian([0, 0], [0, 3])
    assert frechet_distance(a, b) == pytest.approx(5, rel=1e-12)


@pytest.mark.parametrize(("d", "count"), [(4, 30), (64, 200), (128, 1000)])
def test_scipys_matrix_square_root(d, count) -> None:
    a, b = statistics(rows(count, d, 1, 1)), statistics(1.5 * rows(count, d, 2) + 0.1)
    root = scipy.linalg.sqrtm(a.covariance.numpy() @ b.covariance.numpy())
    theirs = (
        (a.mean - b.mean).square().sum() + (a.covariance + b.covariance).trace() - 2 * np.trace(root).real
    )
    assert frechet_distance(a, b) == pytest.approx(float(theirs), rel=1e-9)


@pytest.mark.parametrize("falling", [0, 3, 8])
@pytest.mark.parametrize("count", [2, 20, 32, 33, 500])
def test_a_set_is_at_no_distance_from_itself(count, falling) -> None:
    own = statistics(rows(count, 32, 0, falling))
    other = statistics(rows(40, 32, 1) + 0.1)
    assert 0 <= frechet_distance(own, own) < 1e-9
    assert frechet_distance(own, other) == pytest.approx(frechet_distance(other, own), rel=1e-9)
    assert frechet_distance(own, other) > 0


def test_moving_scaling_and_turning() -> None:
    x, y, turn = rows(100, 8, 0), rows(90, 8, 1) * 2, torch.linalg.qr(rows(8, 8, 2))[0]
    before = frechet_distance(statistics(x), statistics(y))
    assert frechet_distance(statistics(x @ turn + 7), statistics(y @ turn + 7)) == pytest.approx(before)
    assert frechet_distance(statistics(3 * x), statistics(3 * y)) == pytest.approx(9 * before)
    moved = frechet_distance(statistics(x), statistics(x + 2))
    assert moved == pytest.approx(8 * 4)


def test_both_ways_to_a_nuclear_norm() -> None:
    for matrix in (rows(30, 20), rows(20, 30), rows(20, 20, falling=4)):
        exact = float(torch.linalg.svdvals(matrix).sum())
        assert _nuclear_norm(matrix, tolerance=0) == pytest.approx(exact, rel=1e-13)
        assert _nuclear_norm(matrix, tolerance=1e9) == pytest.approx(exact, rel=1e-6)
    assert _nuclear_norm(torch.zeros(0, 5), 1) == 0


@pytest.mark.parametrize("d", [4, 40])
def test_a_side_without_some_of_its_clips(d) -> None:
    """Both where windows are more than dimensions and where they are fewer."""
    sounds, centre = clips(7, 3, d, seed=0), torch.full((d,), 5.0, dtype=torch.float64)
    side = Groups(sounds, range(len(sounds)), centre)
    order = np.random.default_rng(0).permutation(7).tolist()
    found = side.without([1, 4, 5])
    wanted = statistics(torch.cat([sounds[order[group]] for group in (0, 2, 3, 6)]) - centre)
    torch.testing.assert_close(found.mean, wanted.mean, atol=1e-6, rtol=1e-6)
    covariance = found.factor @ found.factor.T
    torch.testing.assert_close(covariance, wanted.covariance, atol=1e-6, rtol=1e-6)
    assert len(Groups(clips(120, 2, d, seed=0), range(120), centre).rows) == 50


def test_the_interval_holds_the_mean_value_of_other_clips() -> None:
    """Thirty pairs of sets of known distributions."""
    found = [measure_frechet(clips(40, 3, 6, s, 0.3), clips(40, 3, 6, 1000 + s), "") for s in range(30)]
    mean = np.mean([each.value for each in found])
    assert sum(each.low <= mean <= each.high for each in found) >= 27
    spread = np.std([each.value for each in found])
    assert (
        0.8 < np.mean([each.high - each.value for each in found]) / 1.96 / spread < 1.6
    )  # not too wide either
    truth = 6 * 0.3**2
    assert sum(each.infinity_low <= truth <= each.infinity_high for each in found) >= 27
    assert mean > truth + 0.1  # what small samples add, and extrapolation takes away
    assert np.mean([each.infinity for each in found]) == pytest.approx(truth, abs=0.06)


def test_infinity_of_two_halves_is_nothing() -> None:
    one, other = clips(200, 4, 16, 0), clips(200, 4, 16, 1)
    whole = measure_frechet(one, other, "")
    assert frechet_infinity(one, other) == whole.infinity
    assert abs(whole.infinity) < 0.2 * whole.value


def test_the_result_says_what_it_is() -> None:
    found = measure_frechet(clips(10, 3, 32, 0), clips(12, 3, 32, 1), "ears@0")
    assert (found.clips, found.windows, found.reference_clips, found.reference_windows) == (10, 30, 12, 36)
    assert (found.dimension, found.embedding) == (32, "ears@0")
    assert (
        found.warning
        == "30 generated windows for 32 dimensions: too few for a covariance, the value is too large"
    )
    assert measure_frechet(clips(10, 4, 32, 0), clips(12, 3, 32, 1), "").warning is None
    both = measure_frechet(clips(2, 1, 32, 0), clips(3, 1, 32, 1), "")
    assert both.warning is not None and "2 generated windows and 3 reference windows" in both.warning
    assert np.isfinite([both.value, both.low, both.high, both.infinity]).all()
    assert found == measure_frechet(clips(10, 3, 32, 0), clips(12, 3, 32, 1), "ears@0")


def test_what_cannot_be_measured() -> None:
    good = clips(5, 3, 4, 0)
    with pytest.raises(UserError, match="two clips a side or more, got 1"):
        measure_frechet(good[:1], good, "")
    with pytest.raises(UserError, match="two windows"):
        statistics(torch.zeros(1, 4))
    with pytest.raises(UserError, match="not numbers"):
        measure_frechet([*good, torch.full((1, 4), torch.nan)], good, "")
    with pytest.raises(UserError, match="not numbers"):
        statistics(torch.full((3, 4), torch.inf))


def test_pairs_are_left_out_together() -> None:
    """Recordings and the same a little changed: their distance is far surer than that of strangers."""
    random = torch.Generator().manual_seed(0)
    real = [torch.randn(4, 32, generator=random) for _ in range(100)]
    same = measure_frechet(real, real, "x", paired=True)
    assert same.value == pytest.approx(0, abs=1e-9)
    assert (same.high, same.infinity) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))
    changed = [clip + 0.1 * torch.randn(clip.shape, generator=random) for clip in real]
    pairs, strangers = measure_frechet(changed, real, "x", paired=True), measure_frechet(changed, real, "x")
    assert pairs.value == strangers.value
    assert pairs.high - pairs.low < 0.2 * (strangers.high - strangers.low)
    assert -0.1 * pairs.value < pairs.infinity <= pairs.value


def test_answers_to_one_question_are_not_independent() -> None:
    """Each clip four times over: as sure as the clips once, and not twice as sure."""
    random = torch.Generator().manual_seed(1)
    clips = [torch.randn(4, 8, generator=random) for _ in range(40)]
    real = [torch.randn(4, 8, generator=random) for _ in range(2000)]
    once = measure_frechet(clips, real, "x")
    fourfold = [clip for clip in clips for _ in range(4)]
    items = [number for number in range(40) for _ in range(4)]
    grouped, apart = measure_frechet(fourfold, real, "x", items), measure_frechet(fourfold, real, "x")
    assert grouped.high - grouped.value == pytest.approx(once.high - once.value, rel=0.25)
    assert apart.high - apart.value < 0.7 * (grouped.high - grouped.value)
