"""`--ray`: the work of several processes as tasks of a Ray cluster, or of a small one begun on this machine.

The files that are read and written lie where all machines see them under one name. Order and content of what is
made are those of a single machine, whatever the cluster; a task whose worker or machine is lost is done again.
"""

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from clipsonic.data.prepare import Reader
from clipsonic.data.readers import Piece, read_all
from clipsonic.data.sources import Video
from clipsonic.errors import UserError, first_line
from clipsonic.interfaces import batch
from clipsonic.interfaces.engine import Engine

RETRIES = 3  # of a task whose worker is lost
MOST_VIDEOS = 32  # a task: its reader process begins once for all of them
AHEAD = 2  # tasks a core that are given out before their turn

Read = list[Piece] | str


@contextmanager
def cluster(address: str) -> Iterator[Any]:
    """Ray, connected to the cluster inside.

    Raises:
        UserError: Ray is not installed, or there is no cluster there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # and no warning of what will change
    try:
        import ray
    except ImportError as error:
        raise UserError("--ray needs Ray: pip install 'clipsonic[cluster]'") from error
    settings: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **settings)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise UserError(f"no Ray cluster at {address}: {first_line(error)}") from error
    try:
        yield ray
    except ray.exceptions.RayTaskError:  # a mistake of ours, in the words of where it arose
        raise
    except ray.exceptions.RayError as error:
        raise UserError(
            f"the cluster {address} gave up: {first_line(error)}; the same command goes on"
        ) from error
    finally:
        ray.shutdown()


def reader_of(address: str) -> Reader:
    """What reads videos on a cluster, which says itself how many at once."""

    def read(videos: Sequence[Video], clip_seconds: float, workers: int) -> Iterator[tuple[Video, Read]]:
        with cluster(address) as ray:
            cores = _cores(ray)
            task = ray.remote(num_cpus=1, max_retries=RETRIES)(_read)
            size = min(MOST_VIDEOS, 1 + len(videos) // (4 * cores))
            waiting = deque(videos[first : first + size] for first in range(0, len(videos), size))
            running: deque[tuple[Sequence[Video], Any]] = deque()
            while waiting or running:
                while waiting and len(running) < AHEAD * cores:
                    part = waiting.popleft()
                    running.append((part, task.remote(str(Path.cwd()), part, clip_seconds)))
                part, future = running.popleft()
                yield from zip(part, ray.get(future), strict=True)

    return read


def make_all(
    parts: Sequence[list[batch.Row]], engine: Engine, maker: str, address: str
) -> Iterator[tuple[list[batch.Row], list[tuple[int, str]]]]:
    """Makes groups of requests on a cluster, one a core, and yields each with its failures, as they are done."""
    with cluster(address) as ray:
        most = AHEAD * _cores(ray)
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(_make)
        waiting = deque(parts)
        running: dict[Any, list[batch.Row]] = {}
        while waiting or running:
            while waiting and len(running) < most:
                part = waiting.popleft()
                running[task.remote(str(Path.cwd()), part, engine, maker)] = part
            for future in ray.wait(list(running))[0]:
                yield running.pop(future), ray.get(future)


def _cores(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _read(here: str, videos: Sequence[Video], clip_seconds: float) -> list[Read]:
    """A task: paths are meant from where the command was given."""
    os.chdir(here)
    return [_held(pieces) for _, pieces in read_all(videos, clip_seconds, 1)]


def _held(pieces: Read) -> Read:
    """Return pieces with their pictures in memory: the file in which they wait is on this machine."""
    return (
        pieces
        if isinstance(pieces, str)
        else [replace(each, pictures=list(each.pictures)) for each in pieces]
    )


_makers: dict[tuple[Engine, str], batch.Maker] = {}  # of a worker: the model of the last task


def _make(here: str, rows: list[batch.Row], engine: Engine, maker: str) -> list[tuple[int, str]]:
    """A task."""
    import torch

    os.chdir(here)
    torch.set_num_threads(1)
    if (engine, maker) not in _makers:
        _makers.clear()
        _makers[engine, maker] = batch.Maker(engine, maker)
    return _makers[engine, maker].make(rows)
