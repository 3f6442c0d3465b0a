"""Rows of Table 1 that no system makes: the ceiling, real sound, and controls that the measures must tell apart."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clipsonic.audio import log_mel
from clipsonic.config import CLIP_SECONDS, SAMPLE_RATE
from clipsonic.data.dataset import ClipDataset
from clipsonic.evaluation.questions import Question, write_index, write_sound
from clipsonic.files import whole_folder
from clipsonic.vocoder.base import Vocoder
from clipsonic.vocoder.streaming import vocode

ANSWER = round(CLIP_SECONDS * SAMPLE_RATE)  # samples


def reconstruction(folder: Path, asked: Sequence[Question], held_out: ClipDataset, vocoder: Vocoder) -> None:
    """Each question's own recording through mel and vocoder: the ceiling."""
    recordings(folder, asked, held_out, lambda wave: vocode(vocoder, log_mel(wave[None]))[0])


def real(folder: Path, asked: Sequence[Question], training: ClipDataset) -> None:
    """Training recordings of the same labels: as good as a model is that has learnt all of them."""
    recordings(folder, asked, training, lambda wave: wave)


def noise(folder: Path, asked: Sequence[Question], held_out: ClipDataset, seed: int) -> None:
    """White noise, each as loud as the recording asked about."""
    random = torch.Generator().manual_seed(seed)

    def hiss(wave: Tensor) -> Tensor:
        return (torch.randn(wave.shape, generator=random) * wave.square().mean().sqrt()).clamp(-1, 1)

    recordings(folder, asked, held_out, hiss)


def shuffled(folder: Path, asked: Sequence[Question], answers: Path, seed: int) -> None:
    """A system's answers, each beside the question of another label."""
    order = derangement([question.label for question in asked], seed)
    with whole_folder(folder) as aside:
        for number, other in enumerate(order):
            shutil.copy(answers / f"{other:05d}.flac", aside / f"{number:05d}.flac")
        write_index(aside, asked)


def recordings(
    folder: Path,
    asked: Sequence[Question],
    clips: ClipDataset,
    change: Callable[[Float[Tensor, "samples"]], Float[Tensor, "samples"]],
) -> None:
    """Crops as long as answers, of each question's own clip or, where `clips` lack it, of one with its label.

    Questions whose label `clips` lack are left out.
    """
    by_key = {clip.key: number for number, (_, clip) in enumerate(clips.clips)}
    by_label: dict[str, list[int]] = {}
    for number, (_, clip) in enumerate(clips.clips):
        by_label.setdefault(str(clip.info.label), []).append(number)
    random = np.random.default_rng(0)
    kept: list[Question] = []
    with whole_folder(folder) as aside:
        for question in asked:
            members = by_label.get(question.label)
            if members is None:
                continue
            number = by_key.get(question.clip, members[random.integers(len(members))])
            wave = torch.from_numpy(clips.wave(number).astype(np.float32) / 32768)
            start = random.integers(max(1, len(wave) - ANSWER + 1))
            write_sound(aside / f"{len(kept):05d}.flac", change(wave[start : start + ANSWER]).numpy())
            kept.append(question)
        write_index(aside, kept)


def derangement(labels: list[str], seed: int) -> list[int]:
    """For each label the number of another place with another label, as different places as can be."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(labels))
    by_label = sorted(order, key=lambda place: labels[place])
    most = max(labels.count(label) for label in set(labels))
    found = [0] * len(labels)
    for place, other in zip(by_label, np.roll(by_label, most), strict=True):
        found[place] = int(other)
    return found
