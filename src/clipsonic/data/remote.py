"""A prepared data set behind a URL: parts of its files, and as many whole shards on this disk as may be kept.

Shards that fit into the cache together are fetched once, as a whole, and checked by their checksums. Of the others
each clip is fetched when it is drawn, and checked by its own: fetching whole shards for single clips, and throwing
them away for the next ones, would move 256 times as much.
"""

import hashlib
import os
import re
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsonic.errors import UserError, first_line
from clipsonic.files import cache_folder, whole_file, whole_folder

WAITS = (0.5, 2.0, 8.0)  # seconds before another try
BOUND = "CLIPSONIC_SHARDS_GB"  # the environment's word for the most that whole shards may take
GIGABYTES = 50.0  # unless told


def url_of(folder: Path) -> str | None:
    """`s3://bucket/data`, which a path writes with one slash => the URL; None for a folder of this machine."""
    scheme, colon, rest = folder.as_posix().partition(":/")
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+.-]+", scheme) or folder.exists():
        return None
    return f"{scheme}://{rest.lstrip('/')}"


def read(url: str, start: int | None = None, end: int | None = None) -> bytes:
    """A file, or its bytes from `start` to `end`.

    Raises:
        UserError: it cannot be had, or not in parts.
    """
    files, path = _open(url)
    content: bytes = _patiently(url, lambda: files.cat_file(path, start, end))
    if start is not None and end is not None and len(content) != end - start:
        raise UserError(f"{url}: asked for {end - start} bytes of it, got {len(content)}: it is cut off, or its "
                        "server gives no parts of files")  # fmt: skip
    return content


def read_many(url: str, names: Sequence[str]) -> list[bytes]:
    """Small files of a folder, many at once.

    Raises:
        UserError: one of them cannot be had.
    """
    files, path = _open(url)
    places = [f"{path}/{name}" for name in names]
    found: dict[str, bytes] = _patiently(url, lambda: files.cat(places)) if places else {}
    return [found[place] for place in places]


def fetched(url: str, folder: Path) -> Path:
    """A folder of few files => its copy on this machine, made if it is not there.

    Raises:
        UserError: it cannot be had, or its server does not say what is in it.
    """
    if not folder.exists():
        files, path = _open(url)
        names = [place[len(path) + 1 :] for place in _patiently(url, lambda: files.find(path))]
        if not names:
            raise UserError(f"{url} is empty, or its server does not list folders")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(folder) as aside:
            for name, content in zip(names, read_many(url, names), strict=True):
                (aside / name).parent.mkdir(parents=True, exist_ok=True)
                (aside / name).write_bytes(content)
    return folder


def _open(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:  # a store whose package is missing, or an unknown one
        raise UserError(f"{url} cannot be read: {first_line(error)}") from error
    return files, str(path).rstrip("/")


def _patiently(url: str, ask: Any) -> Any:
    """Asks again after a while, unless there is no such thing."""
    for wait in (*WAITS, None):
        try:
            return ask()
        except (FileNotFoundError, PermissionError) as error:
            raise UserError(f"{url} cannot be read: {type(error).__name__}: {first_line(error)}") from error
        except Exception as error:  # each store has errors of its own
            if wait is None:
                raise UserError(
                    f"{url} cannot be read: {first_line(error)}; the same command goes on when it can"
                ) from error
            time.sleep(wait)


@dataclass(frozen=True)
class RemoteShard:
    """A shard behind a URL."""

    url: str
    sha256: str
    whole: bool  # kept on this disk

    def read(self, place: tuple[int, int], crc32: int | None) -> bytes:
        """Bytes at an offset, of a size.

        Raises:
            UserError: they cannot be had, or are damaged.
        """
        start, size = place
        if self.whole:
            while True:
                try:
                    with kept(self.url, self.sha256).open("rb") as file:
                        file.seek(start)
                        return file.read(size)
                except FileNotFoundError:  # another process made room just now
                    continue
        content = read(self.url, start, start + size)
        if crc32 is not None and zlib.crc32(content) != crc32:
            raise UserError(f"{self.url} is damaged at byte {start}; copy it there again")
        return content


def bound() -> int:
    """Bytes that whole shards may take on this disk.

    Raises:
        UserError: the environment says something else than a number.
    """
    said = os.environ.get(BOUND, str(GIGABYTES))
    try:
        return int(float(said) * 1e9)
    except (ValueError, OverflowError) as error:
        raise UserError(f"{BOUND}={said} is no number of gigabytes") from error


def kept(url: str, sha256: str) -> Path:
    """The local copy of a shard, fetched unless it is there; what was not read for longest makes room.

    Raises:
        UserError: it cannot be had, is damaged, or is larger than all there may be.
    """
    from filelock import FileLock

    folder = cache_folder() / "shards"
    path = folder / f"{sha256}.tar"
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                if not path.exists():
                    _fetch(url, sha256, path)
        except OSError as error:
            raise UserError(f"{folder} cannot be written: {error.strerror or error}") from error
    os.utime(path)
    return path


def _fetch(url: str, sha256: str, path: Path) -> None:
    content = read(url)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(f"{url} is damaged: its checksum is not that of dataset.json; copy it there again")
    for part in path.parent.glob(".*.part"):  # of a process that was killed: the lock is ours
        part.unlink()
    others = sorted(path.parent.glob("*.tar"), key=lambda other: other.stat().st_mtime)
    room = bound() - len(content) - sum(other.stat().st_size for other in others)
    while room < 0 and others:
        room += others[0].stat().st_size
        others.pop(0).unlink()
    if room < 0:
        raise UserError(f"{url} has {len(content) / 1e9:.2f} GB, more than {BOUND} allows")
    with whole_file(path) as file:
        file.write(content)
