import pytest
import torch

from clipsonic.audio import log_mel, mel_filters
from clipsonic.config import CROP_SAMPLES, LOG_MEL_FLOOR, SAMPLE_RATE
from clipsonic.vocoder.griffin_lim import GriffinLim, unfold_bands


def chord(samples: int = CROP_SAMPLES) -> torch.Tensor:
    time = torch.arange(samples) / SAMPLE_RATE
    waves = [0.2 * torch.sin(2 * torch.pi * hertz * time) for hertz in (300, 1000, 2500)]
    noise = 0.05 * torch.randn(samples, generator=torch.Generator().manual_seed(0))
    return (sum(waves) + noise)[None]


def test_512_samples_a_frame() -> None:
    mel = log_mel(chord())
    for frames in (2, 7, 64):
        assert GriffinLim(iterations=2)(mel[..., :frames]).shape == (1, 512 * frames)


def test_the_wave_has_the_mel_it_was_made_from() -> None:
    mel = log_mel(chord())
    again = log_mel(GriffinLim()(mel))
    shuffled = mel[:, torch.randperm(64, generator=torch.Generator().manual_seed(0))]
    assert (again - mel).abs().mean() < 0.5 * (
        again - shuffled
    ).abs().mean()  # the other bands, as a yardstick


def test_a_loud_mel_is_not_cut_at_full_scale() -> None:
    wave = GriffinLim(iterations=8)(log_mel(5 * chord()))
    assert wave.abs().max() > 1.5


def test_more_rounds_come_nearer() -> None:
    mel = log_mel(chord())
    error = [(log_mel(GriffinLim(iterations)(mel)) - mel).abs().mean() for iterations in (1, 8, 64)]
    assert error[0] > error[1] > error[2]


def test_a_sine_keeps_its_pitch() -> None:
    time = torch.arange(CROP_SAMPLES) / SAMPLE_RATE
    wave = GriffinLim()(log_mel(0.5 * torch.sin(2 * torch.pi * 1000 * time)[None]))
    loudest = torch.fft.rfft(wave[0]).abs().argmax() * SAMPLE_RATE / CROP_SAMPLES
    assert loudest == pytest.approx(1000, abs=40)  # a band is 40 Hz wide there


def test_silence_in_silence_out() -> None:
    wave = GriffinLim()(torch.full((1, 64, 64), LOG_MEL_FLOOR))
    assert torch.isfinite(wave).all()
    assert wave.abs().max() < 1e-3


def test_a_clip_does_not_depend_on_its_batch() -> None:
    mel = log_mel(chord())
    other = log_mel(torch.randn(3, CROP_SAMPLES, generator=torch.Generator().manual_seed(1)))
    vocoder = GriffinLim(iterations=8)
    torch.testing.assert_close(vocoder(torch.cat([other, mel]))[3:], vocoder(mel), atol=1e-3, rtol=0)


def test_unfolded_bands_fold_back() -> None:
    filters = mel_filters()
    true = torch.rand(1, filters.shape[1], 5, generator=torch.Generator().manual_seed(0))
    mel = filters @ true
    found = unfold_bands(mel, filters)
    assert (found >= 0).all()
    torch.testing.assert_close(filters @ found, mel, rtol=0.02, atol=1e-4)


def test_saves_and_loads(tmp_path) -> None:
    GriffinLim(iterations=3).save_pretrained(tmp_path)
    assert GriffinLim.from_pretrained(tmp_path).iterations == 3
