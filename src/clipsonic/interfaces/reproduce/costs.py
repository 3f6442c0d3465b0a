"""What a step of a reproduction costs, before it is taken: counted on networks without weights."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from clipsonic.config import CROP_FRAMES, HOP_LENGTH, N_MELS, SAMPLE_RATE
from clipsonic.diffusion.unet import build_unet, predict
from clipsonic.settings.prior import PriorSettings
from clipsonic.settings.spectrogram import SpectrogramSettings
from clipsonic.settings.vocoder import BigVGANSettings, VocoderSettings
from clipsonic.vocoder.bigvgan import BigVGAN
from clipsonic.vocoder.discriminators import Discriminators
from clipsonic.vocoder.fourier import FourierVocoder

TRAINED = 3  # forward and backward pass, in forward passes
# Passes through the discriminators a step. Theirs: forward and backward on the real and the made wave, 6. The
# generator's: forward on the real one, forward and back to the input on the made one, 3.
JUDGED = 9
FLAC_SHARE = 0.6  # of 16-bit sound, that FLAC keeps
PICTURES = 10  # kept of a clip, at most
REACHED = 0.35  # share of the fastest matrix product that a network's step reaches, as a rule


@dataclass(frozen=True)
class Cost:
    """In the units one budgets with; 0 where it is next to nothing."""

    steps: int = 0
    clips: int = 0
    gigabytes: float = 0.0
    flop: float = 0.0  # floating-point operations

    def hours(self, peak: float) -> float:
        """On a machine whose matrix product makes `peak` floating-point operations a second."""
        return self.flop / (peak * REACHED) / 3600


def data_cost(clips: int, seconds: float, dim: int) -> Cost:
    """A prepared data set: FLAC and embeddings of half precision; the pictures' encoder is not counted."""
    sound = seconds * SAMPLE_RATE * 2 * FLAC_SHARE
    return Cost(clips=clips, gigabytes=clips * (sound + PICTURES * dim * 2) / 1e9)


def spectrogram_cost(settings: SpectrogramSettings, dim: int) -> Cost:
    """Training the U-Net: weights, average and two moments of the optimizer stay on disk."""
    flop, weights = unet_pass(settings, dim, CROP_FRAMES)
    training = settings.training
    examples = training.steps * training.batch_size
    return Cost(training.steps, examples, 4 * 4 * weights / 1e9, TRAINED * flop * examples)


def prior_cost(settings: PriorSettings, dim: int, tokens: int) -> Cost:
    """Training a prior: two operations a weight and token."""
    inner = settings.heads * settings.head_dim
    layer = dim * (2 * inner + 2 * settings.head_dim) + 3 * settings.ff_mult * dim * dim
    weights, training = settings.depth * layer, settings.training
    flop = 2 * weights * (tokens + 4) * TRAINED
    examples = training.steps * training.batch_size
    return Cost(training.steps, examples, 4 * 4 * weights / 1e9, flop * examples)


def vocoder_cost(settings: VocoderSettings) -> Cost:
    """Training a vocoder against its discriminators."""
    training = settings.training
    kind: Any = BigVGAN if isinstance(settings.generator, BigVGANSettings) else FourierVocoder
    vocoder = kind(**settings.generator.model_dump())
    critic = Discriminators(settings.periods, settings.resolutions, settings.discriminator_width)
    mel = torch.zeros(1, N_MELS, settings.segment // HOP_LENGTH)
    made = count(lambda: vocoder(mel))
    judged = count(lambda: critic(torch.zeros(1, settings.segment)))
    weights = sum(weight.numel() for network in (vocoder, critic) for weight in network.parameters())
    examples = training.steps * training.batch_size
    judged_examples = max(0, training.steps - settings.adversarial_after) * training.batch_size
    flop = TRAINED * made * examples + JUDGED * judged * judged_examples
    return Cost(training.steps, examples, 4 * 4 * weights / 1e9, flop)


def sampling_cost(settings: SpectrogramSettings, dim: int, clips: int, frames: int) -> Cost:
    """Answers of a system: two passes a step, for guidance."""
    flop, _ = unet_pass(settings, dim, frames)
    passes = 2 * settings.diffusion.sampling_steps
    seconds = frames * HOP_LENGTH / SAMPLE_RATE
    return Cost(
        clips=clips,
        gigabytes=clips * seconds * SAMPLE_RATE * 2 * FLAC_SHARE / 1e9,
        flop=passes * flop * clips,
    )


def unet_pass(settings: SpectrogramSettings, dim: int, frames: int) -> tuple[float, int]:
    """A forward pass over one mel => its operations, and the network's weights."""
    with torch.device("meta"):
        unet = build_unet(settings.unet, settings.diffusion, dim)
        x, t = torch.zeros(1, 1, N_MELS, frames), torch.zeros(1, dtype=torch.long)
        flop = count(lambda: predict(unet, x, t, torch.zeros(1, dim), settings.diffusion.timesteps))
    return flop, sum(weight.numel() for weight in unet.parameters())


def count(action: Callable[[], Any]) -> float:
    """Floating-point operations of whatever it does."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        action()
    return float(counter.get_total_flops())


def matrix_peak(dtype: torch.dtype, seconds: float = 1.0) -> float:
    """Floating-point operations a second of this machine's matrix product, measured."""
    size = 2048
    left, right = torch.randn(size, size, dtype=dtype), torch.randn(size, size, dtype=dtype)
    best, ends = 0.0, time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.perf_counter()
        left @ right
        best = max(best, 2 * size**3 / (time.perf_counter() - began))
    return best
