"""Which clips make which step, and which of them are whose.

Every draw is a function of (seed, step, place in the batch), so that a run that was stopped continues with the
very examples it would have seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.utils.data import Sampler


@dataclass(frozen=True)
class Share:
    """Which of a step's examples a process takes: those of all processes are one batch, in the order of the ranks.

    Random numbers are drawn for the whole step, by all processes alike, so that a model does not depend on how
    many of them there are.
    """

    rank: int = 0
    processes: int = 1

    def whole(self, rows: int) -> int:
        """Examples a step, of so many here."""
        return rows * self.processes

    def own(self, drawn: Tensor) -> Tensor:
        """What was drawn for the whole step, a row an example => the rows of this process."""
        return drawn.chunk(self.processes)[self.rank]


ALONE = Share()


class Draws(Sampler[list[tuple[int, int]]]):
    """Batches of (clip number, seed) without end, each clip once an epoch, starting at any step.

    Args:
        clips: how many there are.
        batch_size: clips a batch of this process.
        rank, processes: which part of each step's clips this process takes.
    """

    def __init__(
        self, clips: int, batch_size: int, seed: int, step: int = 0, rank: int = 0, processes: int = 1
    ) -> None:
        self.clips, self.batch_size, self.seed = clips, batch_size, seed
        self.step, self.rank, self.processes = step, rank, processes

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, order = -1, np.zeros(0, dtype=np.int64)
        step = self.step
        while True:
            first = (step * self.processes + self.rank) * self.batch_size
            batch = []
            for place in range(first, first + self.batch_size):
                if place // self.clips != epoch:
                    epoch = place // self.clips
                    order = np.random.default_rng([self.seed, epoch]).permutation(self.clips)
                draw_seed = int(np.random.default_rng([self.seed, place, 1]).integers(2**63))
                batch.append((int(order[place % self.clips]), draw_seed))
            yield batch
            step += 1
