"""Writing that leaves a whole file or none, in a folder that one process at a time writes to."""

import atexit
import ctypes
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from clipsonic.errors import UserError, first_line

LOCK = ".lock"  # in a folder that is being written
LEFTOVERS = (".*.part", ".clipsonic-*")  # what a process that was killed leaves of files that were not whole
AT_CWD, EXCHANGE = -100, 2  # of Linux's renameat2


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when the block ends well: written aside, synced, renamed."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            mode = os.fstat(file.fileno()).st_mode
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(mode)  # of a library that put a file of its own there, closed to others
        aside.replace(path)
        _sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill that takes the place of `folder` only when the block ends well."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(aside, ignore_errors=True)  # of a process that was killed, and had our number
        aside.mkdir(parents=True)
        yield aside
        take_place(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def take_place(aside: Path, folder: Path) -> None:
    """A finished folder takes the place and the name of another, which is then removed.

    At every moment one of the two is there as a whole, where the system can exchange names (Linux); elsewhere
    there is a moment with neither.
    """
    files = aside.stat().st_mode & 0o666  # as the umask has it, if `whole_folder` made it
    for path in aside.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(path.stat().st_mode | files)  # safetensors writes files that are closed to others
        _sync(path)
    _sync(aside)
    if not folder.exists():
        aside.rename(folder)
    elif not _exchanged(aside, folder):
        old = aside.with_name(f".{folder.name}.{os.getpid()}.old.part")
        folder.rename(old)
        aside.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    _sync(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether the two names could be exchanged, which Python has no word for."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(AT_CWD, os.fsencode(one), AT_CWD, os.fsencode(other), EXCHANGE) == 0)


def _sync(path: Path) -> None:
    """Makes a file or the names in a folder last through a power cut, where the system can."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """A block in which no other process holds the folder, which is made if it is missing.

    The system lets go of it however the process ends. What a killed process left half-written directly in the
    folder is removed first; a folder that was made here and is still empty goes again.

    Raises:
        UserError: another process holds it, or it cannot be written.
    """
    from filelock import FileLock, Timeout  # not before it is needed: much else imports this file

    new = not folder.exists()
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise UserError(
            f"{folder} is being written by another clipsonic; wait for it or name another folder"
        ) from error
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}") from error
    try:
        for pattern in LEFTOVERS:
            for path in folder.glob(pattern):
                _remove(path)
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)  # while it is held: who waits for it sees that it is gone
        lock.release()
        if new:
            with suppress(OSError):
                folder.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """A block that writes into a folder: a full or closed disk is the user's to mend, in one line.

    Raises:
        UserError: the system refuses to write.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}") from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError" or "I/O" not in str(error):  # its word for the same
            raise
        raise UserError(f"{folder} cannot be written: {first_line(error)}") from error


def write_json(path: Path, value: Any) -> None:
    """A value => a JSON file that is whole or absent."""
    with whole_file(path) as file:
        text = json.dumps(value, indent=1, ensure_ascii=False)
        # A byte of a file name that is not UTF-8 becomes the escape that JSON has for it.
        file.write(text.encode(errors="backslashreplace") + b"\n")


def cache_folder() -> Path:
    """Return the folder for what can be made again: in the user's cache, else one that goes with the process."""
    base = user_cache()
    return (base if base is not None and can_write(base) else temporary_cache()) / "clipsonic"


def user_cache() -> Path | None:
    """Return XDG_CACHE_HOME, or .cache in the home folder; None if the user has neither."""
    said = os.environ.get("XDG_CACHE_HOME")
    if not said and os.environ.get("HOME") == "":  # for which Python gives the root folder
        return None
    try:
        return Path(said or "~/.cache").expanduser().absolute()
    except RuntimeError:  # neither HOME nor an entry of passwd
        return None


def can_write(folder: Path) -> bool:
    """Return whether a folder, or the first above it that exists, can be written to."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


@cache
def temporary_cache() -> Path:
    """Make a folder that only this user can read and that is removed at the end of the process."""
    folder = tempfile.mkdtemp(prefix="clipsonic-cache-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def ensure_cache() -> None:
    """Set environment variables so that every library, and every process started, has a cache that can be written.

    Does nothing where the user's can be. Models downloaded to a cache that can only be read are still found.
    """
    base = user_cache()
    if base is not None and can_write(base):
        return
    for name, variable in (("huggingface", "HF_HOME"), ("torch", "TORCH_HOME")):
        if base is not None and (base / name).is_dir():
            os.environ.setdefault(variable, str(base / name))
    folder = str(temporary_cache())
    os.environ["XDG_CACHE_HOME"] = folder
    os.environ.setdefault("MPLCONFIGDIR", folder)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", folder)  # torch would ask for the user's name
