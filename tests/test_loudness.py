"""Levels: the standard's own test signal, and what stays as it is."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import lfilter

from clipsonic.errors import UserError
from clipsonic.loudness import HIGHEST, at_loudness, at_peak, integrated_loudness

RATE = 16_000


def sine(level: float, seconds: float = 3.0, hertz: float = 997.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def test_a_full_sine_of_1_khz_is_at_minus_3_lufs() -> None:
    """ITU-R BS.1770-4: 0 dB of full scale, 997 Hz, one channel: -3.01."""
    assert integrated_loudness(sine(1.0), RATE) == pytest.approx(-3.01, abs=0.05)
    assert integrated_loudness(sine(0.1), RATE) == pytest.approx(-23.01, abs=0.05)


@pytest.mark.parametrize("pause", [0.0, 2.0])
def test_loudness_is_what_the_standard_computes(pause: float) -> None:
    """ITU-R BS.1770-4 by hand, with its filters for 48 kHz and both gates, for noise with a pause."""
    rate = 48_000
    random = np.random.default_rng(0)
    parts = [
        0.2 * random.standard_normal(3 * rate),
        np.zeros(round(pause * rate)),
        0.02 * random.standard_normal(rate),
    ]
    wave = np.concatenate(parts).clip(-1, 1)
    shelf = (
        (1.53512485958697, -2.69169618940638, 1.19839281085285),
        (1.0, -1.69065929318241, 0.73248077421585),
    )
    high_pass = (1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)
    heard = lfilter(*high_pass, lfilter(*shelf, wave))
    blocks = sliding_window_view(heard, round(0.4 * rate))[:: round(0.1 * rate)]
    power = np.square(blocks).mean(1)
    level = -0.691 + 10 * np.log10(power + 1e-12)
    loud = power[level > -70]
    relative = -0.691 + 10 * np.log10(loud.mean()) - 10
    by_hand = -0.691 + 10 * np.log10(power[(level > -70) & (level > relative)].mean())
    assert integrated_loudness(wave.astype(np.float32), rate) == pytest.approx(by_hand, abs=0.06)
    assert by_hand != pytest.approx(-0.691 + 10 * np.log10(power.mean()), abs=0.5)  # the gates do something


def test_a_sound_shorter_than_a_block_is_measured_too() -> None:
    assert integrated_loudness(sine(0.1, seconds=0.1), RATE) == pytest.approx(-23.0, abs=0.5)


@pytest.mark.parametrize("seconds", [0.4, 0.401, 1.03, 4.096])
@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100])
def test_sounds_of_any_length_are_measured(seconds: float, rate: int) -> None:
    """-20 dB of full scale, 997 Hz: -23.01, whatever is left over of the blocks."""
    times = np.arange(round(seconds * rate)) / rate
    wave = (0.1 * np.sin(2 * np.pi * 997 * times)).astype(np.float32)
    assert integrated_loudness(wave, rate) == pytest.approx(-23.01, abs=0.1)


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


def test_loudness_far_above_full_scale_is_measured() -> None:
    wave = sine(0.3)
    assert integrated_loudness(100 * wave, RATE) == pytest.approx(
        integrated_loudness(wave, RATE) + 40, abs=0.1
    )
