"""Videos read by several processes at once, given back in order; one that kills its reader costs only itself."""

import io
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.bounded import PATIENCE, TOO_LARGE, Died, begin, once, time_limit
from clipsonic.data.shards import flac
from clipsonic.data.sources import Video
from clipsonic.data.video import Unusable, read_clips

MOST_THREADS = 16  # of a decoder; ffmpeg warns of more
MISSING = "no such file"
GONE = "the drive went away while it was read"
AGAIN = {MISSING, GONE}  # reasons that are looked at again the next time


@dataclass(frozen=True)
class Piece:
    """A clip on its way from a reader process: FLAC and JPEG are a tenth of what they unpack to."""

    start: float
    seconds: float
    sound: bytes
    pictures: list[bytes]
    times: list[float]


def read_all(
    videos: Sequence[Video], clip_seconds: float, workers: int, patience: float = PATIENCE
) -> Iterator[tuple[Video, list[Piece] | str]]:
    """Each video with its pieces or the reason why it has none, in the order given, read ahead by few.

    Args:
        patience: seconds after which a decoder that gives nothing is ended.
    """
    waiting = deque(videos)
    running: deque[tuple[Video, Future[list[Piece] | str]]] = deque()
    threads = decoder_threads(min(workers, len(videos)))
    pool = _pool(workers)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                try:
                    running.append(
                        (waiting[0], pool.submit(_read, waiting[0], clip_seconds, threads, patience))
                    )
                    waiting.popleft()
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
                pieces = _read_alone(video, clip_seconds, patience)
            yield video, pieces
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


def _read_alone(video: Video, clip_seconds: float, patience: float) -> list[Piece] | str:
    """In a process of its own, whose end tells what is wrong with the video."""
    try:
        return once(_read, video, clip_seconds, 1, patience)
    except Died as reason:
        return str(reason)


def _read(
    video: Video, clip_seconds: float, threads: int = 1, patience: float = PATIENCE
) -> list[Piece] | str:
    """Runs in a reader process; a decoder that thinks too long about a packet is killed by the alarm."""
    pieces: list[Piece] = []
    why: str | None = None
    signal.setitimer(signal.ITIMER_REAL, patience)
    try:
        if not video.path.is_file():
            return MISSING
        alive = time_limit(video.path, patience)
        for clip in read_clips(video.path, clip_seconds, video.start, video.seconds, threads, alive):
            seconds = len(clip.wave) / SAMPLE_RATE
            pictures = [_jpeg(picture) for picture in clip.pictures]
            pieces.append(Piece(clip.start, seconds, flac(clip.wave), pictures, clip.times))
    except MemoryError:
        return TOO_LARGE
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


def _jpeg(picture: Image.Image) -> bytes:
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=95, subsampling=0)
    return target.getvalue()
