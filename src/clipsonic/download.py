"""One file from an address: a download that can be stopped, resumed and trusted."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from clipsonic.errors import UserError

CHUNK = 1 << 18  # bytes
TRIES = 3  # without a byte of progress between them
SECONDS = 15.0  # of silence
SHA1, SHA256 = 40, 64  # digits


@dataclass(frozen=True)
class Remote:
    """A file to fetch: from `url` to `target`, of `size` bytes and with the checksum `digest`, if known."""

    url: str
    target: Path
    size: int | None
    digest: str | None

    @property
    def part(self) -> Path:
        """Where the bytes are until all have come."""
        return self.target.with_name(f"{self.target.name}.part")


class Listener:
    """Told how a fetch goes on; this one does nothing."""

    def total(self, count: int) -> None:
        """So many bytes there are to have."""

    def more(self, count: int) -> None:
        """So many more of them are here."""

    def deleted(self, file: str) -> None:
        """This file was damaged, and is fetched again."""


def matches(path: Path, digest: str) -> bool:
    """Whether a file's SHA-256 begins with `digest`, or for 40 digits, whether that is its SHA-1 as a git blob."""
    hasher = hashlib.sha256()
    if len(digest) == SHA1:
        hasher = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    return hasher.hexdigest().startswith(digest)


def download(remote: Remote, listener: Listener) -> None:
    """Fetches one file, going on with what is there; it gets its name when it is whole and right.

    Raises:
        UserError: what came is damaged, or another process is at it. Besides, what web client and disk raise.
    """
    part, digest = remote.part, remote.digest
    part.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{part}.lock", blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise UserError(f"another process is fetching {remote.target.name}; wait for it") from error
    try:
        whole = digest is not None and part.exists() and matches(part, digest)  # stopped just before the end
        if not whole:
            _fill(remote, listener)
            if digest is not None and not matches(part, digest):
                part.unlink()
                address = remote.url.partition("?")[0]  # without the signature of a signed one
                raise UserError(
                    f"what came from {address} is damaged: its checksum is not {digest}; it was deleted, "
                    "fetch again"
                )
        part.replace(remote.target)
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def _fill(remote: Remote, listener: Listener) -> None:
    tries = TRIES
    with remote.part.open("ab") as file:
        listener.more(file.tell())
        while True:
            before = file.tell()
            try:
                return _stream(remote, file, listener)
            except Exception:  # of whichever client; the last one is told
                tries = TRIES if file.tell() > before else tries - 1
                if tries == 0:
                    raise
                time.sleep(1)


def _stream(remote: Remote, file: IO[bytes], listener: Listener) -> None:
    """The bytes from where the file ends to the end."""
    from huggingface_hub import get_session

    if file.tell() == remote.size:
        return
    headers = {"Accept-Encoding": "identity"}
    if file.tell():
        headers["Range"] = f"bytes={file.tell()}-"
    session: Any = get_session()
    with session.stream(
        "GET", remote.url, headers=headers, follow_redirects=True, timeout=SECONDS
    ) as response:
        if file.tell() and response.status_code in (200, 416):  # no part is to be had: start over
            listener.more(-file.tell())
            file.truncate(0)
            file.seek(0)
        response.raise_for_status()
        length = response.headers.get("Content-Length")
        size = remote.size if length is None else file.tell() + int(length)
        if remote.size is None and size is not None:
            listener.total(size)
        for chunk in response.iter_bytes(CHUNK):
            file.write(chunk)
            listener.more(len(chunk))
    file.flush()
    if size is not None and file.tell() != size:
        raise OSError(f"the connection broke after {file.tell()} of {size} bytes")
