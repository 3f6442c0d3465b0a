"""What a reader process may meet; a module of its own, so that such a process starts quickly."""

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clipsonic.data.readers import time_limit


def hung() -> Iterator[int]:
    time_limit(Path("none"), patience=60.0)
    yield 1
    time_limit(Path("none"), patience=0.5)
    ctypes.PyDLL(None).sleep(60)  # in C, and nothing else of Python runs meanwhile


def greedy() -> Iterator[int]:
    yield len(np.ones(16 * 2**30, np.uint8))


def crashed() -> Iterator[int]:
    yield os._exit(3)
