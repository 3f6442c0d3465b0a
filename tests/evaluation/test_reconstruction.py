"""Reconstruction: a perfect vocoder loses nothing, a deaf one loses everything, and the pairs are compared."""

import numpy as np
import pytest
import torch
from diffusers.configuration_utils import register_to_config

from clipsonic.evaluation.embeddings import AudioEncoderEmbedding
from clipsonic.evaluation.reconstruction import long_enough, measure_reconstruction
from clipsonic.vocoder.base import Vocoder
from clipsonic.vocoder.griffin_lim import GriffinLim
from tests.evaluation.hearing import ToneEncoder, tone


class Known(Vocoder):
    """Gives back a wave that it was told of beforehand, so many times as loud."""

    context_frames = 0

    @register_to_config
    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.louder = torch.nn.Parameter(torch.tensor(gain))
        self.waves: list[torch.Tensor] = []

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        return self.louder * self.waves.pop(0)[None]


def recordings() -> list[tuple[torch.Tensor, str | None]]:
    random = torch.Generator().manual_seed(0)
    return [(torch.randn(40 * 512, generator=random) * 0.1, "noise") for _ in range(4)]


def test_a_vocoder_that_knows_the_wave_loses_nothing() -> None:
    perfect, loud = Known(), Known(gain=2.0)
    waves = recordings()
    perfect.waves, loud.waves = ([wave for wave, _ in waves] for _ in range(2))
    vocoders = {"griffin-lim": GriffinLim(iterations=4), "perfect": perfect, "loud": loud}
    search, best, louder = measure_reconstruction(vocoders, waves)
    assert best.mel.value == best.stft.value == 0
    assert louder.mel.value == pytest.approx(np.log(2), abs=1e-3)
    assert search.stft.value > 0.1
    assert best.stft_less.value == pytest.approx(search.stft.value)
    assert search.mel_less.value == 0
    assert louder.mel_less.value == pytest.approx(search.mel.value - louder.mel.value)
    assert all(row.frechet is None and row.score is None for row in (search, best, louder))


def test_every_measure_over_tones() -> None:
    ear = AudioEncoderEmbedding(ToneEncoder(), 0.5, 0.5)
    waves = [(tone(hertz, seed=seed), f"the sound of {hertz} Hz") for seed in (0, 1) for hertz in (440, 880)]
    perfect = Known()
    perfect.waves = [wave[: len(wave) // 512 * 512] for wave, _ in waves]
    search, best = measure_reconstruction(
        {"griffin-lim": GriffinLim(iterations=2), "perfect": perfect}, waves, ear, ear.encoder
    )
    assert best.frechet.value == pytest.approx(0, abs=1e-9)
    assert search.frechet.value > best.frechet.value
    assert best.score.items == 4
    assert best.score.value > 0.5


def test_what_is_too_short_is_known() -> None:
    shortest = next(samples for samples in range(512, 4096, 512) if long_enough(torch.zeros(samples)))
    assert shortest == 1536
    waves = [(torch.randn(shortest, generator=torch.Generator().manual_seed(0)), None)] * 2
    (row,) = measure_reconstruction({"griffin-lim": GriffinLim(iterations=2)}, waves)
    assert np.isfinite(row.stft.value)
