"""What the user brings to a reproduction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipsonic.errors import UserError
from clipsonic.evaluation.systems import OURS, SYSTEMS
from clipsonic.interfaces.reproduce.controls import ROWS

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
    found: dict[str, Path] = {}
    for word in words:
        name, equals, folder = word.partition("=")
        if not equals or not name or "/" in name or not Path(folder).is_dir():
            raise UserError(
                f"--system {word}: write it as NAME=FOLDER, a folder of sound files with an index.csv"
            )
        if name in taken | found.keys():
            raise UserError(f"--system {word}: the report has a row {name} already; choose another name")
        found[name] = Path(folder).resolve()
    return found


def brought_parts(words: Sequence[str]) -> dict[str, Path]:
    """Return the folders of `STEP=FOLDER` words by step.

    Raises:
        UserError: a word has another form, names no trainable step or no folder, or repeats a step.
    """
    found: dict[str, Path] = {}
    for word in words:
        name, _, folder = word.partition("=")
        if name not in TRAINABLE or not folder:
            raise UserError(
                f"--trained must be STEP=FOLDER with STEP one of {', '.join(TRAINABLE)}, got {word}"
            )
        if name in found:
            raise UserError(f"--trained {word}: {name} must be given once")
        if not Path(folder).is_dir():
            raise UserError(f"--trained {word}: no folder {folder}")
        found[name] = Path(folder).resolve()
    return found
