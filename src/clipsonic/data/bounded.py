"""Work in a process of its own, of which memory and time are bounded, and whose death is told by its reason.

A reader, as such a process is called here, does not outlive the process that it reads for.
"""

import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar

from clipsonic.data.video import Unusable

MOST_MEMORY = 4 * 2**30  # bytes a reader may take: thirty frames of 8K at once, each of 100 MB at most
PATIENCE = 120.0  # seconds a decoder may think about one packet, or about opening a file
MOST_SECONDS = 3600.0  # for a file, and besides a second for every `LEAST_PACE` bytes of it
LEAST_PACE = 20_000
TOO_LARGE = f"reading it takes more than {MOST_MEMORY / 2**30:g} GB of memory"
DEATHS = {
    signal.SIGALRM: "reading it took too long: the decoder hung",
    signal.SIGKILL: "reading it ran out of memory: the system ended its reader",
}

T = TypeVar("T")


class Died(Exception):
    """A reader that was ended; the message says by what."""


def begin() -> None:
    """What a reader begins with: its bounds, and deafness to Ctrl-C, of which only the main process decides."""
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
    begin()
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
