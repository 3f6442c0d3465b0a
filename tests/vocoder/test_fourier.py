"""The light vocoder: shapes, silence, and magnitudes that the mel gives away."""

import pytest
import torch

from clipsonic.audio import istft, log_mel, stft
from clipsonic.config import LOG_MEL_FLOOR, SAMPLE_RATE
from clipsonic.vocoder.fourier import FourierVocoder, band_spread


def vocoder(**shape: int) -> FourierVocoder:
    torch.manual_seed(0)
    return FourierVocoder(**({"width": 32, "blocks": 2} | shape)).eval()


def noise(samples: int, level: float = 0.1) -> torch.Tensor:
    return level * torch.randn(1, samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("upsample", [1, 2, 4, 8])
@pytest.mark.parametrize("frames", [1, 3, 64])
@torch.no_grad()
def test_512_samples_a_frame(upsample, frames) -> None:
    wave = vocoder(upsample=upsample)(torch.full((2, 64, frames), -3.0))
    assert wave.shape == (2, 512 * frames)
    assert wave.isfinite().all()


@torch.no_grad()
def test_a_loud_mel_passes_full_scale_and_is_not_cut() -> None:
    wave = vocoder()(torch.full((1, 64, 8), 3.0))
    assert (wave.abs() > 1).sum() > 10
    assert (wave.abs() == wave.abs().max()).sum() == 1


@torch.no_grad()
def test_silence_stays_silence() -> None:
    wave = vocoder()(torch.full((1, 64, 50), LOG_MEL_FLOOR))
    assert wave.abs().max() < 1e-3


@torch.no_grad()
def test_half_precision_does_not_overflow() -> None:
    for dtype in (torch.float16, torch.bfloat16):
        mel = torch.full((1, 64, 8), 3.5)
        assert vocoder().to(dtype)(mel).isfinite().all()


@torch.no_grad()
def test_a_clip_does_not_depend_on_its_batch() -> None:
    mels = log_mel(torch.cat([noise(8192), noise(8192, 0.01)]))
    made = vocoder()
    torch.testing.assert_close(made(mels)[1:], made(mels[1:]), atol=1e-5, rtol=0)


def test_the_spread_gives_back_white_noise_and_the_place_of_a_sine() -> None:
    wave = noise(64_000)
    short = stft(wave, 512, 128).abs()
    given = band_spread(257) @ log_mel(wave).exp()
    ratio = given.mean((0, 2))[8:-8] / short.mean((0, 2))[8:-8]
    assert ratio.std() / ratio.mean() < 0.15  # the same factor, of the longer window, at every frequency
    seconds = torch.arange(32_768) / SAMPLE_RATE
    sine = torch.sin(2 * torch.pi * 1000 * seconds)[None]
    peak = (band_spread(257) @ log_mel(sine).exp())[0, :, 20].argmax()
    assert abs(peak.item() - 32) <= 1  # 1 kHz is bin 32 of 512


@pytest.mark.parametrize(("n_fft", "hop"), [(512, 128), (2048, 512), (256, 64)])
def test_stft_and_back(n_fft, hop) -> None:
    wave = noise(8192)
    spectra = stft(wave, n_fft, hop)
    assert spectra.shape[-1] == 8192 // hop
    torch.testing.assert_close(istft(spectra, n_fft, hop), wave, atol=1e-4, rtol=0)


def test_parameters_of_the_default() -> None:
    assert sum(weight.numel() for weight in FourierVocoder().parameters()) < 4e6
