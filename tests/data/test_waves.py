from pathlib import Path

import numpy as np
import pytest
import soundfile

from clipsonic.data.dataset import read_ahead
from clipsonic.data.draws import Draws
from clipsonic.data.waves import Waves, stacked
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


def test_a_folder_spelled_otherwise_is_the_same(sounds, monkeypatch) -> None:
    train = Waves([sounds], False, CROP)
    monkeypatch.chdir(sounds.parent)
    assert Waves([sounds / ".." / "sounds"], False, CROP).id == train.id
    assert Waves([Path("sounds")], False, CROP).id == train.id


def test_a_list_says_its_split(sounds, tmp_path) -> None:
    (tmp_path / "list.csv").write_text("path,split\nsounds/deep/00.wav,train\nsounds/deep/01.wav,test\n")
    train, held = (Waves([tmp_path / "list.csv"], side, CROP) for side in (False, True))
    assert [name[-6:] for name in train.names] == ["00.wav"]
    assert [name[-6:] for name in held.names] == ["01.wav"]
    assert abs(train[0, 0].wave.mean() - 0.001) < 1e-4
    assert abs(held[0, 0].wave.mean() - 0.002) < 1e-4


def test_a_prepared_data_set(labelled) -> None:
    train, held = Waves([labelled], False, CROP), Waves([labelled], True, CROP)
    assert (len(train), len(held)) == (5, 1)
    assert train[0, 3].wave.shape == (CROP,)


def test_crops_are_a_function_of_their_seed_and_not_silent(tmp_path) -> None:
    wave = np.zeros(200_000, np.float32)
    wave[100_000:] = 0.5
    soundfile.write(tmp_path / "a.wav", wave, 16_000)
    soundfile.write(tmp_path / "b.wav", wave[-1000:], 16_000)
    (tmp_path / "l.csv").write_text("path\na.wav\nb.wav\n")
    waves = Waves([tmp_path / "l.csv"], False, CROP)
    crops = [waves[0, seed].wave for seed in range(40)]
    assert np.array_equal(crops[3], waves[0, 3].wave)
    assert sum(crop.max() > 0 for crop in crops) > 35  # half of them, drawn once
    short = waves[1, 0].wave
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


@pytest.fixture
def broken(tmp_path):
    """A folder of two sounds, and two files that are none."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "._0.wav").write_bytes(b"\0\5\x16\7" + bytes(60))
    soundfile.write(folder / "1.wav", np.full(20_000, 0.25, np.float32), 16_000)
    (folder / "2.mp3").write_bytes(b"")
    soundfile.write(folder / "3.wav", np.full(20_000, 0.5, np.float32), 16_000)
    names = ("._0.wav", "1.wav", "2.mp3", "3.wav")
    (tmp_path / "list.csv").write_text("path\n" + "".join(f"broken/{name}\n" for name in names))
    return tmp_path / "list.csv"


def test_the_next_recording_stands_for_one_that_cannot_be_read(broken) -> None:
    waves = Waves([broken], False, CROP)
    batch = stacked([waves[number, 0] for number in range(4)])
    assert batch.wave.mean(1).tolist() == pytest.approx([0.25, 0.25, 0.5, 0.5], abs=1e-3)
    assert [name.rsplit("/", 1)[-1] for name in batch.notes] == ["._0.wav", "2.mp3"]
    assert all(name in why for name, why in batch.notes.items())
    assert not waves[0, 1].notes  # it is told once


def test_no_recording_that_can_be_read_is_one_line(broken) -> None:
    for name in ("1.wav", "3.wav"):
        (broken.parent / "broken" / name).write_bytes(b"no sound")
    with pytest.raises(UserError, match=r"none of the 4 recordings.*\._0\.wav") as caught:
        Waves([broken], False, CROP)[0, 0]
    assert "\n" not in str(caught.value)


def test_a_reader_process_tells_its_error_in_one_line(broken) -> None:
    for name in ("1.wav", "3.wav"):
        (broken.parent / "broken" / name).write_bytes(b"no sound")
    with pytest.raises(UserError) as caught:
        next(read_ahead(Waves([broken], False, CROP), Draws(4, 2, 0, 0), 1, stacked))
    assert str(caught.value).startswith("none of the 4 recordings")
    assert "\n" not in str(caught.value)


def test_headroom_is_scaled_not_clipped(tmp_path) -> None:
    wave = (3 * np.sin(np.arange(20_000) / 5)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 16_000, subtype="FLOAT")
    (tmp_path / "l.csv").write_text("path\na.wav\n")
    read = Waves([tmp_path / "l.csv"], False, CROP).wave(0).numpy()
    np.testing.assert_allclose(read, wave / 3, atol=1e-3)


def test_files_of_a_folder_that_are_no_sound_are_named(sounds) -> None:
    (sounds / "deep" / "a.xyz").touch()
    (line,) = Waves([sounds], False, CROP)[0, 0].notes.values()
    assert "a.xyz" in line and "notes.txt" not in line
