"""Scores of a clip against its words (the CLAP score) or its picture, in the space of an encoder of both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image

from clipsonic.encoders.base import AudioEncoder, Encoder
from clipsonic.evaluation.embeddings import cut

BATCH = 16  # clips between two reports of progress


def clap_scores(
    encoder: AudioEncoder,
    waves: Sequence[Float[np.ndarray, "samples"]],
    sample_rate: int,
    texts: Sequence[str],
    on_clip: Callable[[int], None] = lambda done: None,
) -> NDArray[np.float64]:
    """Cosine of each clip, heard as a whole, with its text; their mean is the paper's CLAP score.

    Args:
        encoder: whose cosines; those of different encoders are not comparable.
        waves: mono, in [-1, 1].
        texts: one for each wave.
        on_clip: called with the number of clips heard.
    """
    words = dict.fromkeys(texts)
    rows = encoder.encode_text(list(words)).double().cpu()
    place = {text: row for row, text in enumerate(words)}
    scores: list[float] = []
    for first in range(0, len(waves), BATCH):
        heard = encoder.encode_audio(waves[first : first + BATCH], sample_rate).double().cpu()
        said = rows[[place[text] for text in texts[first : first + BATCH]]]
        scores += (heard * said).sum(1).tolist()
        on_clip(len(scores))
    return np.array(scores)


def picture_scores(
    eye: Encoder,
    ear: AudioEncoder,
    pictures: Sequence[Image.Image],
    waves: Sequence[Float[np.ndarray, "samples"]],
    sample_rate: int,
) -> NDArray[np.float64]:
    """Cosine of each clip, heard as a whole, with its picture, all of them in memory at once.

    Args:
        eye: the half of a model of pictures, sounds and words that sees, such as `PEAVAudioEncoder.pictures`.
        ear: the half of the same model that hears.
        pictures: one for each wave.
        waves: mono, in [-1, 1].
    """
    seen, heard = (
        eye.encode_image(pictures).double().cpu(),
        ear.encode_audio(waves, sample_rate).double().cpu(),
    )
    return np.array((seen * heard).sum(1).tolist())


@dataclass(frozen=True)
class SlidingScore:
    """The CLAP scores of a long clip's windows, Table 5 of the paper."""

    max: float
    mean: float
    min: float


def sliding_scores(
    encoder: AudioEncoder,
    wave: Float[np.ndarray, "samples"],
    sample_rate: int,
    text: str,
    window_seconds: float = 4.0,
    hop_seconds: float = 0.5,
) -> SlidingScore:
    """How well the best, the mean and the worst window of a clip fit the text; a shorter clip is one window."""
    pieces = cut(wave, sample_rate, window_seconds, hop_seconds)
    scores = clap_scores(encoder, pieces, sample_rate, [text] * len(pieces))
    return SlidingScore(float(scores.max()), float(scores.mean()), float(scores.min()))
