"""What a reader process may meet; a module of its own, so that such a process starts quickly."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clipsonic.data.bounded import time_limit


def hung() -> Iterator[int]:
    time_limit(Path("none"), patience=60.0)
    yield 1
    time_limit(Path("none"), patience=0.5)
    ctypes.PyDLL(None).sleep(60)  # in C, and nothing else of Python runs meanwhile


def greedy() -> Iterator[int]:
    yield len(np.ones(16 * 2**30, np.uint8))


def crashed() -> Iterator[int]:
    yield os._exit(3)


def starved(*words: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def broken(*words: object) -> None:
    os._exit(3)


def hungry(*words: object) -> None:
    list(greedy())


def writes_for_ever(video: Path, wave: object, sample_rate: int, out: Path, patience: float) -> None:
    with out.open("wb", buffering=0) as file:
        while True:
            file.write(b"sound")
            time.sleep(0.01)


def sleeps(*words: object) -> None:
    time.sleep(60)
