"""Files, folders and CSV lists => the videos to prepare, and what is known of each."""

import csv
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clipsonic.errors import UserError

VIDEO_SUFFIXES = {
    ".mp4",
    ".mkv",
    ".webm",
    ".mov",
    ".avi",
    ".m4v",
    ".mpg",
    ".mpeg",
    ".ts",
    ".flv",
    ".wmv",
    ".ogv",
}


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


def find_videos(sources: Sequence[Path]) -> list[Video]:
    """Files, folders (searched to the bottom) and CSV lists => videos, each once, in a fixed order.

    A CSV has a column `path`, taken relative to the CSV, and may have `label`, `split` and `licence`; `start` and
    `seconds` name a piece of the video, of which a CSV may list several. Files named directly or in a CSV are tried
    whatever they are called; folders are searched by file name ending.

    Raises:
        UserError: a source is missing, a CSV lacks its column or has a wrong number, or there is no video at all.
    """
    found: dict[str, Video] = {}
    places: set[tuple[Path, float, float | None]] = set()
    for source in sources:
        if source.is_dir():
            inside = sorted(path for path in source.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
            name = source.resolve().name
            videos = [Video(path, f"{name}/{path.relative_to(source).as_posix()}") for path in inside]
        elif source.suffix.lower() == ".csv" and source.exists():
            videos = list(_read_list(source))
        elif source.exists():
            videos = [Video(source, source.name)]
        else:
            raise UserError(f"{source} does not exist")
        for video in videos:
            place = (_place(video.path), video.start, video.seconds)
            if place in places:
                continue
            places.add(place)
            name = os.fsencode(video.name).decode("utf-8", "backslashreplace")  # not every file name is text
            name = name if name not in found else f"{place[0]}@{video.start!r}+{video.seconds}"
            found[name] = replace(video, name=name)
    if not found:
        raise UserError(
            f"no video found in {', '.join(map(str, sources))} (looked for {', '.join(sorted(VIDEO_SUFFIXES))})"
        )
    return list(found.values())


def _place(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a link to itself, a drive that is gone, a name with a NUL
        return path.absolute()


def rows_of(source: Path) -> list[dict[str, str]]:
    """A CSV list of files => its rows that have a `path`.

    Raises:
        UserError: it is no CSV, or has no such column.
    """
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            columns, rows = table.fieldnames or [], list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{source} is no CSV in UTF-8: {error}") from error
    if "path" not in columns:
        raise UserError(f"{source} needs a column named 'path'; it has {', '.join(columns) or 'none'}")
    return [row for row in rows if row["path"]]


def _read_list(source: Path) -> Iterator[Video]:
    for row in rows_of(source):
        start, seconds = (_seconds(source, row, column) for column in ("start", "seconds"))
        yield Video(
            source.parent / row["path"],
            row["path"] if start is None else f"{row['path']}@{start:.10g}",
            row.get("label") or None,
            row.get("split") or "train",
            row.get("licence") or row.get("license") or None,
            start or 0.0,
            seconds,
        )


def _seconds(source: Path, row: dict[str, str], column: str) -> float | None:
    if not (said := row.get(column)):
        return None
    try:
        value = float(said)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UserError(f"{source}: {column} '{said}' of {row['path']} is no number of seconds")
    return value
