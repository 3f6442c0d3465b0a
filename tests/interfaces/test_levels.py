"""Levels of the files that are written, and what their metadata says of them."""

import json

import numpy as np
import pytest
import soundfile

from clipsonic.interfaces.writing import Finish, write_clip
from clipsonic.loudness import faded, peak_db, within_full_scale

RATE = 16_000
MEL = np.full((64, 16), -4.0, np.float32)


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(RATE // 2).astype(np.float32)


def test_what_would_pass_full_scale_is_scaled_not_cut(tmp_path, noise) -> None:
    loud = 6 * noise / np.abs(noise).max()
    page = write_clip(tmp_path / "a.wav", loud, MEL, {"query": "noise"})
    wave, _ = soundfile.read(tmp_path / "a.wav")
    assert 20 * np.log10(np.abs(wave).max()) == pytest.approx(-1, abs=0.01)
    assert np.corrcoef(wave, loud)[0, 1] > 0.99999
    assert page == json.loads((tmp_path / "a.json").read_text())
    assert page["gain_db"] == pytest.approx(-1 - 20 * np.log10(6), abs=0.05)
    assert page["peak_db"] == pytest.approx(-1, abs=0.01)


def test_a_quiet_sound_keeps_its_level(noise) -> None:
    quiet = noise / np.abs(noise).max()
    assert within_full_scale(quiet) is quiet


@pytest.mark.parametrize("peak", [None, -1.0, -3.0])
def test_a_lossy_file_stays_below_its_peak_when_decoded(tmp_path, noise, peak) -> None:
    page = write_clip(tmp_path / "a.ogg", noise, MEL, {"query": "noise"}, Finish(peak=peak))
    wave, _ = soundfile.read(tmp_path / "a.ogg", dtype="float32")
    reached = peak_db(wave)
    assert reached is not None and reached <= (0 if peak is None else peak + 0.06)
    assert page["peak_db"] == pytest.approx(reached, abs=0.02)


def test_metadata_has_the_loudness_reached(tmp_path, noise) -> None:
    finish = Finish(lufs=-1.0)
    page = write_clip(tmp_path / "a.wav", noise, MEL, {"query": "noise"}, finish)
    assert page["lufs_requested"] == -1 and page["lufs"] < -5
    assert str(page["lufs"]) in str(finish.missed(page))
    assert Finish(lufs=page["lufs"]).missed(page) is None


def test_fades_end_in_silence_and_leave_the_middle() -> None:
    wave = np.ones(1000, np.float32)
    out = faded(wave, 1000, 0.1)
    assert out[0] < 0.001 and out[-1] < 0.001 and (out[100:900] == 1).all() and (wave == 1).all()
    assert faded(wave, 1000, 0) is wave
    assert np.isfinite(faded(np.ones(3, np.float32), 1000, 5)).all()


def test_a_byte_that_is_no_utf_8_survives_the_metadata(tmp_path, noise) -> None:
    write_clip(tmp_path / "a.wav", noise, MEL, {"query": "🐶 caf\udce9", "images": ["caf\udce9.png"]})
    assert json.loads((tmp_path / "a.json").read_bytes())["images"] == ["caf\udce9.png"]
