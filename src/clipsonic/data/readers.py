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

from PIL import Image

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.shards import flac
from clipsonic.data.sources import Video
from clipsonic.data.video import Unusable, read_clips

MOST_THREADS = 16  # of a decoder; ffmpeg warns of more
MISSING = "no such file"  # the one reason that is looked at again the next time


@dataclass(frozen=True)
class Piece:
    """A clip on its way from a reader process: FLAC and JPEG are a tenth of what they unpack to."""

    start: float
    seconds: float
    sound: bytes
    pictures: list[bytes]
    times: list[float]


def read_all(
    videos: Sequence[Video], clip_seconds: float, workers: int
) -> Iterator[tuple[Video, list[Piece] | str]]:
    """Each video with its pieces or the reason why it has none, in the order given, read ahead by few."""
    waiting = deque(videos)
    running: deque[tuple[Video, Future[list[Piece] | str]]] = deque()
    threads = decoder_threads(min(workers, len(videos)))
    pool = _pool(workers)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                try:
                    running.append((waiting[0], pool.submit(_read, waiting[0], clip_seconds, threads)))
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
                pieces = _read_alone(video, clip_seconds)
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
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=_ignore_interrupts)


def _ignore_interrupts() -> None:
    """Ctrl-C goes to every process of the terminal; only the main one decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read_alone(video: Video, clip_seconds: float) -> list[Piece] | str:
    with _pool(1) as pool:
        try:
            return pool.submit(_read, video, clip_seconds).result()
        except BrokenProcessPool:
            return "reading it crashed the decoder or ran out of memory"


def _read(video: Video, clip_seconds: float, threads: int = 1) -> list[Piece] | str:
    """Runs in a reader process."""
    if not video.path.is_file():
        return MISSING
    pieces: list[Piece] = []
    try:
        for clip in read_clips(video.path, clip_seconds, video.start, video.seconds, threads):
            seconds = len(clip.wave) / SAMPLE_RATE
            pictures = [_jpeg(picture) for picture in clip.pictures]
            pieces.append(Piece(clip.start, seconds, flac(clip.wave), pictures, clip.times))
    except Unusable as reason:
        return pieces or str(reason)  # a file that breaks off gives what came before
    except Exception as error:  # whatever a decoder comes up with, the other videos go on
        return pieces or f"unreadable: {type(error).__name__}: {error}"
    return pieces


def _jpeg(picture: Image.Image) -> bytes:
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=95, subsampling=0)
    return target.getvalue()
