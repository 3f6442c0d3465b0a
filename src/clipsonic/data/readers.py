"""Videos read by several processes at once, given back in order; one that kills its reader costs only itself.

A reader has a bounded memory and a bounded time, and ends with the process that it reads for.
"""

import io
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.shards import flac
from clipsonic.data.sources import Video
from clipsonic.data.video import Unusable, read_clips

MOST_THREADS = 16  # of a decoder; ffmpeg warns of more
MOST_MEMORY = 4 * 2**30  # bytes a reader may take: thirty frames of 8K at once, each of 100 MB at most
PATIENCE = 120.0  # seconds a decoder may think about one packet, or about opening a file
MOST_SECONDS = 3600.0  # for a file, and besides a second for every `LEAST_PACE` bytes of it
LEAST_PACE = 20_000
TOO_LARGE = f"reading it takes more than {MOST_MEMORY / 2**30:g} GB of memory"
MISSING = "no such file"
GONE = "the drive went away while it was read"
AGAIN = {MISSING, GONE}  # reasons that are looked at again the next time
DEATHS = {
    signal.SIGALRM: "reading it took too long: the decoder hung",
    signal.SIGKILL: "reading it ran out of memory: the system ended its reader",
}

T = TypeVar("T")


class Died(Exception):
    """A reader that was ended; the message says by what."""


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
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=_begin)


def _begin() -> None:
    """Ctrl-C goes to every process of the terminal; only the main one decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # not SIGTERM, by which a broken pool ends its other readers
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, wherever its decoder is
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _addresses() + MOST_MEMORY
    if most == resource.RLIM_INFINITY or wanted < most:  # else the user's own limit is the narrower one
        with suppress(OSError, ValueError):  # a system that has no such limit
            resource.setrlimit(resource.RLIMIT_AS, (wanted, most))
    end_with_parent()


def _addresses() -> int:
    """Bytes that are addressed already, by threads and libraries: on large machines gigabytes that nobody uses."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # no Linux
        return 0


def end_with_parent() -> None:
    """From now on this process ends when the one that began it is killed, instead of waiting for it for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def alone(work: Callable[..., Iterator[T]], *words: Any) -> Generator[T]:
    """What `work(*words)` yields or raises, from a reader of its own, which ends with the iteration.

    Raises:
        Died: the reader was ended by a limit, the system or a crash.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    reader = context.Process(target=_send_all, args=(theirs, work, words))
    try:
        with _unheard():
            reader.start()
        theirs.close()
        while True:
            given, error = ours.recv()
            if error is not None:
                raise error
            if given is None:
                return
            yield given
    except (EOFError, ConnectionError) as error:
        if reader.pid is not None:
            reader.join()
        death = -(reader.exitcode or 0)
        raise Died(DEATHS.get(death, "reading it crashed the decoder")) from error  # type: ignore[call-overload]
    finally:
        ours.close()
        if reader.pid is not None:
            reader.kill()  # Ctrl-C, which it does not hear, or nobody wants the rest
            reader.join()


def once(work: Callable[..., T], *words: Any) -> T:
    """What `work(*words)` returns or raises, from a reader of its own.

    Raises:
        Died: as `alone`.
    """
    with closing(alone(_once, work, *words)) as found:
        return next(found)[0]


def _once(work: Callable[..., T], *words: Any) -> Iterator[tuple[T]]:
    yield (work(*words),)  # None, too


@contextmanager
def _unheard() -> Iterator[None]:
    """Has Ctrl-C wait, and processes that are begun meanwhile not hear it: they would end with a traceback."""
    resource_tracker.ensure_running()  # as it begins it lifts what is blocked
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _send_all(pipe: Any, work: Callable[..., Iterator[Any]], words: tuple[Any, ...]) -> None:
    _begin()
    try:
        for given in work(*words):
            signal.setitimer(signal.ITIMER_REAL, 0)  # who takes it may take his time
            pipe.send((given, None))
        pipe.send((None, None))
    except MemoryError:
        pipe.send((None, Unusable(TOO_LARGE)))
    except Exception as error:
        pipe.send((None, error))


def time_limit(path: Path, patience: float = PATIENCE) -> Callable[[], None]:
    """A function to call at every packet of a file: from now on an alarm ends the process if it is not in time.

    It raises a TimeoutError when reading all in all takes longer than the size of the file allows.
    """
    until = time.monotonic() + MOST_SECONDS
    with suppress(OSError):
        until += path.stat().st_size / LEAST_PACE

    def alive() -> None:
        if time.monotonic() > until:
            raise TimeoutError(f"reading it took more than {MOST_SECONDS:.0f} s")
        signal.setitimer(signal.ITIMER_REAL, patience)

    signal.setitimer(signal.ITIMER_REAL, patience)
    return alive


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
