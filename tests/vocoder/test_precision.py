"""Silence, loud mels and half precision: never a hum, never what is no number."""

import copy

import pytest
import torch
from benchmarks.parity.weights import noise

from clipsonic.audio import log_mel
from clipsonic.config import LOG_MEL_FLOOR, LOG_MEL_TOP
from clipsonic.model_folder import SHIPPED
from clipsonic.settings.vocoder import BIGVGAN_PRESETS
from clipsonic.vocoder.base import Vocoder
from clipsonic.vocoder.bigvgan import Snake
from clipsonic.vocoder.griffin_lim import GriffinLim
from clipsonic.vocoder.load import load_vocoder
from tests.vocoder.made import bigvgan, fourier

HALVES = (torch.float16, torch.bfloat16)
# Error of the wave against its level; measured: 0.6 % and 4.1 %.
ERRORS = {torch.float16: 0.01, torch.bfloat16: 0.06}


@pytest.fixture(params=["BigVGAN", "Fourier"])
def vocoder(request: pytest.FixtureRequest) -> Vocoder:
    return (
        bigvgan(BIGVGAN_PRESETS["paper-base"], channels=32)
        if request.param == "BigVGAN"
        else fourier(width=64, blocks=4)
    )


@pytest.mark.parametrize("precision", HALVES)
@torch.no_grad()
def test_half_precision_is_near_the_single(vocoder, precision) -> None:
    mel = log_mel(noise("full scale", 2, 512 * 24) / 4)
    wave, half = vocoder(mel), copy.deepcopy(vocoder).to(precision)
    for given in (mel, mel.to(precision)):
        error = half(given) - wave
        assert 0 < error.std() < ERRORS[precision] * wave.std()
    assert vocoder(mel.to(precision)).dtype == half(mel).dtype == torch.float32


@pytest.mark.parametrize("precision", [torch.float32, *HALVES])
@pytest.mark.parametrize("level", [LOG_MEL_TOP, LOG_MEL_TOP + 4, 1e4, float("inf")])
@torch.no_grad()
def test_loud_mels_do_not_overflow(vocoder, precision, level) -> None:
    wave = vocoder.to(precision)(torch.full((1, 64, 9), level))
    assert wave.isfinite().all()
    assert wave.abs().max() > 0.01


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize(("alpha", "beta", "most"), [(0.0, -18.0, 1e-3), (6.0, 0.0, 10.0)])
@torch.no_grad()
def test_snakes_that_half_precision_cannot_compute(precision, alpha, beta, most) -> None:
    """Whose 1 / b is 6e7, or whose angles are 4000: the result is rounded once."""
    snake = Snake(1, True, True)
    snake.alpha.fill_(alpha)
    snake.beta.fill_(beta)
    x = torch.linspace(-most, most, 99, dtype=precision)[None, None]
    torch.testing.assert_close(snake(x), snake(x.float()).to(precision), rtol=0, atol=0)
    torch.testing.assert_close(snake.to(precision)(x), snake(x.float()).to(precision), rtol=0, atol=0)


@torch.no_grad()
def test_silence_in_silence_out_whatever_the_weights() -> None:
    made = fourier(width=32, blocks=2)
    silence = torch.full((1, 64, 9), LOG_MEL_FLOOR)
    # Every frequency as loud as it can be, all meeting in the middle of the window.
    signs = 1 - 2.0 * (torch.arange(257) % 2)
    made.leave.bias += 100 * torch.cat([torch.ones(257), signs, torch.zeros(257)])
    assert made(silence + 1).abs().max() > 0.1
    for precision in (torch.float32, *HALVES):
        wave = copy.deepcopy(made).to(precision)(silence.to(precision))
        assert wave.abs().max() < 4e-4


@torch.no_grad()
def test_the_shipped_vocoder_and_griffin_lim_are_silent_too() -> None:
    for made in (load_vocoder(str(SHIPPED / "mini" / "vocoder")), GriffinLim(iterations=4)):
        assert made(torch.full((1, 64, 9), LOG_MEL_FLOOR)).abs().max() < 1e-3


@torch.no_grad()
def test_bigvgan_of_a_silent_mel_is_sound() -> None:
    """That it is silent is what training brings: its biases alone make a wave."""
    made = bigvgan(BIGVGAN_PRESETS["paper-base"], channels=32)
    wave = made(torch.full((1, 64, 9), LOG_MEL_FLOOR))
    assert wave.isfinite().all()
    assert wave.abs().max() <= 1
