"""Presets and `--set a.b=c` => settings."""

import json
import math
from collections.abc import Mapping, Sequence
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
            raise UserError(f"--set {change}: no such setting; write it as {_examples(page)}")
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


def _examples(page: dict[str, Any]) -> str:
    names = [f"{room}.{name}" for room, inside in page.items() if isinstance(inside, dict) for name in inside]
    names += [name for name, inside in page.items() if not isinstance(inside, dict)]
    return ", ".join(f"{name}=..." for name in names)


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
