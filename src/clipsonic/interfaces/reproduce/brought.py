"""What the user brings to a reproduction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipsonic.errors import UserError
from clipsonic.evaluation.systems import OURS, SYSTEMS
from clipsonic.interfaces.reproduce.controls import ROWS
from clipsonic.interfaces.settings import named_folders

TRAINABLE = (
    "clip-words",
    "clap-words",
    "sd",
    "pd",
)  # what may be trained elsewhere, besides model and vocoder


@dataclass(frozen=True)
class Brought:
    """All of it; what is None is made here."""

    data: Path | None = None  # a prepared data set
    videos: list[Path] = field(default_factory=list)  # or what to prepare one from
    captions: Path | None = None  # pictures to train PD on
    model: str | None = None
    vocoder: str | None = None
    answers: dict[str, Path] = field(default_factory=dict)  # other systems' sounds, by name
    trained: dict[str, Path] = field(default_factory=dict)  # models and priors trained elsewhere, by step
    imagehear: Path | None = None  # folder of ImageHear's pictures


def brought_systems(words: Sequence[str]) -> dict[str, Path]:
    """`NAME=FOLDER`, any number of them => folders by name.

    Raises:
        UserError: one is written otherwise, there is no such folder, or the name is taken.
    """
    taken = {*ROWS, *(system.name for system in (*SYSTEMS, *OURS))}
    found = named_folders("--system", words)
    for name in found:
        if name in taken or "/" in name:
            raise UserError(f"--system {name}=...: the report has a row {name} already; choose another name")
    return {name: folder.resolve() for name, folder in found.items()}


def brought_parts(words: Sequence[str]) -> dict[str, Path]:
    """Return the folders of `STEP=FOLDER` words by step.

    Raises:
        UserError: a word has another form, names no trainable step or no folder, or repeats a step.
    """
    found = named_folders("--trained", words)
    for name in found:
        if name not in TRAINABLE:
            raise UserError(
                f"--trained must be STEP=FOLDER with STEP one of {', '.join(TRAINABLE)}, got {name}"
            )
    return {name: folder.resolve() for name, folder in found.items()}
