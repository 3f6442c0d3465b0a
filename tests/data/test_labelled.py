"""Crops of labelled sounds: where they lie, how often each label comes, and that a place in a run is one draw."""

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.labelled import Draw, LabelDraws, LabelledCrops
from clipsonic.errors import UserError
from tests.labelled_sounds import made, tone


@pytest.fixture
def folder(tmp_path) -> Path:
    late = np.concatenate([np.zeros(3 * SAMPLE_RATE, "f4"), tone(510, 1)])
    clips = [("dog", "train", tone(100 * number, 3)) for number in range(1, 6)]
    clips += [("cat", "train", late), ("cow", "test", tone(50, 3)), (None, "train", tone(70, 3))]
    return made(tmp_path / "data", clips)


def test_labels_come_alike_and_each_clip_before_any_again(folder) -> None:
    crops = LabelledCrops(folder, {"train"})
    assert (crops.labels, len(crops)) == (["cat", "cow", "dog"], 6)
    draws = [draw for batch in islice(LabelDraws(crops, (32, 64), 4, seed=1), 5) for draw in batch]
    assert Counter(draw.label for draw in draws) == {0: 10, 2: 10}
    dogs = [draw.clip for draw in draws if draw.label == 2]
    assert sorted(dogs[:5]) == sorted(dogs[5:]) == [0, 1, 2, 3, 4]
    assert dogs[:5] != dogs[5:]
    assert len({draw.seed for draw in draws}) == 20


def test_a_place_in_a_run_is_one_draw(folder) -> None:
    crops = LabelledCrops(folder, {"train"})
    whole = list(islice(LabelDraws(crops, (32, 64), 6, seed=2), 8))
    assert list(islice(LabelDraws(crops, (32, 64), 6, seed=2, step=5), 3)) == whole[5:]
    assert next(iter(LabelDraws(crops, (32, 64), 6, seed=3))) != whole[0]
    parts = [
        next(iter(LabelDraws(crops, (32, 64), 3, seed=2, step=2, rank=rank, processes=2))) for rank in (0, 1)
    ]
    assert parts[0] + parts[1] == whole[2]
    lengths = {draw.samples for batch in whole for draw in batch}
    assert all(len({draw.samples for draw in batch}) == 1 for batch in whole)
    assert len(lengths) > 3
    assert all(length % 512 == 0 and 32 <= length // 512 <= 64 for length in lengths)
    for draw in whole[0]:
        assert np.array_equal(crops[draw][0], crops[draw][0])


def test_crops_lie_where_there_is_sound_and_short_clips_in_silence(folder) -> None:
    crops = LabelledCrops(folder, {"train"}, quiet_crop_db=-10)
    cat = crops.labels.index("cat")
    for seed in range(10):
        wave, label = crops[Draw(cat, 0, SAMPLE_RATE // 4 * 2, seed)]
        assert label == cat
        assert np.abs(wave).max() > 0.2
    wave, _ = crops[Draw(cat, 0, 6 * SAMPLE_RATE, 0)]
    assert len(wave) == 6 * SAMPLE_RATE
    assert np.count_nonzero(np.abs(wave) > 0.01) == pytest.approx(SAMPLE_RATE, rel=0.05)


def test_what_is_mixed_in_lies_below(folder) -> None:
    """Another dog by 0 to 10 dB, a cat by 20 to 40 dB."""
    plain, mixed = (LabelledCrops(folder, {"train"}, quiet_crop_db=-10, mixed=mixed) for mixed in (0.0, 1.0))
    dog = plain.labels.index("dog")
    ratios = []
    for seed in range(80):
        draw = Draw(dog, 0, 2 * SAMPLE_RATE, seed)
        wave = plain[draw][0]
        ratios.append(10 * np.log10(np.mean((mixed[draw][0] - wave) ** 2) / np.mean(wave**2) + 1e-9))
    near, far = [r for r in ratios if r > -15], [r for r in ratios if -45 < r < -15]
    assert min(near) > -10.1
    assert max(near) < 0.1
    assert len(near) > len(far) > 5
    assert max(far) < -19.9


def test_no_labels_are_told(tmp_path) -> None:
    folder = made(tmp_path / "data", [(None, "train", tone(100, 3)), ("dog", "test", tone(100, 3))])
    with pytest.raises(UserError, match="have no labels; prepare them from a CSV"):
        LabelledCrops(folder, {"train"})
