"""What takes seconds of a command that is mostly imports: the garbage collector, and packages it never uses."""

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """A block of imports and loading in which the collector does not run.

    What is imported is never garbage, but the collector would look through its million objects ever again: while
    they are made, at every full collection afterwards, and at the end of the process.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.freeze)
        if was_on:
            gc.enable()


@contextmanager
def absent(package: str) -> Iterator[None]:
    """A block in which a package that others import only if it is there seems not to be there.

    Nothing happens if it has been imported before.
    """
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # so Python marks what cannot be imported
    try:
        yield
    finally:
        del sys.modules[package]
