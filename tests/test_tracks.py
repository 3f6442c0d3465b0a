"""Conditions over time: each window is under what is seen in it, of its own shot alone."""

import pytest
import torch

from clipsonic.config import FRAMES_PER_SECOND
from clipsonic.errors import UserError
from clipsonic.tracks import Track

DOG, RAIN = torch.eye(4)[0], torch.eye(4)[1]


def track(seconds: float, cut: float | None = None) -> Track:
    times = [0.5 * n for n in range(int(2 * seconds))]
    shots = [0.0] if cut is None else [0.0, cut]
    times = sorted({*times, *shots})
    rows = torch.stack([DOG if cut is None or time < cut else RAIN for time in times])
    return Track(seconds, times, rows, shots)


@pytest.mark.parametrize("cut", [0.1, 3.02, 6.0, 7.77, 15.9])
def test_a_cut_is_where_the_condition_changes(cut: float) -> None:
    frames = 500
    windows, rows = track(16.0, cut).windows(frames, 128, 48)
    share = torch.zeros(2, frames)
    for start, weights, row in zip(windows.starts, windows.weights, rows, strict=True):
        assert row.tolist() in (DOG.tolist(), RAIN.tolist())  # not a mixture
        share[int(row[1]), start : start + windows.length] += weights
    edge = round(cut * FRAMES_PER_SECOND)
    assert (share[0, :edge] > 0.999).all()
    assert (share[1, edge:] > 0.999).all()


def test_a_steady_shot_is_under_one_condition() -> None:
    _, rows = track(60.0).windows(1875, 128, 48)
    assert len(rows) > 10
    torch.testing.assert_close(rows, DOG.expand_as(rows))


def test_words_are_mixed_in_all_the_time() -> None:
    mixed = track(8.0, 4.0).mixed(torch.eye(4)[2:3], [0.6, 0.8])
    torch.testing.assert_close(mixed.embeddings[0], torch.tensor([0.6, 0.0, 0.8, 0.0]))
    torch.testing.assert_close(mixed.embeddings[-1], torch.tensor([0.0, 0.6, 0.8, 0.0]))
    with pytest.raises(UserError, match="cancel"):
        track(8.0).mixed(-DOG[None], [1.0, 1.0])
