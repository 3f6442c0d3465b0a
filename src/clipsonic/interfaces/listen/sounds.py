"""Sounds of any system => clips that differ in nothing but what is to be heard: one rate, one loudness."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from jaxtyping import Float
from PIL import Image

from clipsonic.audio import read_recording
from clipsonic.data.pictures import open_picture
from clipsonic.errors import UserError
from clipsonic.loudness import integrated_loudness, within_full_scale
from clipsonic.sound_files import sample_rate_of

FASTEST = 48_000  # Hz; what is faster is resampled
CEILING = -1.0  # dB of full scale that no true peak exceeds
FLOOR = -36.0  # LUFS below which all clips are not taken for the sake of one with high peaks
SILENCE = -70.0  # LUFS and less is left as it is
FADE = 0.01  # seconds at a cut
SHORTEST = 0.1  # seconds
LARGEST_PICTURE = 1024  # pixels of its longer side


@dataclass(frozen=True)
class Levels:
    """How all clips come to one loudness."""

    lufs: float
    decibels: list[float]  # by which each is raised
    notes: list[str]


def common_rate(paths: Sequence[Path]) -> int:
    """The highest sample rate among them, at most 48 kHz: nothing is taken from anyone, and no rate tells a system.

    Raises:
        UserError: a file is no sound.
    """
    return min(FASTEST, max(map(sample_rate_of, paths)))


def read_sound(path: Path, sample_rate: int, seconds: float | None) -> Float[np.ndarray, "samples"]:
    """Load a sound file as mono at a sample rate, cut to a number of seconds.

    Raises:
        UserError: it is shorter than 0.1 s, or `read_recording` refuses it.
    """
    return _read(path, sample_rate, seconds)[0]


def _read(
    path: Path, sample_rate: int, seconds: float | None
) -> tuple[Float[np.ndarray, "samples"], str | None]:
    wave, note = read_recording(path, sample_rate)
    mono = wave.numpy()
    if len(mono) < SHORTEST * sample_rate:
        raise UserError(f"{path} has {len(mono) / sample_rate:.3f} s of sound; {SHORTEST} s are needed")
    if seconds is not None and len(mono) > (most := round(seconds * sample_rate)):
        mono, fade = mono[:most].copy(), min(most, round(FADE * sample_rate))
        mono[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return mono, note


def match(
    paths: Sequence[Path],
    sample_rate: int,
    seconds: float | None,
    lufs: float,
    on_clip: Callable[[int], None] = lambda done: None,
) -> Levels:
    """Measures all clips => one loudness that each can take without its true peaks passing -1 dB.

    That is `lufs`, or what the clip with the highest peaks allows, but no less than -36.

    Raises:
        UserError: no level for sounds, or a file cannot be used.
    """
    if not FLOOR <= lufs <= -10:
        raise UserError(f"the loudness is {lufs} LUFS; it goes from {FLOOR:g} to -10")
    measured, notes = [], []
    for number, path in enumerate(paths, 1):
        wave, note = _read(path, sample_rate, seconds)
        notes += [] if note is None else [note]
        measured.append((integrated_loudness(wave, sample_rate), true_peak(wave, sample_rate)))
        on_clip(number)
    reach = [loudness - peak + CEILING for loudness, peak in measured if loudness > SILENCE]
    level = max(FLOOR, min([lufs, *reach]))
    decibels, low = [], 0
    for path, (loudness, peak) in zip(paths, measured, strict=True):
        silent = loudness <= SILENCE
        gain = 0.0 if silent else min(level - loudness, CEILING - peak)
        decibels.append(round(gain, 2))
        low += not silent and gain < level - loudness - 0.5
        if silent:
            notes.append(f"{path} is silent")
    if level < lufs - 0.05:
        notes.append(
            f"all clips are at {level:.1f} LUFS and not at {lufs:g}: the peaks of some allow no more"
        )
    if low:
        notes.append(
            f"{low} clips are quieter than the others by more than 0.5 dB: their peaks allow no more"
        )
    return Levels(round(level, 2), decibels, notes)


def true_peak(wave: Float[np.ndarray, "samples"], sample_rate: int) -> float:
    """The largest value between samples too, dB of full scale: at four times the rate, as ITU-R BS.1770 has it."""
    finer = soxr.resample(np.pad(wave, sample_rate // 100), sample_rate, 4 * sample_rate)
    return float(20 * np.log10(max(1e-9, np.abs(finer).max(), np.abs(wave).max())))


def raised(wave: Float[np.ndarray, "samples"], decibels: float) -> Float[np.ndarray, "samples"]:
    """A wave so much louder."""
    return (wave * np.float32(10 ** (decibels / 20))).clip(-1, 1)


def write_clip(path: Path, wave: Float[np.ndarray, "samples"], sample_rate: int) -> None:
    """A wave => FLAC of 16 bits, without a word of where it is from; a browser plays it."""
    soundfile.write(path, within_full_scale(wave), sample_rate, format="FLAC", subtype="PCM_16")


def setup_sound(sample_rate: int, lufs: float) -> Float[np.ndarray, "samples"]:
    """Three seconds of pink noise, swelling three times, as loud as the clips: to set the volume by."""
    samples = 3 * sample_rate
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / sample_rate)
    pink = np.fft.irfft(spectrum * ((hertz > 80) / np.sqrt(hertz.clip(1))), samples)
    swell = np.sin(np.pi * 3 * np.arange(samples) / samples) ** 2
    wave = (pink * swell / np.abs(pink).max() * 0.3).astype(np.float32)
    gain = min(lufs - integrated_loudness(wave, sample_rate), CEILING - true_peak(wave, sample_rate))
    return raised(wave, gain)


def write_picture(path: Path, source: Path) -> None:
    """A picture => a JPEG, upright and not larger than a screen, without its metadata.

    Raises:
        UserError: it is no picture.
    """
    with open_picture(source) as picture:
        rgba = picture.convert("RGBA")
    page = Image.new("RGB", rgba.size, "white")
    page.paste(rgba, mask=rgba.getchannel("A"))
    page.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
    page.save(path, "JPEG", quality=90)
