"""What a step of a reproduction costs, before it is taken: counted on networks without weights."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import torch
from torch.utils.flop_counter import FlopCounterMode

from clipsonic.config import CROP_FRAMES, HOP_LENGTH, N_MELS, SAMPLE_RATE
from clipsonic.diffusion.unet import build_unet, predict
from clipsonic.settings.prior import PriorSettings
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS, SpectrogramSettings
from clipsonic.settings.vocoder import BigVGANSettings, VocoderSettings
from clipsonic.vocoder.bigvgan import BigVGAN
from clipsonic.vocoder.discriminators import Discriminators
from clipsonic.vocoder.fourier import FourierVocoder

TRAINED = 3  # forward and backward pass, in forward passes
# Passes through the discriminators a step. Theirs: forward and backward on the real and the made wave, 6. The
# generator's: forward on the real one, forward and back to the input on the made one, 3.
JUDGED = 9
FLAC_SHARE = 0.6  # of 16-bit sound, that FLAC keeps
MEASURED_DIM = 384  # numbers of the condition while the speed is measured
PICTURES = 10  # kept of a clip, at most
GPU = 3.5e13  # operations a second that networks reach on a GPU of 100 TFLOP/s: a third of them, as a rule
# Operations of embedding a picture: two for each weight of ViT-L/14's picture network and each of its 257 tokens;
# twice the published 407 M multiplications of EfficientNet-Lite0 at 224 pixels, and of its second look at 192.
CLIP_PICTURE, MINI_PICTURE = 2 * 303e6 * 257, 2 * 407e6 * (1 + (192 / 224) ** 2)


@dataclass(frozen=True)
class Cost:
    """In the units one budgets with; 0 where it is next to nothing."""

    steps: int = 0
    clips: int = 0
    gigabytes: float = 0.0
    flop: float = 0.0  # floating-point operations
    precision: Literal["auto", "no", "bf16", "fp16"] = "no"  # in which they run, as of `TrainingSettings`

    def hours(self, speed: float) -> float:
        """Return the hours it takes at `speed` floating-point operations a second."""
        return self.flop / speed / 3600

    def __add__(self, other: "Cost") -> "Cost":
        """Return the cost of a step with the work of another step added."""
        return replace(self, flop=self.flop + other.flop)


def data_cost(clips: int, seconds: float, dim: int, mini: bool) -> Cost:
    """A prepared data set: FLAC, embeddings of half precision, and embedding the pictures; not decoding videos."""
    sound = seconds * SAMPLE_RATE * 2 * FLAC_SHARE
    flop = clips * PICTURES * (MINI_PICTURE if mini else CLIP_PICTURE)
    return Cost(clips=clips, gigabytes=clips * (sound + PICTURES * dim * 2) / 1e9, flop=flop)


def spectrogram_cost(settings: SpectrogramSettings, dim: int) -> Cost:
    """Training the U-Net: weights, average and two moments of the optimizer stay on disk."""
    flop, weights = unet_pass(settings, dim, CROP_FRAMES)
    training = settings.training
    examples = training.steps * training.batch_size
    flop *= TRAINED * examples
    return Cost(training.steps, examples, 4 * 4 * weights / 1e9, flop, training.precision)


def prior_cost(settings: PriorSettings, dim: int, tokens: int) -> Cost:
    """Training a prior."""
    flop, weights = prior_pass(settings, dim, tokens)
    training = settings.training
    examples = training.steps * training.batch_size
    flop *= TRAINED * examples
    return Cost(training.steps, examples, 4 * 4 * weights / 1e9, flop, training.precision)


def prior_sampling_cost(settings: PriorSettings, dim: int, tokens: int, texts: int) -> Cost:
    """Embeddings of so many texts; a published prior is taken to be as large as one of these settings."""
    flop, _ = prior_pass(settings, dim, tokens)
    return Cost(clips=texts, flop=flop * settings.sampling_steps * settings.candidates * texts)


def prior_pass(settings: PriorSettings, dim: int, tokens: int) -> tuple[float, int]:
    """Return the operations of a forward pass over one text, two a weight and token, and the weights."""
    inner = settings.heads * settings.head_dim
    layer = dim * (2 * inner + 2 * settings.head_dim) + 3 * settings.ff_mult * dim * dim
    weights = settings.depth * layer
    return 2 * weights * (tokens + 4), weights


def vocoder_cost(settings: VocoderSettings) -> Cost:
    """Training a vocoder against its discriminators."""
    training = settings.training
    made, vocoder = vocoder_pass(settings)
    with torch.device("meta"):
        critic = Discriminators(settings.periods, settings.resolutions, settings.discriminator_width)
        judged = count(lambda: critic(torch.zeros(1, settings.segment)))
    weights = sum(weight.numel() for network in (vocoder, critic) for weight in network.parameters())
    examples = training.steps * training.batch_size
    judged_examples = max(0, training.steps - settings.adversarial_after) * training.batch_size
    flop = TRAINED * made * examples + JUDGED * judged * judged_examples
    return Cost(training.steps, examples, 4 * 4 * weights / 1e9, flop, training.precision)


def vocoding_cost(settings: VocoderSettings, clips: int, seconds: float) -> Cost:
    """Recordings through a vocoder."""
    made, _ = vocoder_pass(settings)
    sound = seconds * SAMPLE_RATE
    return Cost(
        clips=clips,
        gigabytes=clips * sound * 2 * FLAC_SHARE / 1e9,
        flop=made * clips * sound / settings.segment,
    )


@cache
def vocoder_pass(settings: VocoderSettings) -> tuple[float, torch.nn.Module]:
    """Return the operations of a forward pass over one training segment, and the network."""
    mel_frames = settings.segment // HOP_LENGTH
    if isinstance(settings.generator, BigVGANSettings):  # too large to be filled with random numbers
        with torch.device("meta"):
            large = BigVGAN(**settings.generator.model_dump())
            return count(lambda: large(torch.zeros(1, N_MELS, mel_frames))), large
    light = FourierVocoder(**settings.generator.model_dump())
    return count(lambda: light(torch.zeros(1, N_MELS, mel_frames))), light


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


@cache
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


def speed_here(precision: str, seconds: float = 1.0) -> float:
    """Measure the floating-point operations a second that mini's U-Net reaches on this machine's processor.

    Args:
        precision: as `TrainingSettings.precision`.
        seconds: repeat for so long, and keep the best.
    """
    settings = SPECTROGRAM_PRESETS["mini"]
    flop, _ = unet_pass(settings, MEASURED_DIM, CROP_FRAMES)
    unet = build_unet(settings.unet, settings.diffusion, MEASURED_DIM).to(memory_format=torch.channels_last)
    x, t = torch.randn(1, 1, N_MELS, CROP_FRAMES), torch.zeros(1, dtype=torch.long)
    condition = torch.randn(1, MEASURED_DIM)
    best, ends = 0.0, time.monotonic() + seconds
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        while best == 0 or time.monotonic() < ends:
            began = time.perf_counter()
            predict(unet, x, t, condition, settings.diffusion.timesteps)
            best = max(best, flop / (time.perf_counter() - began))
    return best
