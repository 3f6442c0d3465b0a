"""How the program speaks: answers on the standard output, notes and errors on the error stream.

The one place that knows of --quiet and --json. Imports nothing heavy.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer

from clipsonic.errors import UserError


@dataclass
class Manner:
    """What the user asked of the way the program speaks."""

    quiet: bool = False  # neither progress nor notes
    as_json: bool = False  # answers and errors for programs
    debug: bool = False  # errors with their traceback
    leads: bool = True  # of several processes of one training, one speaks


manner = Manner()
_kept: list[Any] | None = None  # where answers go instead of being printed as JSON


def begin(words: Sequence[str]) -> None:
    """Takes the manner from the words of a command line, whether they stand before or after the command's name."""
    given = words[: words.index("--")] if "--" in words else words
    manner.leads = os.environ.get("RANK", "0") == "0"
    manner.quiet = "--quiet" in given or not manner.leads
    manner.as_json = "--json" in given
    manner.debug = "--debug" in given


def note(line: str) -> None:
    """Says something by the way."""
    if not manner.quiet:
        _aside(line)


def made(page: dict[str, Any], line: str) -> None:
    """Says what was made: a note, or with --json a line of JSON on the standard output."""
    if manner.as_json:
        _print(page, indent=None)
    else:
        note(line)


def show(page: Any, text: str) -> None:
    """Prints what was asked to be shown: text, or with --json the page."""
    if manner.as_json:
        _print(page, indent=1)
    else:
        _write(text)


def trouble(line: str, page: dict[str, Any]) -> None:
    """Tells an error that does not stop the work; the page is what --json says of it."""
    _aside(json.dumps(page) if manner.as_json else line)


def error(message: str) -> None:
    """Tells the error that ends the command."""
    message = " ".join(message.split())
    typer.echo(json.dumps({"error": message}) if manner.as_json else f"clipsonic: {message}", err=True)


@contextmanager
def collected() -> Iterator[list[Any]]:
    """A block whose pages are gathered in the yielded list, for an answer that sums them up."""
    global _kept
    before, _kept = _kept, []
    try:
        yield _kept
    finally:
        _kept = before


def _aside(line: str) -> None:
    from clipsonic.interfaces.progress import console  # which knows of a bar that is being drawn

    console.print(line, markup=False, soft_wrap=True)


def _print(page: Any, indent: int | None) -> None:
    if _kept is not None:
        _kept.append(page)
    elif manner.leads:
        _write(json.dumps(page, indent=indent))  # ASCII: safe for any name and locale


def _write(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # whoever read it has gone, such as head: typer ends quietly
        raise
    except OSError as error:
        forsake_output()
        raise UserError(f"cannot write to the standard output: {error.strerror}") from error


def forsake_output() -> None:
    """Sends what is still to be written nowhere, or Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
