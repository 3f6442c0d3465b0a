"""Levels: the standard's own test signal, and what stays as it is."""

import numpy as np
import pytest

from clipsonic.errors import UserError
from clipsonic.loudness import HIGHEST, at_loudness, at_peak, integrated_loudness

RATE = 16_000


def sine(level: float, seconds: float = 3.0, hertz: float = 997.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def test_a_full_sine_of_1_khz_is_at_minus_3_lufs() -> None:
    """ITU-R BS.1770-4: 0 dB of full scale, 997 Hz, one channel: -3.01."""
    assert integrated_loudness(sine(1.0), RATE) == pytest.approx(-3.01, abs=0.05)
    assert integrated_loudness(sine(0.1), RATE) == pytest.approx(-23.01, abs=0.05)


def test_a_sound_shorter_than_a_block_is_measured_too() -> None:
    assert integrated_loudness(sine(0.1, seconds=0.1), RATE) == pytest.approx(-23.0, abs=0.5)


@pytest.mark.parametrize("lufs", [-40.0, -23.0, -16.0])
def test_loudness_is_what_was_asked(lufs) -> None:
    found = at_loudness(sine(0.3), RATE, lufs)
    assert integrated_loudness(found, RATE) == pytest.approx(lufs, abs=0.05)


def test_peaks_bound_what_can_be_raised() -> None:
    click = np.zeros(RATE, np.float32)
    click[5000:5010] = 0.2
    assert np.abs(at_loudness(click, RATE, -5.0)).max() == pytest.approx(HIGHEST, rel=1e-5)
    assert np.abs(at_peak(click, -6.0)).max() == pytest.approx(0.5012, abs=1e-3)


def test_silence_stays_silence() -> None:
    silence = np.zeros(RATE, np.float32)
    assert not at_loudness(silence, RATE, -23.0).any()
    assert not at_peak(silence, -1.0).any()


@pytest.mark.parametrize("level", [3.0, float("nan"), -200.0])
def test_no_levels(level) -> None:
    with pytest.raises(UserError, match="LUFS"):
        at_loudness(sine(0.1), RATE, level)
    with pytest.raises(UserError, match="peak"):
        at_peak(sine(0.1), level)
