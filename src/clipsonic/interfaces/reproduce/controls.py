"""Rows of Table 1 that no system makes: real sound, the ceiling, and controls that the measures must tell apart."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clipsonic.audio import from_16_bit
from clipsonic.config import CLIP_SECONDS, SAMPLE_RATE
from clipsonic.data.dataset import ClipDataset
from clipsonic.evaluation.questions import Question, write_index, write_sound
from clipsonic.evaluation.reconstruction import again
from clipsonic.files import whole_folder
from clipsonic.vocoder.base import Vocoder

ANSWER = round(CLIP_SECONDS * SAMPLE_RATE)  # samples
ROWS = {  # name => trained on, asked with, whether it is a control
    "held-out": ("-", "real held-out recordings: what the judge itself hears", False),
    "reconstruction": ("-", "the true mel of the whole recording", False),
    "training": ("-", "training recordings", True),
    "shuffled": ("pictures", "other questions than ZS answered", True),
    "noise": ("-", "nothing: white noise", True),
}


def reconstruction(folder: Path, asked: Sequence[Question], held_out: ClipDataset, vocoder: Vocoder) -> None:
    """Write each recording that is asked about, whole and once, through mel and vocoder: the ceiling."""
    by_key = {clip.key: number for number, (_, clip) in enumerate(held_out.clips)}
    once = list({question.clip: question for question in asked}.values())
    with whole_folder(folder) as aside:
        for number, question in enumerate(once):
            wave = torch.from_numpy(from_16_bit(held_out.wave(by_key[question.clip])))
            (_, made, _) = next(again({"": vocoder}, wave))
            write_sound(aside / f"{number:05d}.flac", made.numpy())
        write_index(aside, once)


def real(folder: Path, asked: Sequence[Question], clips: ClipDataset) -> None:
    """Recordings as they are: each question's own, or of the training set one with its label.

    The first are the yardstick of the measures, the second as good as a model is that has learnt all of them.
    """
    recordings(folder, asked, clips, lambda wave: wave)


def noise(folder: Path, asked: Sequence[Question], held_out: ClipDataset, seed: int) -> None:
    """White noise, each as loud as the recording asked about."""
    random = torch.Generator().manual_seed(seed)

    def hiss(wave: Tensor) -> Tensor:
        return (torch.randn(wave.shape, generator=random) * wave.square().mean().sqrt()).clamp(-1, 1)

    recordings(folder, asked, held_out, hiss)


def shuffled(folder: Path, asked: Sequence[Question], answers: Path, seed: int) -> None:
    """A system's answers, each beside the question of another label; those that cannot be moved are left out."""
    order = sorted(derangement([question.label for question in asked], seed).items())
    with whole_folder(folder) as aside:
        for number, (_, other) in enumerate(order):
            shutil.copy(answers / f"{other:05d}.flac", aside / f"{number:05d}.flac")
        write_index(aside, [replace(asked[place], clip=asked[other].clip) for place, other in order])


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
            wave = torch.from_numpy(from_16_bit(clips.wave(number)))
            start = random.integers(max(1, len(wave) - ANSWER + 1))
            write_sound(aside / f"{len(kept):05d}.flac", change(wave[start : start + ANSWER]).numpy())
            kept.append(replace(question, clip=clips.clips[number][1].key))
        write_index(aside, kept)


def derangement(labels: list[str], seed: int) -> dict[int, int]:
    """Places of labels => the place of another label, no place twice.

    Where more than half of all labels are alike there are too few others: places that would keep theirs are left
    out.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(labels))
    by_label = sorted(order, key=lambda place: labels[place])
    most = max(labels.count(label) for label in set(labels))
    moved = zip(by_label, np.roll(by_label, most), strict=True)
    return {int(place): int(other) for place, other in moved if labels[place] != labels[other]}
