"""Which jobs of the queue are made together, and how long work takes by what it has taken so far."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clipsonic.interfaces.serve.job import Job

TOGETHER = 8  # clips in one batch
TOGETHER_SECONDS = 40.0  # of sound in one batch: more would make the first wait for the last
FIRST_GUESS = 0.01  # seconds of work a step and a second of sound, until there is a measurement


def together(waiting: "Sequence[Job]") -> "list[Job]":
    """The first that waits, with those that can be made along with it in one batch."""
    first, *others = waiting
    batch = [first]
    clips, seconds = first.request.number, first.request.seconds or 0.0
    for job in others if first.request.video is None else ():
        more = clips + job.request.number
        if job.request.video is not None or job.request.alike != first.request.alike:
            continue
        if more <= TOGETHER and more * seconds <= TOGETHER_SECONDS:
            batch.append(job)
            clips = more
    return batch


class Pace:
    """What a unit of work costs, in seconds; the first measurement counts whole, later ones move it."""

    def __init__(self) -> None:
        self.cost = FIRST_GUESS

    def learn(self, work: float, took: float) -> None:
        """Moves the estimate towards what work has just cost."""
        first = self.cost == FIRST_GUESS
        self.cost = took / work if first else 0.7 * self.cost + 0.3 * took / work

    def left(self, running: "Sequence[Job]") -> float:
        """Seconds until a batch that runs is done: by how far it is, or at first by what its work should cost."""
        spent = time.monotonic() - float(running[0].began or 0.0)
        done = max(job.progress for job in running)
        if done > 0.2:
            return spent / done * (1 - done)
        return max(0.0, self.cost * sum(job.work for job in running) - spent)
