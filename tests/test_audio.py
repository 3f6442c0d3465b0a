import struct
from pathlib import Path

import av
import librosa
import numpy as np
import pytest
import soundfile
import torch

from clipsonic.audio import (
    EDGE,
    as_waveform,
    from_model_range,
    istft,
    log_mel,
    mel_filters,
    read_audio,
    read_recording,
    stft,
    to_model_range,
)
from clipsonic.config import CROP_FRAMES, CROP_SAMPLES, HOP_LENGTH, LOG_MEL_FLOOR, N_FFT, N_MELS, SAMPLE_RATE
from clipsonic.errors import UserError
from clipsonic.sound_files import sample_rate_of


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


def tone(level: float = 0.3, samples: int = SAMPLE_RATE) -> np.ndarray:
    return (level * np.sin(2 * np.pi * 440 * np.arange(samples) / SAMPLE_RATE)).astype(np.float32)


def wav(path: Path, samples: np.ndarray, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, SAMPLE_RATE, subtype=subtype)
    return path


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(tmp_path, value) -> None:
    samples = tone()
    samples[500] = value
    path = wav(tmp_path / "nan.wav", samples, "FLOAT")
    with pytest.raises(UserError, match=r"nan\.wav.* not numbers"):
        read_audio(path)
    with pytest.raises(UserError, match=r"audio.* not numbers"):
        as_waveform(samples)


def test_integer_scaled_samples_are_refused_but_headroom_is_not(tmp_path) -> None:
    path = wav(tmp_path / "scaled.wav", tone(0.3) * 32767, "FLOAT")
    with pytest.raises(UserError, match=r"scaled\.wav.* 9830"):
        read_audio(path)
    with pytest.raises(UserError, match=r"audio.* 9830"):
        as_waveform(tone(0.3) * 32767)
    loud = read_audio(wav(tmp_path / "loud.wav", tone(6.0), "FLOAT"))
    assert loud.abs().max() == pytest.approx(6.0, abs=0.01)


@pytest.mark.parametrize(
    ("riff", "data"),
    [(0, 0), (36, 0), (32036, 0), (2**32 - 1, 0), (2**32 - 1, 2**32 - 1), (2**31 - 1, 2**31 - 37)],
)
def test_wav_of_a_pipe_is_read_to_its_end(tmp_path, riff, data) -> None:
    path = wav(tmp_path / "pipe.wav", tone())
    expected = read_audio(path)
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[4:8], content[place : place + 4] = struct.pack("<I", riff), struct.pack("<I", data)
    path.write_bytes(content)
    torch.testing.assert_close(read_audio(path), expected, rtol=0, atol=0)


def test_flac_of_a_pipe_is_read_to_its_end(tmp_path) -> None:
    path = tmp_path / "pipe.flac"
    soundfile.write(path, tone(), SAMPLE_RATE)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)  # the number of samples in STREAMINFO
    path.write_bytes(content)
    assert read_audio(path).shape == (SAMPLE_RATE,)


def test_wav_without_samples_is_refused_even_with_chunks_behind(tmp_path) -> None:
    path = wav(tmp_path / "empty.wav", np.zeros(0, np.float32))
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 4) + b"INFO")
    with pytest.raises(UserError, match=r"empty\.wav.* no samples"):
        read_audio(path)


def test_antiphase_stereo_keeps_the_louder_side(tmp_path) -> None:
    stereo = np.stack([tone(0.3), -tone(0.31)], axis=1)
    recording = read_recording(wav(tmp_path / "antiphase.wav", stereo))
    assert recording.wave.abs().max() == pytest.approx(0.31, abs=0.01)
    assert recording.note is not None
    assert "antiphase.wav" in recording.note
    eight = np.zeros((SAMPLE_RATE, 8), np.float32)
    eight[:, 3] = tone(0.8)
    alone = read_recording(wav(tmp_path / "eight.wav", eight))
    assert alone.note is None
    assert alone.wave.abs().max() == pytest.approx(0.1, abs=0.01)


def test_m4a_is_read(tmp_path) -> None:
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone()[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    wave = read_audio(path)
    assert len(wave) == pytest.approx(SAMPLE_RATE, abs=2048)
    assert wave[4000:-4000].square().mean().sqrt() == pytest.approx(0.3 / 2**0.5, rel=0.05)
    assert sample_rate_of(path) == SAMPLE_RATE


@pytest.mark.parametrize(
    "audio",
    [
        tone(),
        tone()[None],
        tone()[:, None],
        np.stack([tone(), tone()], axis=1),
        np.stack([tone(), tone()]),
        (tone() * 32767).round().astype(np.int16),
        (tone() * (2**31 - 1)).astype(np.int32),
        (tone() * 32767).round().astype(">i2"),
        tone().tolist(),
        tone().astype(np.float64),
        torch.from_numpy(tone())[None],
        torch.from_numpy((tone() * 32767).round().astype(np.int16)),
        torch.from_numpy(tone()).requires_grad_(),
    ],
    ids=lambda audio: f"{type(audio).__name__} {getattr(audio, 'dtype', '')} {np.shape(audio)}",
)
def test_arrays_of_any_layout_become_the_same_wave(audio) -> None:
    wave = as_waveform(audio).wave
    assert wave.dtype == torch.float32
    torch.testing.assert_close(wave, torch.from_numpy(tone()), atol=1e-4, rtol=0)


def test_8_bit_and_half_precision_arrays_are_scaled() -> None:
    assert as_waveform(np.array([128, 255, 0], np.uint8)).wave.tolist() == [0, 127 / 128, -1]
    assert as_waveform(torch.tensor([0.5, -0.25], dtype=torch.bfloat16)).wave.tolist() == [0.5, -0.25]


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        (np.zeros((2, 1, 100), np.float32), r"\(2, 1, 100\)"),
        (np.zeros((20, 30), np.float32), r"\(20, 30\)"),
        (np.zeros(0, np.float32), r"\(0,\)"),
        (np.float32(1), r"\(\)"),
        (np.zeros(100, np.int64), "int64"),
        (np.zeros(100, complex), "complex128"),
        ("a.wav", "<U5"),
        (None, "object"),
        ([[1.0], [1.0, 2.0]], "list"),
    ],
)
def test_arrays_that_are_no_sound_are_refused(audio, said) -> None:
    with pytest.raises(UserError, match=said):
        as_waveform(audio)


def test_a_rate_that_cannot_be_is_refused(tmp_path) -> None:
    soundfile.write(tmp_path / "slow.wav", tone(), 1)
    with pytest.raises(UserError, match=r"slow\.wav.* 1000 Hz"):
        read_audio(tmp_path / "slow.wav")
