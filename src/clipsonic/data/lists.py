"""Lists that users write, CSV with a header or JSON lines => rows, with every column known. Imports no torch."""

import csv
import difflib
import io
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from clipsonic.errors import UserError

OWN = "x_"  # columns that begin so are the user's and are not read
FILES = {
    "path",
    "file",
    "image",
    "video",
}  # columns whose cells keep the spaces around them: a name may have some
SPLITS = ("train", "test", "valid", "validation", "val")  # the usual names; others are as good


def read_rows(path: Path, columns: Sequence[str], needed: Collection[str] = ()) -> list[dict[str, Any]]:
    """Load a list: CSV if its name ends in .csv, else JSON lines, in UTF-8 with or without a byte-order mark.

    Args:
        path: the list.
        columns: those it may have, besides any that begin with "x_".
        needed: those it must have.

    Returns:
        A dict a row, of the cells that are not empty. Cells of CSV are strings without spaces around them, except
        names of files.

    Raises:
        UserError: the list cannot be read or is of another form, a column is missing, doubled or unknown, or a
            row has more cells than there are columns.
    """
    text = read_text(path)
    rows = (
        _csv_rows(path, text, columns, needed)
        if path.suffix.lower() == ".csv"
        else _json_rows(path, text, columns)
    )
    found = []
    for place, row in rows:
        if missing := [name for name in needed if row.get(name) is None]:
            raise UserError(f"{path}, {place}: {missing[0]!r} is missing")
        if (split := row.get("split")) is not None:
            _check_split(f"{path}, {place}", split)
        found.append(row)
    return found


def read_text(path: Path) -> str:
    """Load a text file in UTF-8; ends of lines stay as they are.

    Raises:
        UserError: it is missing, cannot be read or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} must be text in UTF-8, got {error}") from error


def lines_of(text: str) -> list[str]:
    """Split at line feeds, with or without carriage returns, and nowhere else: text may hold other separators."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def check_columns(where: str, found: Collection[str], columns: Sequence[str]) -> None:
    """Check that a list has no column that is not read.

    Args:
        where: what messages begin with.

    Raises:
        UserError: a column is unknown; the message names the nearest that is known.
    """
    for name in found:
        if name in columns or str(name).startswith(OWN):
            continue
        bare = str(name).strip().lower()
        near = difflib.get_close_matches(bare, columns, n=1, cutoff=0.7)
        if near:
            meant = f"; write it {near[0]!r}"
        elif bare.startswith(tuple(f"{known}{mark}" for known in columns for mark in ";\t|")):
            meant = "; separate columns by commas"
        else:
            meant = f"; begin the name of a column of your own with {OWN!r}"
        raise UserError(f"{where} has an unknown column {name!r}{meant} (columns are {', '.join(columns)})")


def _csv_rows(
    path: Path, text: str, columns: Sequence[str], needed: Collection[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    table = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
    try:
        names = list(table.fieldnames or [])
        check_columns(str(path), names, columns)
        if missing := [name for name in needed if name not in names]:
            raise UserError(
                f"{path} needs a column named {missing[0]!r}; it has {', '.join(names) or 'none'}"
            )
        if doubled := [name for name in names if names.count(name) > 1]:
            raise UserError(f"{path} has two columns {doubled[0]!r}")
        for row in table:
            place = f"line {table.line_num}"
            if "" in row:
                raise UserError(
                    f"{path}, {place}: there are more cells than columns; put quotes around commas"
                )
            cells = {name: cell if name in FILES else cell.strip() for name, cell in row.items() if cell}
            cells = {name: cell for name, cell in cells.items() if cell}
            if cells:
                yield place, cells
    except csv.Error as error:
        raise UserError(f"{path} must be CSV, got after line {table.line_num}: {error}") from error


def _json_rows(path: Path, text: str, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(lines_of(text), 1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UserError(f"{path}, {place}: it must be JSON: {error}") from error
        if not isinstance(row, dict):
            raise UserError(f"{path}, {place}: it must be a JSON object, got {line[:80]}")
        check_columns(f"{path}, {place}", row, columns)
        yield place, {name: value for name, value in row.items() if value not in (None, "")}


def _check_split(where: str, split: Any) -> None:
    if not isinstance(split, str):
        raise UserError(f"{where}: split must be text, got {split!r}")
    if split not in SPLITS and split.strip().lower() in SPLITS:
        raise UserError(f"{where}: split is {split!r}; write it {split.strip().lower()!r}")
