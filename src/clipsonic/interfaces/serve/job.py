"""A request that was taken, what becomes of it, and what the queue says when it takes none."""

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clipsonic.config import CLIP_SECONDS
from clipsonic.interfaces.answering import Answer
from clipsonic.interfaces.serve.requests import Limits, Request

if TYPE_CHECKING:
    from clipsonic.interfaces.serve.jobs import Desk

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
OVER = (DONE, FAILED, CANCELLED)


class Full(Exception):
    """The queue is full; `retry_after` is in seconds, estimated from what the work has taken so far."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the queue is full; try again in {retry_after:.0f} s")
        self.retry_after = retry_after


class Closed(Exception):
    """The server is stopping and takes nothing more."""


@dataclass(frozen=True)
class Stats:
    """Numbers of a desk since it began."""

    waiting: int  # jobs now
    running: int  # jobs now, all in one batch
    kept: int  # jobs that have ended and can be fetched
    ended: dict[str, int]  # jobs, by how
    refused: int  # for want of a place
    clips: int
    batches: int
    waited_seconds: float  # of all jobs, from their coming to their beginning
    worked_seconds: float  # of all batches


@dataclass(eq=False)
class Job:
    """A request that was taken, and what becomes of it. All of it may be read from any thread."""

    request: Request
    desk: "Desk" = field(repr=False)
    on_end: Callable[[], None] = field(repr=False)
    owner: str | None = field(default=None, repr=False)  # who may list it; nobody may if it is None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: str = WAITING
    progress: float = 0.0
    error: str | None = None  # why it failed or was cancelled, in a few words
    notes: list[str] = field(default_factory=list, repr=False)  # what the model does not know of its prompts
    clips: list[Answer] = field(default_factory=list, repr=False)
    came: float = field(default_factory=time.monotonic)
    began: float | None = None
    ended: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state in OVER

    @property
    def ahead(self) -> int:
        """Jobs that are made before it."""
        return self.desk.ahead(self)

    @property
    def seconds_left(self) -> float:
        """Until it is done, by what the work has taken so far; 0 when it is over."""
        return self.desk.seconds_left(self)

    @property
    def work(self) -> float:
        """Steps times seconds of sound, twice that where guidance asks the network twice."""
        asked = self.request
        passes = 1 if asked.guidance_scale == 1 else 2
        return int(asked.steps or 1) * (asked.seconds or CLIP_SECONDS) * asked.number * passes / 2

    @property
    def kept_bytes(self) -> int:
        """What it holds in memory and, of an uploaded video, on disk."""
        video = self.request.video
        upload = video.stat().st_size if video is not None and video.exists() else 0
        return upload + sum(wave.nbytes + mel.nbytes for wave, mel, _ in self.clips)

    def release(self) -> None:
        """Remove the upload; nothing happens the second time."""
        on_end, self.on_end = self.on_end, lambda: None
        on_end()

    def cancel(self) -> None:
        """Stops it, at the next step if it runs; nothing happens if it is over."""
        self.desk.end(self, CANCELLED, "cancelled")

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is over => whether it is."""
        with self.desk.changed:
            return self.desk.changed.wait_for(lambda: self.over, timeout)


def too_many(jobs: Iterable[Job], limits: Limits) -> list[Job]:
    """Those that have ended and are not kept any more: the oldest, but for the last, however large it is."""
    over = sorted((job for job in jobs if job.over), key=lambda job: float(job.ended or 0.0), reverse=True)
    now, size, gone = time.monotonic(), 0, []
    for place, job in enumerate(over):
        size += job.kept_bytes
        old = now - float(job.ended or 0.0) > limits.kept_seconds
        if old or (place and (place >= limits.kept_jobs or size > limits.kept_bytes)):
            gone.append(job)
    return gone
