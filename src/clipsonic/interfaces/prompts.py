"""A file of prompts => requests: text, CSV or JSON lines; a row that is wrong does not spoil the others."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from clipsonic.data.lists import OWN, check_columns, lines_of, read_text
from clipsonic.errors import UserError
from clipsonic.interfaces.asking import Asked, Query
from clipsonic.interfaces.naming import FILMS, SOUNDS, file_name

TEXTS = ("prompt", "image", "video", "negative", "bridge", "frames", "file")
NUMBERS = ("guidance_scale", "seconds")
WHOLES = ("steps", "seed")
FIELDS = (*TEXTS, *NUMBERS, *WHOLES, "weights")


def read_prompts(path: Path, like: Asked, folder: Path, ending: str) -> Iterator[tuple[int, Asked | str]]:
    """The number of each row, from 1, and its request, or what is wrong with it.

    Args:
        path: `.txt` with a prompt a line, `.csv` with named columns, `.jsonl` with an object a line; UTF-8, with a
            byte-order mark or without. Other files are named in it from its own folder.
        like: what holds for rows that do not say otherwise; its seed is the first row's.
        folder: where the clips go, as `00001-a-dog.wav` unless a row names its file.
        ending: of those names.

    Raises:
        UserError: the file cannot be read, or its columns are unknown.
    """
    taken: set[Path] = set()
    for number, row in enumerate(_rows(path), start=1):
        try:
            asked = _request(row, number, path.parent, like, folder, ending)
            place = Path(str(asked.output)).with_suffix("")  # the picture and the sidecar have it as well
            if place in taken:
                raise UserError(f"an earlier row is written to {place}.* as well")
            asked.check()
        except UserError as error:
            yield number, str(error)
        else:
            taken.add(place)
            yield number, asked


def _rows(path: Path) -> Iterator[dict[str, Any] | str]:
    """Rows as they are written; one that cannot be read is a string that says why."""
    if not path.exists():
        raise UserError(f"no prompts file {path}")
    text = read_text(path)
    kind = path.suffix.lower()
    if kind == ".csv":
        table = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
        check_columns(str(path), table.fieldnames or [], FIELDS)
        while True:
            try:
                row = next(table)
            except StopIteration:
                return
            except csv.Error as error:
                yield f"the row is no CSV: {error}"
                continue
            filled = {name: value for name, value in row.items() if value and not name.startswith(OWN)}
            yield "the row has more cells than there are columns" if "" in row else filled
    elif kind == ".jsonl":
        for line in filter(str.strip, lines_of(text)):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                yield f"the line is no JSON: {error}"
            else:
                yield row if isinstance(row, dict) else "the line is no JSON object"
    elif kind == ".txt":
        yield from ({"prompt": line.strip()} for line in lines_of(text) if line.strip())
    else:
        raise UserError(f"{path} should end in .txt, .csv or .jsonl")


def _request(
    row: dict[str, Any] | str, number: int, base: Path, like: Asked, folder: Path, ending: str
) -> Asked:
    if isinstance(row, str):
        raise UserError(row)
    check_columns("the row", row, FIELDS)
    for name in TEXTS[1:]:
        if name in row and not isinstance(row[name], str):
            raise UserError(f"{name} is {row[name]!r}, and should be text")
    numbers = {name: _number(name, row[name]) for name in (*NUMBERS, *WHOLES) if name in row}
    words = row.get("prompt", [])
    texts = [words] if isinstance(words, str) else words
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UserError(f"prompt is {words!r}, and should be text or a list of texts")
    weights = row.get("weights")
    if isinstance(weights, str):
        weights = weights.split()
    query = Query(
        texts,
        [base / row["image"]] if "image" in row else [],
        base / row["video"] if "video" in row else None,
        None if weights is None else [_number("weights", weight) for weight in weights],
        row.get("negative", like.query.negative),
        bridge=row.get("bridge", like.query.bridge),
        frames=row.get("frames", like.query.frames if "video" in row else Query([], []).frames),
    )
    changes: dict[str, Any] = {name: numbers[name] for name in NUMBERS if name in numbers}
    if "steps" in numbers:
        changes["steps"] = int(numbers["steps"])
    name = row.get("file", f"{number:05d}-{file_name(query.title)}{ending}")
    if Path(name).name != name or Path(name).suffix.lower() not in (*SOUNDS, *FILMS):
        raise UserError(f"file is {name!r}, and should be a name that ends in {', '.join(SOUNDS)}")
    return replace(
        like,
        query=query,
        sampling=replace(like.sampling, **changes),
        output=folder / name,
        seed=int(numbers.get("seed", (like.seed or 0) + number - 1)),
        replaces="ours" if like.replaces == "nothing" else like.replaces,
    )


def _number(name: str, value: Any) -> float:
    kind = "a whole number" if name in WHOLES else "a number"
    try:
        if isinstance(value, bool):
            raise TypeError
        number = Decimal(str(value))  # not by way of a float, which changes whole numbers above 2**53
        whole = int(number) if number.is_finite() and number == number.to_integral_value() else None
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UserError(f"{name} must be {kind}, got {value!r}") from error
    if not number.is_finite() or (name in WHOLES and whole is None):
        raise UserError(f"{name} must be {kind}, got {value!r}")
    return whole if name in WHOLES and whole is not None else float(number)
