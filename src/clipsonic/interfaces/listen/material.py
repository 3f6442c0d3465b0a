"""Folders of several systems' sounds, and the prompts they answer => one sound for each prompt and system."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsonic.data.lists import read_rows
from clipsonic.errors import UserError
from clipsonic.evaluation.audio_files import AudioFile, find_audio
from clipsonic.interfaces.settings import named_folders

COLUMNS = ("prompt", "image", "clip", "label")


@dataclass(frozen=True)
class Prompt:
    """What raters see, and how a system's answer to it is found."""

    text: str | None
    image: Path | None
    field: str  # of a sound file that is compared: clip, label or prompt
    value: str

    @property
    def name(self) -> str:
        """For messages."""
        return self.text or self.value


@dataclass(frozen=True)
class Material:
    """What is to be heard."""

    systems: list[str]
    prompts: list[Prompt]
    sounds: list[list[Path]]  # [prompt][system]


def gather(systems: Sequence[str], prompts: Path | None, most: int | None, seed: int) -> Material:
    """The first sound of every system for every prompt.

    Args:
        systems: NAME=FOLDER each; the folder as `find_audio` reads it.
        prompts: CSV with `prompt` or `image` (a file, named from the list's own folder), and perhaps `clip` or
            `label`: which sounds answer it; those with the same prompt unless told. Without it, all prompts of
            the first system.
        most: so many prompts at most, drawn by the seed.

    Raises:
        UserError: an option is written otherwise, a list or folder cannot be read, or a prompt lacks a sound.
    """
    if most is not None and most < 1:
        raise UserError(f"{most} prompts are no test; ask for one at least")
    if not systems:
        raise UserError("name the systems to hear: --system NAME=FOLDER, once each")
    folders = named_folders("--system", systems)
    files = {name: find_audio(folder) for name, folder in folders.items()}
    asked = _read(prompts) if prompts is not None else _prompts_of(*next(iter(files.items())))
    if most is not None and most < len(asked):
        chosen = np.random.default_rng([seed, 2]).choice(len(asked), most, replace=False)
        asked = [asked[number] for number in sorted(chosen)]
    found: list[list[Path]] = []
    missing: list[str] = []  # a line each
    for prompt in asked:
        row = []
        for name, those in files.items():
            path = next((file.path for file in those if getattr(file, prompt.field) == prompt.value), None)
            if path is None:
                missing.append(
                    f"{name} has no sound whose {prompt.field} is '{prompt.value}' in {folders[name]}"
                )
            else:
                row.append(path)
        found.append(row)
    if missing:
        others = f"; {len(missing) - 1} more are missing" if len(missing) > 1 else ""
        raise UserError(f"{missing[0]}{others}")
    return Material(list(files), asked, found)


def _prompts_of(name: str, files: Sequence[AudioFile]) -> list[Prompt]:
    texts = list(dict.fromkeys(file.prompt for file in files if file.prompt))
    if not texts:
        raise UserError(
            f"the sounds of {name} have no prompts; give them an index.csv, or the test --prompts"
        )
    return [Prompt(text, None, "prompt", text) for text in texts]


def _read(path: Path) -> list[Prompt]:
    found = []
    for number, row in enumerate(read_rows(path, COLUMNS), 2):
        text, image = row.get("prompt") or None, row.get("image") or None
        field = next((name for name in ("clip", "label", "prompt") if row.get(name)), None)
        if field is None or not (text or image):
            raise UserError(f"{path}, line {number}: a row needs 'prompt', or 'image' and 'clip' or 'label'")
        place = path.parent / image if image else None
        if place is not None and not place.is_file():
            raise UserError(f"{path}, line {number}: no picture {place}")
        found.append(Prompt(text, place, field, row[field]))
    if not found:
        raise UserError(f"{path} has no prompts")
    if len({(each.field, each.value, each.text) for each in found}) < len(found):
        raise UserError(f"{path} has a prompt twice")
    return found
