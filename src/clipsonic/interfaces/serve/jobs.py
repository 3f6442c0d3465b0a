"""A bounded queue of requests, and the one worker thread that owns the pipeline."""

import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clipsonic.errors import UserError
from clipsonic.interfaces.answering import Answer
from clipsonic.interfaces.serve.job import (
    CANCELLED,
    DONE,
    FAILED,
    RUNNING,
    WAITING,
    Closed,
    Full,
    Job,
    Stats,
    too_many,
)
from clipsonic.interfaces.serve.making import make, page_of
from clipsonic.interfaces.serve.pace import TOGETHER, Pace, together
from clipsonic.interfaces.serve.requests import Limits, Request, checked

if TYPE_CHECKING:
    from clipsonic.pipeline import CLIPSonicPipeline

__all__ = ["Closed", "Desk", "Full", "Job", "Limits", "Request", "Stats"]

log = logging.getLogger("clipsonic.serve")

SEEDS = 2**31  # from which seeds are drawn


class _Cancelled(Exception):
    """Nobody waits any more for what is being made."""


class Desk:
    """Takes requests, has them made one batch after another, and keeps what was made for a while.

    Args:
        bridge: from words to pictures, for requests that name none.
        about: what sidecars say of the model, the same for all clips.
    """

    def __init__(
        self,
        pipeline: "CLIPSonicPipeline",
        bridge: str,
        limits: Limits,
        about: dict[str, Any] | None = None,
    ) -> None:
        self.pipeline, self.bridge, self.limits, self.about = pipeline, bridge, limits, about or {}
        self.changed = threading.Condition(threading.RLock())  # guards all below, and tells of every change
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._jobs: dict[str, Job] = {}  # all that can be asked after, the oldest first
        self._pace = Pace()
        self._closed = False
        self._ended: Counter[str] = Counter()
        self._refused = self._clips = self._batches = 0
        self._waited = self._worked = 0.0
        self._worker = threading.Thread(target=self._work, name="clipsonic-worker", daemon=True)
        self._worker.start()

    def submit(
        self, request: Request, on_end: Callable[[], None] = lambda: None, owner: str | None = None
    ) -> Job:
        """Puts a request into the queue.

        Args:
            on_end: called once when nothing more needs the request's upload: the job was forgotten, or it failed
                or was cancelled. Not called if the request is not taken.
            owner: who may list it; None for nobody.

        Raises:
            UserError: the request is out of bounds.
            Full: no place is free.
            Closed: the server is stopping.
        """
        request = checked(request, self.limits, self.pipeline, self.bridge)
        if request.seed is None:
            request = replace(request, seed=secrets.randbelow(SEEDS))
        job = Job(request, self, on_end, owner)
        with self.changed:
            self.check_room()
            self._forget_old()
            self._waiting.append(job)
            self._jobs[job.id] = job
            self.changed.notify_all()
        return job

    def check_room(self) -> None:
        """Refuses when nothing would be taken now: asked before an upload is read.

        Raises:
            Full: no place is free.
            Closed: the server is stopping.
        """
        with self.changed:
            if self._closed:
                raise Closed("the server is stopping; ask again later")
            if len(self._waiting) >= self.limits.queue:
                self._refused += 1
                raise Full(max(1.0, self._running_left()))

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._closed

    def get(self, id: str) -> Job | None:
        """The job of that name, unless there is none or it was forgotten."""
        with self.changed:
            self._forget_old()
            return self._jobs.get(id)

    def of(self, owner: str) -> list[Job]:
        """Return the jobs of an owner, newest first."""
        with self.changed:
            self._forget_old()
            return [
                job
                for job in reversed(self._jobs.values())
                if job.owner is not None and secrets.compare_digest(job.owner, owner)
            ]

    def forget(self, job: Job) -> None:
        """Cancels what is not over, and gives up what was made."""
        job.cancel()
        with self.changed:
            self._jobs.pop(job.id, None)
            job.release()

    def close(self, wait: float) -> None:
        """Takes nothing more, cancels what waits, and lets what runs have `wait` seconds before it is cancelled."""
        with self.changed:
            self._closed = True
            for job in list(self._waiting):
                self.end(job, CANCELLED, "the server is stopping")
            self.changed.notify_all()
        self._worker.join(wait)
        with self.changed:
            for job in list(self._running):
                self.end(job, CANCELLED, "the server is stopping")
        self._worker.join(10.0)

    def end(self, job: Job, state: str, error: str | None = None, clips: list[Answer] | None = None) -> None:
        """Says what became of a job; the first to say so is right."""
        with self.changed:
            if job.over:
                return
            job.clips = clips or []
            job.progress = 1.0 if state == DONE else job.progress
            job.state, job.error, job.ended = state, error, time.monotonic()
            if job in self._waiting:
                self._waiting.remove(job)
                job.request = replace(job.request, images=None)
            self._ended[state] += 1
            self._clips += len(job.clips)
            self._forget_old()
            if state != DONE:
                job.release()
            self.changed.notify_all()

    def ahead(self, job: Job) -> int:
        """Jobs that are made before this one, those that run among them."""
        with self.changed:
            if job.state != WAITING:
                return 0
            return len(self._running) + self._waiting.index(job)

    def seconds_left(self, job: Job) -> float:
        """Until a job is done, by what the work has taken so far."""
        with self.changed:
            if job.over:
                return 0.0
            if job.state == RUNNING:
                return self._running_left()
            before = list(self._waiting)[: self._waiting.index(job) + 1]
            return self._running_left() + self._pace.cost * sum(each.work for each in before)

    @property
    def stats(self) -> Stats:
        """Numbers for those who run the server."""
        with self.changed:
            kept = sum(job.over for job in self._jobs.values())
            return Stats(
                len(self._waiting),
                len(self._running),
                kept,
                dict(self._ended),
                self._refused,
                self._clips,
                self._batches,
                self._waited,
                self._worked,
            )

    def _running_left(self) -> float:
        return self._pace.left(self._running) if self._running else 0.0

    def _forget_old(self) -> None:
        """Keeps what has ended within its bounds; needs the lock."""
        for job in too_many(self._jobs.values(), self.limits):
            del self._jobs[job.id]
            job.release()

    def _work(self) -> None:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                batch = self._next()
            self._make(batch)
            with self.changed:
                for job in batch:
                    job.request = replace(job.request, images=None)  # pictures are large
                self._running = []
                self.changed.notify_all()

    def _next(self) -> list[Job]:
        """The first that waits, with those that can be made along with it; needs the lock."""
        batch = together(self._waiting)
        now = time.monotonic()
        for job in batch:
            self._waiting.remove(job)
            job.state, job.began = RUNNING, now
            self._waited += now - job.came
        self._running = list(batch)
        self._batches += 1
        self.changed.notify_all()
        return batch

    def _make(self, batch: list[Job]) -> None:
        """Makes a batch; where one of several does not go, each is made alone, so that it spoils no other."""
        before = time.monotonic()
        try:
            answers = self._answers(batch)
        except _Cancelled:
            answers = None
        except UserError as error:
            answers = None
            if len(batch) == 1:
                self.end(batch[0], FAILED, str(error))
        except Exception:
            log.exception("a job failed")
            for job in batch:
                self.end(job, FAILED, "a mistake of the program; its log says more")
            answers = None
        took = time.monotonic() - before
        with self.changed:
            self._worked += took
        if answers is None:
            if len(batch) > 1:
                for job in [job for job in batch if not job.over]:
                    self._make([job])
            return
        requests = [job.request for job in batch]
        if requests[0].video is None:
            with self.changed:
                self._pace.learn(sum(job.work for job in batch), took)
        for job, request, clips in zip(batch, requests, answers, strict=True):
            pages = [page_of(request, self.about, own) for _, _, own in clips]
            made = [(wave, mel, page) for (wave, mel, _), page in zip(clips, pages, strict=True)]
            self.end(job, DONE, clips=made)

    def _answers(self, batch: list[Job]) -> list[list[Answer]]:
        """The clips of each job, with the progress of all.

        Raises:
            UserError: one of them cannot be answered.
            _Cancelled: none is waited for any more.
        """
        requests = [job.request for job in batch]
        rounds = -(-sum(request.number for request in requests) // TOGETHER)
        steps = int(requests[0].steps or 1) * rounds

        def on_step(step: int) -> None:
            with self.changed:
                if all(job.over for job in batch):
                    raise _Cancelled
                for job in batch:
                    job.progress = job.progress if job.over else min(0.99, step / steps)
                self.changed.notify_all()

        for job in batch:
            said = [*job.request.texts, *([job.request.negative] if job.request.negative else [])]
            job.notes = (
                [note for each in self.pipeline.understand(said) for note in each.notes] if said else []
            )
        return make(self.pipeline, requests, on_step, self.limits.seconds)
