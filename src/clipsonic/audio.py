"""Sound in and out, and the only definition of the mel spectrogram.

The mel is BigVGAN's (Lee et al. 2023), so that its vocoders fit: 64 frames are exactly 32,768 samples.
"""

from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from jaxtyping import Complex, Float, Int16
from torch import Tensor
from torch.nn.functional import fold, pad

from clipsonic.config import HOP_LENGTH, LOG_MEL_FLOOR, LOG_MEL_TOP, N_FFT, N_MELS, SAMPLE_RATE
from clipsonic.errors import UserError

EDGE = (N_FFT - HOP_LENGTH) // 2  # samples mirrored at each end, so that frames = samples / hop


def read_audio(path: Path) -> Float[Tensor, "samples"]:
    """A sound file of any rate and channel count => 16 kHz mono in [-1, 1].

    Raises:
        UserError: the file is missing or is not sound.
    """
    try:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise UserError(f"{path} cannot be read as sound: {error}") from error
    mono = soxr.resample(wave.mean(axis=1), rate, SAMPLE_RATE)
    return torch.from_numpy(np.ascontiguousarray(mono, dtype=np.float32))


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
