"""A folder of sound files and what is known of each: the words it was made for, and its label."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from clipsonic.audio import Recording, read_recording
from clipsonic.config import SAMPLE_RATE
from clipsonic.data.lists import read_rows
from clipsonic.data.media_types import DESCRIPTIONS, PICTURES, SOUNDS, list_files
from clipsonic.errors import UserError
from clipsonic.evaluation.questions import INDEX

COLUMNS = ("file", "prompt", "label", "clip", "picture")
SHORTEST = 0.1  # seconds; what is shorter is left out, and told


@dataclass(frozen=True)
class AudioFile:
    """One of them."""

    path: Path
    name: str  # its place in the folder
    prompt: str | None = None
    label: str | None = None
    clip: str | None = None  # what it was asked about; several may be of one
    picture: Path | None = None  # what it was made for


def find_audio(
    folder: Path, prompts: Path | None = None, tell: Callable[[str], None] = lambda line: None
) -> list[AudioFile]:
    """The sound files of a folder, to the bottom, sorted by name.

    Args:
        folder: any sound that libsndfile reads.
        prompts: CSV or JSON lines with `file` (its place in the folder), `prompt` and perhaps `label`, `clip` and
            `picture` (its place beside the list): clips of the same `clip` count as one where intervals are drawn.
            Without it, an
            `index.csv` of that form there counts, else the JSON that `clipsonic generate` writes beside each
            clip. Files without words are kept.
        tell: called with a line about the other files of the folder.

    Raises:
        UserError: no such folder or list, no sound in it, or the list names a file or picture that is not there.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name one of sound files")
    listing = list_files(folder, SOUNDS)
    paths = [path for path in listing.files if path.is_file()]
    if not paths:
        raise UserError(f"no sound files in {folder} (looked for {', '.join(sorted(SOUNDS))})")
    if (line := listing.left_out(folder, DESCRIPTIONS | PICTURES)) is not None:
        tell(line)
    names = [path.relative_to(folder).as_posix() for path in paths]
    if prompts is None and (folder / INDEX).is_file():
        prompts = folder / INDEX
    if prompts is None:
        return [_beside(AudioFile(path, name)) for path, name in zip(paths, names, strict=True)]
    known = _read_prompts(prompts)
    missing = sorted(set(known) - set(names))
    if missing:
        raise UserError(f"{prompts} names {missing[0]}, which is not in {folder}; {len(missing)} such lines")
    return [AudioFile(path, name, **known.get(name, {})) for path, name in zip(paths, names, strict=True)]


def _read_prompts(path: Path) -> dict[str, dict[str, Any]]:
    """Load a list => file: what is known of it."""
    known: dict[str, dict[str, Any]] = {}
    for row in read_rows(path, COLUMNS, needed=("file",)):
        found: dict[str, Any] = {name: str(row[name]) for name in COLUMNS[1:] if row.get(name) is not None}
        if "picture" in found:
            found["picture"] = path.parent / found["picture"]
            if not found["picture"].is_file():
                raise UserError(f"{path} names the picture {found['picture']}, which is not there")
        known[str(row["file"]).removeprefix("./")] = found
    if not known:
        raise UserError(
            f"{path} is empty; a list of clips has 'file', 'prompt' and perhaps 'label' and 'clip'"
        )
    return known


def _beside(file: AudioFile) -> AudioFile:
    """Add prompt, picture and label from the JSON beside a clip; a mixture of several has no one of them."""
    try:
        page = json.loads(file.path.with_suffix(".json").read_bytes())
        texts, images = page["texts"], page["images"]
    except (OSError, ValueError, KeyError, TypeError):
        return file
    one = len(texts) + len(images) == 1 and "to" not in page
    picture = Path(str(images[0])) if one and images else None
    return replace(
        file,
        prompt=str(texts[0]) if one and texts else None,
        label=page.get("label"),
        picture=picture
        if picture is not None and picture.suffix.lower() in PICTURES and picture.is_file()
        else None,
    )


def items_of(files: Iterable[AudioFile]) -> list[int]:
    """Which files answer the same: a number for each, the same for those asked about one clip."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(file.clip or file.name, len(numbers)) for file in files]


def read_clip(path: Path) -> Float[Tensor, "samples"]:
    """Load a sound file as `read_clip_recording` does, without its note."""
    return read_clip_recording(path).wave


def read_clip_recording(path: Path) -> Recording:
    """Load a sound file as 16 kHz mono.

    Raises:
        UserError: it is shorter than 0.1 s, or `read_recording` refuses it.
    """
    recording = read_recording(path)
    if (seconds := len(recording.wave) / SAMPLE_RATE) < SHORTEST:
        raise UserError(f"{path} has {seconds:.3f} s of sound; {SHORTEST} s are needed")
    return recording


def checksum(files: Iterable[AudioFile]) -> str:
    """SHA-256 of the files' contents, in their order; their names and places do not count."""
    whole = hashlib.sha256()
    for file in files:
        with file.path.open("rb") as opened:
            whole.update(hashlib.file_digest(opened, "sha256").digest())
    return whole.hexdigest()
