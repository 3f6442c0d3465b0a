"""What every system is asked, and its answers: one clip for each question, in a folder with an index.

A system is asked about held-out clips: with a picture of one, or with words made of its label. The folder of its
answers has the same form as that of any other system's files, so that all are measured alike.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import torch
from jaxtyping import Float
from torch import Tensor

from clipsonic.bridges.training_free import among_pictures
from clipsonic.config import CLIP_SECONDS, SAMPLE_RATE
from clipsonic.data.dataset import ClipDataset
from clipsonic.encoders.base import SOUND_PROMPT
from clipsonic.errors import UserError
from clipsonic.files import whole_file
from clipsonic.loudness import within_full_scale
from clipsonic.pipeline import BATCH, CLIPSonicPipeline

INDEX = "index.csv"  # file, prompt, label, clip
SEEDS = 2**32  # a system's seeds: one range of so many for each seed of the whole


@dataclass(frozen=True)
class Question:
    """A held-out clip to ask about."""

    clip: str  # its key
    label: str
    picture: Float[Tensor, "d"]  # embedding of one of its pictures


def questions(data: ClipDataset, count: int, seed: int = 0) -> list[Question]:
    """So many labelled clips of a data set in random order, each once before any comes again.

    A clip that comes again may do so with another of its pictures.

    Raises:
        UserError: no clip has a label.
    """
    labelled = [number for number, (_, clip) in enumerate(data.clips) if clip.info.label is not None]
    if not labelled:
        raise UserError(f"no clip in {data.folder} has a label: prepare it from a CSV with a column 'label'")
    random = np.random.default_rng(seed)
    chosen: list[Question] = []
    while len(chosen) < count:
        for number in random.permutation(labelled)[: count - len(chosen)]:
            clip, pictures = data.clips[number][1], data.embeddings(int(number))
            picture = torch.from_numpy(pictures[random.integers(len(pictures))])
            chosen.append(Question(clip.key, str(clip.info.label), picture))
    return chosen


@dataclass(frozen=True)
class Asking:
    """How a system is asked.

    Attributes:
        template: around the label, such as "a photo of {}"; None asks with pictures.
        bridge: from the words, or the picture, to the image embedding it is asked with.
        guidance_scale: w.
        steps: of the solver; the model's own number unless told.
        seconds: length of an answer.
        seed: of the whole; every answer has its own.
        score_text: what the CLAP score compares answers with: "sound", "the sound of [label]" for all systems, or
            "query", a system's own words as in the paper; answers to pictures have none and keep "sound".
    """

    template: str | None
    bridge: str = "zs"
    guidance_scale: float = 1.5
    steps: int | None = None
    seconds: float = CLIP_SECONDS
    seed: int = 0
    score_text: Literal["sound", "query"] = "sound"


def answer(
    pipeline: CLIPSonicPipeline,
    asked: Sequence[Question],
    how: Asking,
    folder: Path,
    on_clip: Callable[[int], None] = lambda done: None,
) -> None:
    """Makes a clip for each question, as `00000.flac` and on; the same call goes on where it was stopped.

    An answer depends on its question, its number and `how` alone.

    Args:
        on_clip: called with the number of answers that are there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(asked), BATCH):
        numbers = range(first, min(first + BATCH, len(asked)))
        paths = [folder / f"{number:05d}.flac" for number in numbers]
        if not all(path.exists() for path in paths):
            part = [asked[number] for number in numbers]
            seeds = [torch.Generator().manual_seed(how.seed * SEEDS + number) for number in numbers]
            if how.template is None:
                rows = torch.stack([question.picture for question in part])
                if (over := pipeline.check_bridge(how.bridge)) is not None:
                    rows = among_pictures(over).over(rows.to(over.device))
            else:
                words = [how.template.format(question.label) for question in part]
                rows = pipeline.embed(words, bridge=how.bridge, generators=seeds)
            made = pipeline(
                embedding=rows,
                guidance_scale=how.guidance_scale,
                num_inference_steps=how.steps,
                audio_length_in_s=how.seconds,
                generator=seeds,
            )
            for path, wave in zip(paths, made.audios, strict=True):
                write_sound(path, wave)
        on_clip(numbers[-1] + 1)
    own = how.score_text == "query" and how.template is not None
    write_index(folder, asked, str(how.template) if own else SOUND_PROMPT)


def write_sound(path: Path, wave: Float[np.ndarray, "samples"]) -> None:
    """16 kHz wave in [-1, 1] => a FLAC file."""
    with whole_file(path) as file:
        soundfile.write(file, within_full_scale(wave), SAMPLE_RATE, format="FLAC", subtype="PCM_16")


def write_index(folder: Path, asked: Sequence[Question], template: str = SOUND_PROMPT) -> None:
    """Which file answers what: the text that its sound is scored against, the label and the clip asked about."""
    with whole_file(folder / INDEX) as binary:
        lines = io.TextIOWrapper(binary, "utf-8", newline="", write_through=True)
        table = csv.writer(lines)
        table.writerow(("file", "prompt", "label", "clip"))
        for number, question in enumerate(asked):
            words = template.format(question.label)
            table.writerow((f"{number:05d}.flac", words, question.label, question.clip))
        lines.detach()
