"""Folders that a command makes: not there yet, and nobody else's while it works."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from clipsonic.errors import UserError
from clipsonic.files import LOCK, only_one


@contextmanager
def new_folder(folder: Path, otherwise: str) -> Iterator[None]:
    """A block in which nobody else makes this folder, which must not be there yet, or be empty.

    Args:
        otherwise: what to do if it is there.

    Raises:
        UserError: it is there, another process makes it, or it cannot be written.
    """
    _check(folder, otherwise)
    with only_one(folder):
        _check(folder, otherwise)  # another may have made it in between
        for left in folder.parent.glob(f".{escape(folder.name)}.*.part"):  # of one that was killed
            shutil.rmtree(left, ignore_errors=True)
        yield


def _check(folder: Path, otherwise: str) -> None:
    if folder.exists() and (not folder.is_dir() or any(path.name != LOCK for path in folder.iterdir())):
        raise UserError(f"{folder} is there already; {otherwise}")
