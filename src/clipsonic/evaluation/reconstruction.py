"""How much of a recording survives mel and vocoder: the last row of Table 1, the ceiling of every system."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipsonic.audio import log_mel
from clipsonic.config import HOP_LENGTH, SAMPLE_RATE
from clipsonic.encoders.base import AudioEncoder
from clipsonic.evaluation.bootstrap import Mean, bootstrap_mean
from clipsonic.evaluation.embeddings import SoundEmbedding
from clipsonic.evaluation.frechet import Frechet, measure_frechet
from clipsonic.evaluation.scores import clap_scores
from clipsonic.vocoder.base import Vocoder
from clipsonic.vocoder.discriminators import RESOLUTIONS
from clipsonic.vocoder.losses import mel_loss, multi_resolution_stft_distance
from clipsonic.vocoder.streaming import vocode

LONGEST_FFT = max(fft for fft, _, _ in RESOLUTIONS)


@dataclass(frozen=True)
class Reconstruction:
    """One vocoder on all recordings; None where it was not asked for or no recording has words."""

    vocoder: str
    mel: Mean  # L1 of natural-log mels, real and made again
    stft: Mean  # multi-resolution STFT distance
    frechet: Frechet | None  # between the real recordings and the made ones
    score: Mean | None  # CLAP score
    stft_less: Mean  # than the first vocoder's, recording by recording
    mel_less: Mean
    times_real_time: float  # seconds of sound a second, over all recordings, on this machine as it was


def measure_reconstruction(
    vocoders: Mapping[str, Vocoder],
    recordings: Sequence[tuple[Float[Tensor, "samples"], str | None]],
    embedding: SoundEmbedding | None = None,
    scorer: AudioEncoder | None = None,
    on_recording: Callable[[int], None] = lambda done: None,
) -> list[Reconstruction]:
    """Takes every recording through its mel and each vocoder.

    Args:
        vocoders: by name; the first is what the others are compared with.
        recordings: 16 kHz waves and the words each is scored against; cut to whole frames.
        embedding: what the Fréchet distance hears with.
        scorer: what the CLAP score hears with.
        on_recording: called with the number of recordings done.
    """
    real_features: list[Float[Tensor, "n d"]] = []
    distances: dict[str, list[tuple[float, float]]] = {name: [] for name in vocoders}
    features: dict[str, list[Float[Tensor, "n d"]]] = {name: [] for name in vocoders}
    scores: dict[str, list[float]] = {name: [] for name in vocoders}
    spent, heard = dict.fromkeys(vocoders, 0.0), 0
    for done, (wave, words) in enumerate(recordings, 1):
        real = wave[: len(wave) // HOP_LENGTH * HOP_LENGTH]
        heard += len(real)
        if embedding is not None:
            real_features.append(embedding.windows(real, SAMPLE_RATE))
        for name, made, seconds in again(vocoders, real):
            spent[name] += seconds
            distances[name].append(
                (
                    float(mel_loss(real[None], made[None])),
                    float(multi_resolution_stft_distance(real[None], made[None])[0]),
                )
            )
            if embedding is not None:
                features[name].append(embedding.windows(made, SAMPLE_RATE))
            if scorer is not None and words is not None:
                scores[name] += clap_scores(scorer, [made.numpy()], SAMPLE_RATE, [words]).tolist()
        on_recording(done)
    first = np.array(distances[next(iter(vocoders))])
    rows = []
    for name in vocoders:
        mine = np.array(distances[name])
        rows.append(
            Reconstruction(
                vocoder=name,
                mel=_mean(mine[:, 0]),
                stft=_mean(mine[:, 1]),
                frechet=measure_frechet(features[name], real_features, embedding.name, paired=True)
                if embedding
                else None,
                score=_mean(np.array(scores[name])) if scores[name] else None,
                mel_less=_mean(first[:, 0] - mine[:, 0]),
                stft_less=_mean(first[:, 1] - mine[:, 1]),
                times_real_time=heard / SAMPLE_RATE / spent[name],
            )
        )
    return rows


@torch.no_grad()
def again(
    vocoders: Mapping[str, Vocoder], wave: Float[Tensor, "samples"]
) -> Iterator[tuple[str, Float[Tensor, "samples"], float]]:
    """A wave, cut to whole frames, => that of each vocoder, and how many seconds it took to make."""
    mel = log_mel(wave[None, : len(wave) // HOP_LENGTH * HOP_LENGTH])
    for name, vocoder in vocoders.items():
        began = time.perf_counter()
        made = vocode(vocoder, mel.to(vocoder.device))[0].cpu()
        yield name, made, time.perf_counter() - began


def long_enough(wave: Float[Tensor, "samples"]) -> bool:
    """Whether its mel, and the longest spectra it is compared by, can mirror its ends."""
    return len(wave) // HOP_LENGTH * HOP_LENGTH > LONGEST_FFT // 2


def _mean(values: NDArray[np.floating]) -> Mean:
    return bootstrap_mean(values, np.arange(len(values)))
