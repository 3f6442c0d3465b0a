import librosa
import numpy as np
import pytest
import soundfile
import torch

from clipsonic.audio import (
    EDGE,
    from_model_range,
    istft,
    log_mel,
    mel_filters,
    read_audio,
    stft,
    to_model_range,
)
from clipsonic.config import CROP_FRAMES, CROP_SAMPLES, HOP_LENGTH, LOG_MEL_FLOOR, N_FFT, N_MELS, SAMPLE_RATE
from clipsonic.errors import UserError


def noise(samples: int) -> torch.Tensor:
    return torch.randn(1, samples, generator=torch.Generator().manual_seed(0)) * 0.1


def test_64_frames_are_exactly_32768_samples() -> None:
    assert CROP_SAMPLES == 32_768
    assert log_mel(noise(32_768)).shape == (1, N_MELS, CROP_FRAMES)
    assert log_mel(noise(65_536)).shape == (1, 64, 128)


def test_equals_librosa() -> None:
    wave = noise(CROP_SAMPLES)
    mirrored = np.pad(wave[0].numpy().astype(np.float64), EDGE, mode="reflect")
    spectrum = np.abs(librosa.stft(mirrored, n_fft=N_FFT, hop_length=HOP_LENGTH, center=False))
    filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=N_MELS, norm="slaney", htk=False)
    theirs = np.log(np.maximum(filters @ np.sqrt(spectrum**2 + 1e-9), 1e-5))
    np.testing.assert_allclose(log_mel(wave)[0].numpy(), theirs, atol=1e-4)


@pytest.mark.parametrize("hertz", [250, 1000, 3000])
def test_a_sine_peaks_in_its_band(hertz: int) -> None:
    time = torch.arange(CROP_SAMPLES) / SAMPLE_RATE
    mel = log_mel(0.5 * torch.sin(2 * torch.pi * hertz * time)[None])[0]
    frequencies = torch.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1)
    filters = mel_filters()
    centres = (filters * frequencies).sum(1) / filters.sum(1)
    loudest = mel.mean(1).argmax()
    assert loudest == (centres - hertz).abs().argmin()


def test_silence_is_the_floor() -> None:
    # sqrt(1e-9) is left of silence in each bin; the filters keep it above the clamp only in the lowest bands.
    mel = log_mel(torch.zeros(1, CROP_SAMPLES))
    assert mel.max() < -9.5
    assert mel.min() >= LOG_MEL_FLOOR


def test_model_range_goes_there_and_back() -> None:
    mel = torch.linspace(LOG_MEL_FLOOR, 3.5, 50)
    x = to_model_range(mel)
    assert x.min() == pytest.approx(-1)
    assert x.max() == pytest.approx(1)
    torch.testing.assert_close(from_model_range(x), mel)


def test_istft_undoes_stft() -> None:
    wave = noise(CROP_SAMPLES)
    torch.testing.assert_close(istft(stft(wave)), wave, atol=1e-5, rtol=0)


def test_too_short_is_refused() -> None:
    with pytest.raises(UserError, match="more than 768"):
        log_mel(torch.zeros(1, EDGE))


def test_read_audio_resamples_and_mixes_down(tmp_path) -> None:
    time = np.arange(48_000) / 48_000
    stereo = np.stack([np.sin(2 * np.pi * 440 * time), np.zeros_like(time)], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, 48_000)
    wave = read_audio(tmp_path / "a.wav")
    assert wave.shape == (SAMPLE_RATE,)
    assert wave[2000:-2000].abs().max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("content", [None, b"", b"no sound"])
def test_read_audio_refuses_what_is_no_sound(tmp_path, content) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.wav"):
        read_audio(path)
