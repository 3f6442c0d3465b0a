"""Videos read by several processes at once, given back in order; one that kills its reader costs only itself."""

import io
import multiprocessing
import os
import signal
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from PIL import Image

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.bounded import PATIENCE, TOO_LARGE, Died, begin, once, time_limit
from clipsonic.data.shards import flac
from clipsonic.data.sources import Video
from clipsonic.data.video import Unusable, read_clips
from clipsonic.errors import UserError

MOST_THREADS = 16  # of a decoder; ffmpeg warns of more
MISSING = "no such file"
GONE = "the drive went away while it was read"
AGAIN = {MISSING, GONE}  # reasons that are looked at again the next time


class SpoolError(UserError):
    """The temporary folder cannot be written: no fault of a video."""


class Spooled(Sequence[bytes]):
    """Byte strings in a file, read when they are asked for: a long video's pictures are too many for the memory."""

    def __init__(self, path: Path, places: list[tuple[int, int]]) -> None:
        self.path, self.places = path, places  # offset and size of each

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, number: int) -> bytes: ...

    @overload
    def __getitem__(self, number: slice) -> list[bytes]: ...

    def __getitem__(self, number: int | slice) -> bytes | list[bytes]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        offset, size = self.places[number]
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(size)


@dataclass(frozen=True)
class Piece:
    """A clip on its way from a reader process."""

    start: float
    seconds: float
    sound: bytes  # FLAC
    pictures: Sequence[bytes]  # PNG: the encoder sees what was decoded
    times: list[float]


def read_all(
    videos: Sequence[Video], clip_seconds: float, workers: int, patience: float = PATIENCE
) -> Iterator[tuple[Video, list[Piece] | str]]:
    """Each video with its pieces or the reason why it has none, in the order given, read ahead by few.

    Args:
        patience: seconds after which a decoder that gives nothing is ended.

    The pictures of a video can be read until the next video is asked for.

    Raises:
        UserError: the temporary folder, in which they wait, cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="clipsonic-pictures-") as folder:
        yield from _read_all(videos, clip_seconds, workers, patience, Path(folder))


def _read_all(
    videos: Sequence[Video], clip_seconds: float, workers: int, patience: float, folder: Path
) -> Iterator[tuple[Video, list[Piece] | str]]:
    spools = {id(video): folder / str(number) for number, video in enumerate(videos)}
    waiting = deque(videos)
    running: deque[tuple[Video, Future[list[Piece] | str]]] = deque()
    threads = decoder_threads(min(workers, len(videos)))
    pool = _pool(workers)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                try:
                    spool = spools[id(waiting[0])]
                    future = pool.submit(_read, waiting[0], clip_seconds, threads, patience, spool)
                    running.append((waiting.popleft(), future))
                except BrokenProcessPool:  # since the last look; the running ones tell which video it was
                    if running:
                        break
                    pool = _pool(workers)
            video, future = running.popleft()
            try:
                pieces = future.result()
            except BrokenProcessPool:
                # One of the running videos killed its reader: find out which, one by one.
                pool.shutdown(wait=False)
                pool = _pool(workers)
                waiting.extendleft(reversed([other for other, _ in running]))
                running.clear()
                pieces = _read_alone(video, clip_seconds, patience, spools[id(video)])
            yield video, pieces
            spools[id(video)].unlink(missing_ok=True)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def decoder_threads(videos: int) -> int:
    """Threads of a video's decoder when so many are read at once: one where that keeps all cores busy.

    Frames wait for those that they are predicted from: of fewer videos than cores, three threads keep a core busy.
    """
    cores = os.cpu_count() or 1
    return 1 if videos >= cores else min(MOST_THREADS, 3 * cores // max(1, videos))


def _pool(workers: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")  # forking a process that runs torch can hang
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=begin)


def _read_alone(video: Video, clip_seconds: float, patience: float, spool: Path) -> list[Piece] | str:
    """In a process of its own, whose end tells what is wrong with the video."""
    try:
        return once(_read, video, clip_seconds, 1, patience, spool)
    except Died as reason:
        return str(reason)


def _read(
    video: Video,
    clip_seconds: float,
    threads: int = 1,
    patience: float = PATIENCE,
    spool: Path | None = None,
) -> list[Piece] | str:
    """Read a video in a reader process; a decoder that thinks too long about a packet is killed by the alarm.

    Args:
        video: what to read.
        clip_seconds: length of a clip.
        threads: of its decoder.
        patience: seconds that a packet may take.
        spool: file for the pictures; without one they stay in memory.
    """
    pieces: list[Piece] = []
    why: str | None = None
    if spool is not None:
        spool.unlink(missing_ok=True)  # of a reader that was killed
    signal.setitimer(signal.ITIMER_REAL, patience)
    try:
        if not video.path.is_file():
            return MISSING
        alive = time_limit(video.path, patience)
        for clip in read_clips(video.path, clip_seconds, video.start, video.seconds, threads, alive):
            seconds = len(clip.wave) / SAMPLE_RATE
            pictures: Sequence[bytes] = [_png(picture) for picture in clip.pictures]
            if spool is not None:
                pictures = _spooled(pictures, spool)
            pieces.append(Piece(clip.start, seconds, flac(clip.wave), pictures, clip.times))
    except MemoryError:
        return TOO_LARGE
    except SpoolError:
        raise
    except Unusable as reason:
        why = str(reason)
        if isinstance(reason.__cause__, TimeoutError):
            return why
        if isinstance(reason.__cause__, MemoryError):
            return TOO_LARGE
    except Exception as error:  # whatever a decoder comes up with, the other videos go on
        why = f"unreadable: {type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if not _is_there(video.path, wholly=bool(why)):
        return GONE  # what was read may be a part of it
    return pieces or why or "nothing in it can be used"  # a file that breaks off gives what came before


def _is_there(path: Path, wholly: bool) -> bool:
    """Whether the file can still be read, to its end: a decoder says of a lost drive what it says of damage."""
    try:
        with path.open("rb") as file:
            while file.read(2**20) and wholly:
                pass
    except OSError:
        return False
    return True


def _png(picture: Image.Image) -> bytes:
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=1)
    return target.getvalue()


def _spooled(pictures: Sequence[bytes], spool: Path) -> Spooled:
    places = []
    try:
        with spool.open("ab") as file:
            for picture in pictures:
                places.append((file.tell(), len(picture)))
                file.write(picture)
    except OSError as error:
        raise SpoolError(
            f"{spool.parent}, where pictures wait for the encoder, cannot be written: {error.strerror or error}; "
            "name another temporary folder with TMPDIR"
        ) from error
    return Spooled(spool, places)
