"""A published list and a folder of videos => what is there, as a CSV that `prepare` takes, and what is missing.

Published lists outlive their videos: an entry without a file is counted and listed, never an error.
"""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsonic.data.catalogues import CLIP_SECONDS, Entry, Key, PictureQuery, key_of
from clipsonic.data.media_types import VIDEOS, list_files
from clipsonic.errors import UserError
from clipsonic.files import whole_file


@dataclass(frozen=True, slots=True)
class Found:
    """An entry and its file."""

    entry: Entry
    file: str  # relative to the folder that was searched
    start: int | None  # seconds at which to cut the clip out of the file; None: the file is the clip


@dataclass(frozen=True)
class Joined:
    """A list and a folder of videos."""

    folder: Path
    found: list[Found]
    missing: list[Entry]
    unlisted: int  # videos in the folder that no entry asks for


def join(entries: Sequence[Entry], folder: Path, ids_are_clips: bool = False) -> Joined:
    """Looks for every entry's file in a folder and below it.

    A clip's own file goes before the whole video `ID.mp4`. Of two files for one entry the first by name is taken.

    Args:
        ids_are_clips: files named by their id alone are the clips, not the whole videos. An id that is listed with
            several starts is then not found by such a name.

    Raises:
        UserError: the folder is missing or unreadable.
    """
    files, videos = _find(folder)
    starts = Counter(entry.youtube_id for entry in entries) if ids_are_clips else Counter[str]()
    found: list[Found] = []
    missing: list[Entry] = []
    for entry in entries:
        own = files.get((entry.youtube_id, entry.start))
        whole = files.get((entry.youtube_id, None))
        if own is not None:
            found.append(Found(entry, own, None))
        elif whole is None or starts[entry.youtube_id] > 1:
            missing.append(entry)
        else:
            found.append(Found(entry, whole, None if ids_are_clips else entry.start))
    return Joined(folder, found, missing, videos - len({each.file for each in found}))


def _find(folder: Path) -> tuple[dict[Key, str], int]:
    """Videos by what their names say, and how many videos there are under any name."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}")
    try:
        listing = list_files(folder, VIDEOS)
    except OSError as error:
        raise UserError(f"cannot list {folder}: {error.strerror}") from error
    files: dict[Key, str] = {}
    for path in listing.files:
        if (key := key_of(path.stem)) is not None:
            files.setdefault(key, path.relative_to(folder).as_posix())
    return files, len(listing.files)


def write_list(joined: Joined, out: Path) -> None:
    """The videos that are there => a CSV that `prepare` takes: path (relative to it), label, split, start, seconds.

    Start and seconds are empty where the file is the clip.

    Raises:
        UserError: no video is there, or the file cannot be written.
    """
    if not joined.found:
        names = ", ".join(joined.missing[0].names())
        raise UserError(
            f"no listed video in {joined.folder}: looked for names such as {names}; "
            f"there are {joined.unlisted} videos of other names"
        )
    folder = os.path.relpath(os.path.realpath(joined.folder), os.path.realpath(out.parent))
    page = io.StringIO(newline="")
    rows = csv.writer(page)
    rows.writerow(["path", "label", "split", "start", "seconds"])
    for each in joined.found:
        piece = ("", "") if each.start is None else (each.start, CLIP_SECONDS)
        rows.writerow([os.path.normpath(f"{folder}/{each.file}"), each.entry.label, each.entry.split, *piece])
    _write(out, page.getvalue())


def write_missing(entries: Iterable[Entry], out: Path) -> None:
    """The YouTube ids of entries => a text file, one a line, each once.

    Raises:
        UserError: the file cannot be written.
    """
    _write(out, "".join(f"{youtube_id}\n" for youtube_id in dict.fromkeys(e.youtube_id for e in entries)))


def write_pictures(queries: Sequence[PictureQuery], folder: Path, out: Path) -> None:
    """Write a CSV of pictures as `clipsonic generate --prompts` takes it: image (relative to it) and file.

    The file is named after the picture's place in the folder, `dog1.wav` or `dog-1.wav`.

    Raises:
        UserError: two pictures would have one file, or the CSV cannot be written.
    """
    page = io.StringIO(newline="")
    rows = csv.writer(page)
    rows.writerow(["image", "file"])
    here = os.path.realpath(out.parent)
    taken: dict[str, Path] = {}
    for query in queries:
        name = "-".join(query.image.relative_to(folder).with_suffix(".wav").parts)
        if name in taken:
            raise UserError(f"{taken[name]} and {query.image} would both be answered by {name}; rename one")
        taken[name] = query.image
        rows.writerow([os.path.relpath(os.path.realpath(query.image), here), name])
    _write(out, page.getvalue())


def _write(path: Path, text: str) -> None:
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    except UnicodeEncodeError as error:
        raise UserError(
            f"cannot write {path}: the name of a folder of videos is no text; rename it"
        ) from error
