"""Sound in and out, and the only definition of the mel spectrogram.

The mel is BigVGAN's (Lee et al. 2023), so that its vocoders fit: 64 frames are exactly 32,768 samples.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soxr
import torch
from jaxtyping import Complex, Float, Int16
from torch import Tensor
from torch.nn.functional import fold, pad

from clipsonic.config import HOP_LENGTH, LOG_MEL_FLOOR, LOG_MEL_TOP, N_FFT, N_MELS, SAMPLE_RATE
from clipsonic.errors import UserError
from clipsonic.sound_files import decode

MAX_PEAK = (
    16.0  # 24 dB above full scale: float files may have headroom; integers taken for floats reach further
)
MAX_CHANNELS = 8
CANCELLED = 1 / 32  # share of the channels' energy
EDGE = (N_FFT - HOP_LENGTH) // 2  # samples mirrored at each end, so that frames = samples / hop


class Recording(NamedTuple):
    """A mono wave, and what was done to make it one that its reader should know."""

    wave: Float[Tensor, "samples"]
    note: str | None = None


def read_recording(path: Path, sample_rate: int = SAMPLE_RATE) -> Recording:
    """Load a sound file of any rate and channel count as mono; full scale is 1.

    Channels are averaged, unless they cancel each other (see `mixed_down`).

    Raises:
        UserError: the file is missing, is not sound, or `check_samples` refuses its samples.
    """
    channels, rate = decode(path)
    check_samples(channels, str(path))
    mono, cancelled = mixed_down(channels)
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate)
    note = f"{path}: the channels cancel each other; only the louder one is used" if cancelled else None
    return Recording(torch.from_numpy(np.ascontiguousarray(mono, dtype=np.float32)), note)


def read_audio(path: Path, sample_rate: int = SAMPLE_RATE) -> Float[Tensor, "samples"]:
    """Load a sound file as `read_recording` does, without its note."""
    return read_recording(path, sample_rate).wave


def as_waveform(audio: Any, name: str = "audio") -> Recording:
    """Convert samples at 16 kHz to a mono wave of full scale 1.

    Args:
        audio: array, tensor or list: samples (n,), or with channels (c, n) or (n, c), c at most 8. Floats are taken
            as they are; int16 and int32 are divided by their full scale, uint8 as in WAV files (128 is silence).
        name: what messages call it.

    Raises:
        UserError: another shape or type, no samples, or `check_samples` refuses them.
    """
    if isinstance(audio, Tensor):
        audio = audio.detach().cpu()
        audio = (audio.float() if audio.is_floating_point() else audio).numpy()
    try:
        samples = np.asarray(audio)
    except (ValueError, TypeError) as error:
        raise UserError(f"{name} must be an array of samples, got {type(audio).__name__}") from error
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype in (np.int16, np.int32):
        samples = samples / -float(np.iinfo(samples.dtype).min)
    elif not np.issubdtype(samples.dtype, np.floating):
        raise UserError(f"{name} must hold floats, int16, int32 or uint8, got {samples.dtype}")
    if samples.ndim == 2 and samples.shape[0] < samples.shape[1]:
        samples = samples.T
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.ndim != 2 or samples.shape[1] > MAX_CHANNELS or samples.size == 0:
        raise UserError(
            f"{name} must have the shape (samples,), (1, samples) or (samples, 2), got {np.shape(audio)}"
        )
    check_samples(samples, name)
    mono, cancelled = mixed_down(samples.astype(np.float32))
    note = f"{name}: the channels cancel each other; only the louder one is used" if cancelled else None
    return Recording(torch.from_numpy(np.ascontiguousarray(mono)), note)


def check_samples(samples: Float[np.ndarray, "*shape"], name: str) -> None:
    """Check that samples are numbers on a scale where 1 is full scale, with at most 24 dB of headroom.

    Raises:
        UserError: NaN or infinite samples, or a peak above 16, as samples scaled as integers have.
    """
    if not np.isfinite(samples).all():
        raise UserError(f"{name} holds values that are not numbers (NaN or infinite)")
    peak = float(np.abs(samples).max(initial=0))
    if peak > MAX_PEAK:
        raise UserError(
            f"{name} has samples that reach {peak:.0f}, where 1 is full scale and {MAX_PEAK:g} the most that is "
            "read; divide them by their full scale (32768 for 16 bits)"
        )


def mixed_down(channels: Float[np.ndarray, "samples channels"]) -> tuple[Float[np.ndarray, "samples"], bool]:
    """Average channels => mono, and whether they cancelled each other.

    Where the average keeps less than 1/32 of the channels' mean energy (antiphase stereo keeps none), mono is the
    channel of the most energy instead. A sound on one of eight channels alone keeps 1/8.
    """
    mono = channels.mean(axis=1)
    energies = np.mean(np.square(channels, dtype=np.float64), axis=0)
    if np.mean(np.square(mono, dtype=np.float64)) < CANCELLED * energies.mean():
        return channels[:, energies.argmax()], True
    return mono, False


def from_16_bit(wave: Int16[np.ndarray, "samples"]) -> Float[np.ndarray, "samples"]:
    """Samples as files and data sets hold them => [-1, 1)."""
    return wave.astype(np.float32) / np.float32(32768)


@cache
def mel_filters() -> Float[Tensor, "mels bins"]:
    """Triangular Slaney filters of unit area, power at each of 1,025 frequencies => each of 64 bands."""
    from transformers.audio_utils import mel_filter_bank

    filters = mel_filter_bank(
        num_frequency_bins=N_FFT // 2 + 1,
        num_mel_filters=N_MELS,
        min_frequency=0.0,
        max_frequency=SAMPLE_RATE / 2,
        sampling_rate=SAMPLE_RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(filters.T.astype(np.float32))


def stft(
    wave: Float[Tensor, "b samples"], n_fft: int = N_FFT, hop: int = HOP_LENGTH
) -> Complex[Tensor, "b bins frames"]:
    """Wave => spectra of samples / hop frames; the ends are mirrored."""
    window, edge = torch.hann_window(n_fft, device=wave.device), (n_fft - hop) // 2
    mirrored = pad(wave[:, None], (edge, edge), mode="reflect")[:, 0]
    return torch.stft(mirrored, n_fft, hop, window=window, center=False, return_complex=True)


def istft(
    spectra: Complex[Tensor, "b bins frames"], n_fft: int = N_FFT, hop: int = HOP_LENGTH
) -> Float[Tensor, "b samples"]:
    """Spectra => the wave whose `stft` is nearest in least squares (Griffin and Lim 1984, eq. 6)."""
    window, edge = torch.hann_window(n_fft, device=spectra.device), (n_fft - hop) // 2
    frames = spectra.shape[-1]
    length = (frames - 1) * hop + n_fft

    def overlap_add(pieces: Float[Tensor, "b window frames"]) -> Float[Tensor, "b length"]:
        return fold(pieces, (1, length), (1, n_fft), stride=(1, hop))[:, 0, 0]

    wave = overlap_add(torch.fft.irfft(spectra, n_fft, dim=1) * window[:, None])
    weight = overlap_add((window**2)[None, :, None].expand(1, -1, frames))
    return wave[:, edge:-edge] / weight[:, edge:-edge].clamp(min=1e-8)


def log_mel(wave: Float[Tensor, "b samples"]) -> Float[Tensor, "b mels frames"]:
    """16 kHz wave => natural log of its mel magnitudes, frames = samples / 512.

    Raises:
        UserError: fewer samples than the mirrored edge needs.
    """
    if wave.shape[-1] <= EDGE:
        raise UserError(f"a mel spectrogram needs more than {EDGE} samples, got {wave.shape[-1]}")
    spectra = stft(wave)
    magnitude = (spectra.real**2 + spectra.imag**2 + 1e-9).sqrt()
    mel: Tensor = mel_filters().to(wave.device) @ magnitude
    return mel.log().clamp(min=LOG_MEL_FLOOR)


def to_model_range(mel: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Log-mel => about [-1, 1]: the quietest value is -1."""
    return (mel - LOG_MEL_FLOOR) * (2 / (LOG_MEL_TOP - LOG_MEL_FLOOR)) - 1


def from_model_range(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """About [-1, 1] => log-mel, never below its floor."""
    return ((x + 1) * ((LOG_MEL_TOP - LOG_MEL_FLOOR) / 2) + LOG_MEL_FLOOR).clamp(min=LOG_MEL_FLOOR)
