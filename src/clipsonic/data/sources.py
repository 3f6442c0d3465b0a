"""Files, folders and CSV lists => the videos to prepare, and what is known of each."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clipsonic.data.lists import read_rows
from clipsonic.data.media_types import VIDEOS, list_files
from clipsonic.errors import UserError

LISTS = (".csv", ".jsonl")
COLUMNS = ("path", "label", "split", "licence", "license", "start", "seconds")


@dataclass(frozen=True)
class Video:
    """A video to prepare and what is known of it."""

    path: Path
    name: str  # how it is recorded; tells it apart from the others
    label: str | None = None
    split: str = "train"
    licence: str | None = None
    start: float = 0.0  # seconds from the start of its sound; the piece to prepare begins here
    seconds: float | None = None  # length of the piece; None: all the rest


def find_videos(sources: Sequence[Path], tell: Callable[[str], None] = lambda line: None) -> list[Video]:
    """Return the videos of files, folders (with their subfolders) and lists, each once, in a fixed order.

    A list (CSV or JSON lines) has a column `path`, taken relative to the list, and may have `label`, `split` and
    `licence`; `start` and `seconds` name a piece of the video, of which a list may name several. Files named
    directly or in a list are tried whatever they are called; folders are searched for names that end as videos do.

    Args:
        tell: called with a line about the other files of a folder.

    Raises:
        UserError: a source is missing, a list lacks its column, has one that is not read or a wrong number, or
            there is no video at all.
    """
    found: dict[str, Video] = {}
    places: set[tuple[Path, float, float | None]] = set()
    for source in sources:
        for video in _videos_of(source, tell):
            place = (_place(video.path), video.start, video.seconds)
            if place in places:
                continue
            places.add(place)
            name = _as_text(video.name)
            name = name if name not in found else f"{_as_text(place[0])}@{video.start!r}+{video.seconds}"
            found[name] = replace(video, name=name)
    if not found:
        raise UserError(
            f"no video found in {', '.join(map(str, sources))} (looked for {', '.join(sorted(VIDEOS))})"
        )
    return list(found.values())


def _videos_of(source: Path, tell: Callable[[str], None]) -> list[Video]:
    try:
        if source.is_dir():
            listing = list_files(source, VIDEOS)
            if (line := listing.left_out(source)) is not None:
                tell(line)
            name = source.resolve().name
            return [Video(path, f"{name}/{path.relative_to(source).as_posix()}") for path in listing.files]
    except OSError as error:
        raise UserError(f"{source} cannot be listed: {error.strerror or error}") from error
    if not source.exists():
        raise UserError(f"{source} does not exist")
    if source.suffix.lower() in LISTS:
        return list(_read_list(source))
    return [Video(source, source.name)]


def _as_text(name: str | Path) -> str:
    """Return a file name with its bytes that are not UTF-8 as escapes: JSON cannot hold them."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _place(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a link to itself, a drive that is gone, a name with a NUL
        return path.absolute()


def _read_list(source: Path) -> Iterator[Video]:
    for row in read_rows(source, COLUMNS, needed=("path",)):
        start, seconds = (_seconds(source, row, column) for column in ("start", "seconds"))
        path = _text(source, row, "path")
        yield Video(
            source.parent / path,
            path if start is None else f"{path}@{start:.10g}",
            _text(source, row, "label") or None,
            _text(source, row, "split") or "train",
            _text(source, row, "licence") or _text(source, row, "license") or None,
            start or 0.0,
            seconds,
        )


def _text(source: Path, row: dict[str, Any], column: str) -> str:
    if not isinstance(value := row.get(column, ""), str):
        raise UserError(f"{source}: {column} must be text, got {value!r}")
    return value


def _seconds(source: Path, row: dict[str, Any], column: str) -> float | None:
    if (said := row.get(column)) is None:
        return None
    try:
        value = float(said)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value < math.inf:
        raise UserError(f"{source}: {column} '{said}' of {row['path']} is no number of seconds")
    return value
