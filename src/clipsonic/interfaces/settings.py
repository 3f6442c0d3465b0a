"""Presets and `--set a.b=c` => settings."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from clipsonic.config import Frozen
from clipsonic.errors import UserError

Settings = TypeVar("Settings", bound=Frozen)


def choose(presets: Mapping[str, Settings], name: str, changes: Sequence[str]) -> Settings:
    """A preset with changes such as `training.batch_size=8`; values are JSON, or words as they stand.

    Raises:
        UserError: no such preset or setting, or a value that the setting does not take.
    """
    if name not in presets:
        raise UserError(f"no preset '{name}'; choose one of {', '.join(presets)}")
    settings = presets[name]
    page = settings.model_dump()
    for change in changes:
        path, equals, text = change.partition("=")
        *rooms, last = path.strip().split(".")
        room: Any = page
        for part in rooms:
            room = room.get(part) if isinstance(room, dict) else None
        if not equals or not isinstance(room, dict) or last not in room:
            raise UserError(f"--set {change}: {_meant(page, path.strip(), equals, text.strip())}")
        room[last] = _value(text.strip())
    try:
        return type(settings).model_validate(page)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise UserError(f"--set {name}: {first['msg']}, got {first['input']!r}") from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _meant(page: dict[str, Any], path: str, equals: str, text: str) -> str:
    """Return what to write instead of a setting that there is not."""
    names = list(_names(page))
    if path in names and not equals:
        return f"write it with its value, {path}=..."
    last = path.rpartition(".")[2]
    meant = [name for name in names if name.rpartition(".")[2] == last]
    meant = (
        meant
        or get_close_matches(path, names, 3, 0.6)
        or [
            name
            for name in names
            if name.rpartition(".")[2] in get_close_matches(last, [n.rpartition(".")[2] for n in names])
        ]
    )
    value = text or "..."
    if meant:
        return f"there is no setting {path}; did you mean {' or '.join(f'{name}={value}' for name in meant)}?"
    return f"there is no setting {path}; the settings are {', '.join(names)}"


def _names(page: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, inside in page.items():
        if isinstance(inside, dict):
            yield from _names(inside, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def as_text(word: str) -> str:
    """Return a word of the command line as UTF-8 text, whatever the locale; as it is if it is no UTF-8."""
    try:
        return os.fsencode(word).decode("utf-8")
    except UnicodeError:
        return word


def numbers(option: str, text: str | None) -> list[float] | None:
    """`0.7 0.3` or `0.7,0.3` => numbers.

    Raises:
        UserError: a part is no number.
    """
    if text is None:
        return None
    try:
        found = [float(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        raise UserError(f"{option} {text}: these are no numbers; write {option} 0.7 0.3") from error
    if not found or not all(map(math.isfinite, found)):
        raise UserError(f"{option} {text}: these are no numbers; write {option} 0.7 0.3")
    return found


def named_folders(option: str, words: Sequence[str]) -> dict[str, Path]:
    """Return the folders of `NAME=FOLDER` words by name.

    Raises:
        UserError: a word has another form, repeats a name, or names a folder that is not there.
    """
    found: dict[str, Path] = {}
    for word in words:
        name, _, folder = word.partition("=")
        if not name.strip() or not folder:
            raise UserError(f"{option} must be NAME=FOLDER, got {word}")
        if name in found:
            raise UserError(f"{option} {word}: {name} must be given once")
        if not Path(folder).is_dir():
            raise UserError(f"{option} {word}: no folder {folder}")
        found[name] = Path(folder)
    return found
