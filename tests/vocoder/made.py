"""Vocoders of random weights that all have a part in the wave."""

from benchmarks.parity.weights import seeded

from clipsonic.settings.vocoder import BigVGANSettings
from clipsonic.vocoder.bigvgan import BigVGAN
from clipsonic.vocoder.fourier import FourierVocoder


def bigvgan(settings: BigVGANSettings, **changes: object) -> BigVGAN:
    vocoder = BigVGAN(**(settings.model_dump() | changes)).eval()
    weights = vocoder.state_dict()
    drawn = {name: 0.7 * value if value.dim() == 3 else value for name, value in seeded(weights).items()}
    vocoder.load_state_dict({name: weights[name] if "filter" in name else drawn[name] for name in weights})
    return vocoder


def fourier(**shape: int) -> FourierVocoder:
    vocoder = FourierVocoder(**shape).eval()
    drawn = seeded(vocoder.state_dict())
    # Blocks of full weight, which random ones of scale 0.1 are not.
    vocoder.load_state_dict({name: 1 + value if "scale" in name else value for name, value in drawn.items()})
    return vocoder
