import numpy as np
import pytest
import soundfile

from clipsonic.data.waves import Waves
from clipsonic.errors import UserError

CROP = 8192


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    (folder / "deep").mkdir(parents=True)
    for number in range(60):
        wave = np.full(20_000, 0.001 * (number + 1), np.float32)
        soundfile.write(folder / "deep" / f"{number:02d}.wav", wave, 16_000)
    (folder / "notes.txt").write_text("no sound")
    return folder


def test_a_folder_is_split_by_file(sounds) -> None:
    train, held = Waves([sounds], False, CROP), Waves([sounds], True, CROP)
    assert len(train) + len(held) == 60
    assert 0 < len(held) < 15
    assert not set(train.names) & set(held.names)
    assert Waves([sounds], False, CROP).id == train.id != held.id


def test_a_list_says_its_split(sounds, tmp_path) -> None:
    (tmp_path / "list.csv").write_text("path,split\nsounds/deep/00.wav,train\nsounds/deep/01.wav,test\n")
    train, held = (Waves([tmp_path / "list.csv"], side, CROP) for side in (False, True))
    assert [name[-6:] for name in train.names] == ["00.wav"]
    assert [name[-6:] for name in held.names] == ["01.wav"]
    assert abs(train[0, 0].mean() - 0.001) < 1e-4
    assert abs(held[0, 0].mean() - 0.002) < 1e-4


def test_a_prepared_data_set(labelled) -> None:
    train, held = Waves([labelled], False, CROP), Waves([labelled], True, CROP)
    assert (len(train), len(held)) == (5, 1)
    assert train[0, 3].shape == (CROP,)


def test_crops_are_a_function_of_their_seed_and_not_silent(tmp_path) -> None:
    wave = np.zeros(200_000, np.float32)
    wave[100_000:] = 0.5
    soundfile.write(tmp_path / "a.wav", wave, 16_000)
    soundfile.write(tmp_path / "b.wav", wave[-1000:], 16_000)
    (tmp_path / "l.csv").write_text("path\na.wav\nb.wav\n")
    waves = Waves([tmp_path / "l.csv"], False, CROP)
    crops = [waves[0, seed] for seed in range(40)]
    assert np.array_equal(crops[3], waves[0, 3])
    assert sum(crop.max() > 0 for crop in crops) > 35  # half of them, drawn once
    short = waves[1, 0]
    assert (short[:1000] > 0.4).all()
    assert not short[1000:].any()


def test_nothing_to_train_on_is_told(tmp_path) -> None:
    with pytest.raises(UserError, match="no recordings to train on"):
        Waves([tmp_path], False, CROP)
    with pytest.raises(UserError, match="neither a prepared data set"):
        Waves([tmp_path / "gone"], False, CROP)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"path\nWei\xdfe.wav\n", "UTF-8"), (b"label\na.wav\n", "column named 'path'")],
)
def test_a_list_that_is_none(tmp_path, content, said) -> None:
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(UserError, match=said):
        Waves([tmp_path / "list.csv"], False, CROP)
