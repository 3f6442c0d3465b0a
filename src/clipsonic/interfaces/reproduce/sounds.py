"""Which sounds the report plays: answers of every system to the same labels, and those nearest to training."""

from pathlib import Path
from typing import Any

from clipsonic.audio import from_16_bit
from clipsonic.config import SAMPLE_RATE
from clipsonic.data.dataset import ClipDataset
from clipsonic.evaluation.audio_files import AudioFile, find_audio, read_clip
from clipsonic.interfaces.report.page import Clip, Pair, Players, clip
from clipsonic.interfaces.reproduce.controls import ANSWER
from clipsonic.interfaces.reproduce.steps import Steps

LABELS = 12  # at most, to listen to
PAIRS = 2  # nearest ones shown of each system


def players(steps: Steps, pages: dict[str, dict[str, Any]]) -> Players:
    """The first clip of each label, of every system: of the labels that were asked about first, if there are many.

    Args:
        pages: scores by name of the system.
    """
    labels = list(dict.fromkeys(question.label for question in steps.questions(steps.preset.clips)))
    rows: dict[str, list[Clip | None]] = {label: [] for label in sorted(labels[:LABELS])}
    for name, page in pages.items():
        files = [file for file in find_audio(answers(steps, name)) if file.name not in page["skipped"]]
        of_label: dict[str | None, AudioFile] = {file.label: file for file in reversed(files)}
        for label, row in rows.items():
            file = of_label.get(label)
            row.append(clip(f"{label}, {name}", read_clip(file.path).numpy()[:ANSWER]) if file else None)
    cut = (
        f"{LABELS} of the {len(labels)} labels, those that were asked about first."
        if len(labels) > LABELS
        else ""
    )
    return Players(list(pages), list(rows.items()), cut)


def pairs(steps: Steps, name: str, page: dict[str, Any]) -> list[Pair]:
    """The generated clips nearest to the training set, and what they are near to."""
    training = ClipDataset(steps.data, {"train"})
    by_key = {entry.key: number for number, (_, entry) in enumerate(training.clips)}
    found = []
    for near in sorted(page["nearest"]["clips"], key=lambda each: each["distance"])[:PAIRS]:
        made = read_clip(answers(steps, name) / near["file"]).numpy()[:ANSWER]
        start = round(near["at"] * SAMPLE_RATE)
        wave = from_16_bit(training.wave(by_key[near["nearest"]])[start : start + len(made)])
        found.append(Pair(name, near["distance"], clip(near["file"], made), clip(near["nearest"], wave)))
    return found


def answers(steps: Steps, name: str) -> Path:
    """Where a system's sounds are."""
    return steps.brought.answers.get(name) or steps.folder(f"answers/{name}")
