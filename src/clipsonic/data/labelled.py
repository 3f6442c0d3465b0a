"""Sounds with labels => training crops, each label as often as every other.

Every draw is a function of (seed, step, place in the batch), as in `dataset.py`.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from clipsonic.audio import from_16_bit
from clipsonic.config import HOP_LENGTH
from clipsonic.data.dataset import ClipDataset, crop_starts
from clipsonic.errors import UserError

SAME_BELOW_DB = (0.0, 10.0)  # how far a second sound of the same label may lie below the first
OTHER_BELOW_DB = (20.0, 40.0)  # the same of one of another label, which is then background
SILENCE = 1e-6  # mean square of what is never raised to another sound's level


class Draw(NamedTuple):
    """What `LabelledCrops` makes an example of."""

    label: int
    clip: int  # among those of the label
    samples: int
    seed: int


class LabelBatch(NamedTuple):
    """What a training step sees."""

    wave: Float[Tensor, "b samples"]
    label: Tensor  # (b,), whole numbers


class LabelledCrops(Dataset[tuple[NDArray[np.float32], int]]):
    """The labelled clips of some splits.

    Args:
        folder: a prepared data set.
        splits: names of the splits to use.
        quiet_crop_db: crops whose energy is more than this below the clip's loudest crop are not drawn.
        mixed: share of crops to which another sound is added, half of them of the same label.

    Raises:
        UserError: the folder is no data set, or the splits hold no clip with a label.
    """

    def __init__(
        self, folder: Path, splits: set[str], quiet_crop_db: float = -float("inf"), mixed: float = 0.0
    ) -> None:
        self.clips = ClipDataset(folder, splits, quiet_crop_db)
        self.mixed = mixed
        self.labels = sorted(self.clips.info.labels)
        by_label = defaultdict(list)
        for number, (_, clip) in enumerate(self.clips.clips):
            if clip.info.label is not None:
                by_label[clip.info.label].append(number)
        self.members = [by_label[label] for label in self.labels]
        self.present = [number for number, clips in enumerate(self.members) if clips]
        if not self.present:
            raise UserError(
                f"the clips in {folder} of split {', '.join(sorted(splits))} have no labels; "
                "prepare them from a CSV with a column 'label'"
            )

    def __len__(self) -> int:
        return sum(map(len, self.members))

    def whole(self, most: int | None = None) -> Iterator[tuple[NDArray[np.float32], int]]:
        """Clips as they are, and the numbers of their labels: all, or `most` evenly spread over the labels."""
        both = [(label, number) for label, clips in enumerate(self.members) for number in clips]
        count = len(both) if most is None else min(most, len(both))
        for place in np.linspace(0, len(both) - 1, count).round().astype(int):
            label, number = both[place]
            yield from_16_bit(self.clips.wave(number)), label

    def __getitem__(self, draw: Draw) -> tuple[NDArray[np.float32], int]:
        """A random crop of a clip, perhaps with another sound under it."""
        random = np.random.default_rng(draw.seed)
        wave = self._crop(self.members[draw.label][draw.clip], draw.samples, random)
        if random.random() < self.mixed:
            same = random.random() < 0.5
            other = draw.label if same else int(random.choice(self.present))
            under = self._crop(int(random.choice(self.members[other])), draw.samples, random)
            below = random.uniform(*(SAME_BELOW_DB if other == draw.label else OTHER_BELOW_DB))
            power = max(float(np.mean(under**2)), SILENCE)
            wave += under * np.float32(np.sqrt(np.mean(wave**2) / power) * 10 ** (-below / 20))
        return wave, draw.label

    def _crop(self, number: int, samples: int, random: np.random.Generator) -> NDArray[np.float32]:
        """Where there is energy; a shorter clip lies somewhere in silence."""
        wave = self.clips.wave(number)
        crop = np.zeros(samples, np.float32)
        if len(wave) <= samples:
            start = random.integers(samples - len(wave) + 1)
            crop[start : start + len(wave)] = from_16_bit(wave)
        else:
            start = random.choice(crop_starts(wave, self.clips.quiet, samples))
            crop[:] = from_16_bit(wave[start : start + samples])
        return crop


class LabelDraws(Sampler[list[Draw]]):
    """Batches without end, from any step on: the labels in turns, each in an order of its own.

    A label's clips come once before any of them comes again. All crops of a batch are equally long.

    Args:
        crops: what is drawn from.
        frames: shortest and longest crop.
        batch_size: crops a batch of this process.
        rank, processes: which part of each step's crops this process takes.
    """

    def __init__(
        self,
        crops: LabelledCrops,
        frames: tuple[int, int],
        batch_size: int,
        seed: int,
        step: int = 0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.crops, self.frames, self.batch_size, self.seed = crops, frames, batch_size, seed
        self.step, self.rank, self.processes = step, rank, processes

    def __iter__(self) -> Iterator[list[Draw]]:
        step = self.step
        while True:
            shortest, longest = self.frames
            frames = int(np.random.default_rng([self.seed, step, 2]).integers(shortest, longest + 1))
            first = (step * self.processes + self.rank) * self.batch_size
            yield [self._draw(place, frames * HOP_LENGTH) for place in range(first, first + self.batch_size)]
            step += 1

    def _draw(self, place: int, samples: int) -> Draw:
        turn, position = divmod(place, len(self.crops.present))
        order = np.random.default_rng([self.seed, turn, 3]).permutation(self.crops.present)
        label = int(order[position])
        clips = len(self.crops.members[label])
        epoch, clip = divmod(turn, clips)
        order = np.random.default_rng([self.seed, epoch, label, 4]).permutation(clips)
        seed = int(np.random.default_rng([self.seed, place, 1]).integers(2**63))
        return Draw(label, int(order[clip]), samples, seed)
