"""Names of the files that are written, and which existing files they may replace."""

import json
import os
import sys
import tempfile
import unicodedata
from pathlib import Path
from typing import Literal

from clipsonic.data.media_types import WRITTEN_VIDEOS
from clipsonic.errors import UserError

SOUNDS = {".wav": "PCM_16", ".flac": "PCM_16", ".ogg": "VORBIS"}
FILMS = tuple(WRITTEN_VIDEOS)
LONGEST = 100  # bytes of a name made of a prompt
NAME_BYTES = 255  # that most file systems allow for a name

Replaces = Literal[
    "nothing", "ours", "any"
]  # of the files that are there: those of clipsonic; any sound, on request


def file_name(query: str) -> str:
    """Return a query as the stem of a file name: letters and digits of any script, emoji by their names."""
    text = unicodedata.normalize("NFC", query.encode("utf-8", "replace").decode("utf-8")).lower()
    kept = "".join(each if unicodedata.category(each)[0] in "LMN" or each == "_" else " " for each in text)
    if not any(unicodedata.category(each)[0] in "LN" for each in text):
        names = (
            unicodedata.name(each, "") for each in text if unicodedata.category(each) in ("So", "Sm", "Sc")
        )
        kept = " ".join(names).lower().replace("-", " ")
    stem = "-".join(kept.split())
    encoding = sys.getfilesystemencoding()
    stem = stem.encode(encoding, "ignore")[:LONGEST].decode(encoding, "ignore").strip("-")
    return stem or "out"


def companions(path: Path) -> tuple[Path, Path]:
    """Return the names of a clip's spectrogram and of its metadata."""
    return path.with_suffix(".png"), path.with_suffix(".json")


def check_output(path: Path, video: Path | None = None) -> None:
    """Refuse a file name that cannot be written, before any work is done.

    Raises:
        UserError: unknown ending, a name that is too long, or a folder that cannot be made or written to.
    """
    endings = (*SOUNDS, *(FILMS if video is not None else ()))
    if path.suffix.lower() not in endings:
        film = ", or with --video in " + ", ".join(FILMS) if path.suffix.lower() in FILMS else ""
        raise UserError(f"{path} should end in {', '.join(endings)}{film}")
    longest = max((path, *companions(path)), key=lambda each: len(os.fsencode(each.name))).name
    if len(os.fsencode(longest)) > NAME_BYTES:
        raise UserError(
            f"the file name {longest[:20]}... must have at most {NAME_BYTES} bytes, got {len(os.fsencode(longest))}"
        )
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder; name a file")
        if video is not None and video.exists() and path.resolve() == video.resolve():
            raise UserError(f"the video would be written over itself; name another file than {path} with -o")
        folder = path.parent  # it is made when the clip is written
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"cannot write to {path.parent}: {error.strerror}; name another file with -o"
        ) from error


def check_free(path: Path, replaces: Replaces) -> None:
    """Refuse a clip whose files would take the place of others.

    Args:
        replaces: "ours" allows the files of an earlier clip; "any" a sound from elsewhere as well, but never a
            picture or a JSON file from elsewhere that merely has the name.

    Raises:
        UserError: with the file that is in the way.
    """
    taken = [each for each in (path, *companions(path)) if os.path.lexists(each)]
    if not taken:
        return
    if is_ours(path):
        if replaces == "nothing":
            raise UserError(f"{taken[0]} exists; name another file with -o, or replace it with --overwrite")
        return
    others = [each for each in taken if each != path]
    if others:
        raise UserError(f"{others[0]} exists and is not a file of clipsonic's; name another file with -o")
    if replaces != "any":
        raise UserError(f"{path} exists; name another file with -o, or replace it with --overwrite")


def is_ours(path: Path) -> bool:
    """Return whether the metadata beside a sound is clipsonic's, and so the files of that name."""
    try:
        page = json.loads(companions(path)[1].read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(page, dict) and "clipsonic" in page and "query" in page


def free_names(path: Path, clips: int) -> list[Path]:
    """Return names for clips that no file has: dog.wav, else dog-2.wav; of several dog-1.wav, dog-2.wav and on."""

    def numbered(number: int) -> Path:
        return path if clips == 1 and number == 1 else path.with_stem(f"{path.stem}-{number}")

    first = 1
    while True:
        paths = [numbered(number) for number in range(first, first + clips)]
        taken = [
            number
            for number, each in enumerate(paths, first)
            if any(os.path.lexists(name) for name in (each, *companions(each)))
        ]
        if not taken:
            return paths
        first = taken[-1] + 1
