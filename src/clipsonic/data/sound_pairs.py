"""Sounds with captions, no pictures needed: a list of a user's own => training examples for fine-tuning."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipsonic.config import CROP_SAMPLES
from clipsonic.data.dataset import GRAIN, Batch, crop_starts, sped_up
from clipsonic.data.lists import read_rows
from clipsonic.data.waves import Waves
from clipsonic.errors import UserError

COLUMNS = ("path", "caption", "split")


class Pair(NamedTuple):
    """A sound file and what is said of it."""

    path: Path
    caption: str
    split: str


class PairExample(NamedTuple):
    """A crop of a pair's sound, an embedding of its caption, and what was found of files on the way."""

    wave: Float[np.ndarray, "samples"]  # 32,768
    embedding: Float[np.ndarray, "d"]
    notes: dict[str, str]


class PairBatch(NamedTuple):
    """The examples of a step, and what was found of files on the way to them."""

    batch: Batch
    notes: dict[str, str]


def read_pairs(file: Path) -> list[Pair]:
    """Load a list of captioned sounds, CSV or JSON lines, with `path` and `caption`.

    Paths are relative to the list; `split` is `train` if it is not given.

    Raises:
        UserError: the list cannot be read or is empty, a column is unknown, or a row lacks its path or caption.
    """
    found = []
    for number, row in enumerate(read_rows(file, COLUMNS, needed=("path", "caption")), 1):
        for name in ("path", "caption"):
            if not isinstance(row[name], str) or not row[name].strip():
                raise UserError(f"{file}, entry {number}: {name} must be text, got {row[name]!r}")
        found.append(Pair(file.parent / row["path"], row["caption"].strip(), row.get("split") or "train"))
    if not found:
        raise UserError(f"{file} has no pairs; give each a row with 'path' and 'caption'")
    return found


class SoundPairs(Waves):
    """The pairs of one side of the split, by number.

    Files are read once, when they are first drawn. One that cannot be read or is silent is left out with a note;
    the next pair stands in its place, with its own caption.

    Args:
        pairs: of both sides.
        held_out: the side: what is of split `train`, or the rest.
        embedded: caption => unit embeddings (k, D) of it, one of which is drawn for a crop.
        quiet_crop_db: crops whose energy is more than this below the recording's loudest crop are not drawn.
        speed: crops are played up to this share faster, their pitch with them.

    Raises:
        UserError: there is no pair on this side.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        held_out: bool,
        embedded: Mapping[str, NDArray[np.float32]],
        quiet_crop_db: float = -float("inf"),
        speed: float = 0.0,
    ) -> None:
        self.pairs = [pair for pair in pairs if (pair.split != "train") == held_out]
        self.captions = [pair.caption for pair in self.pairs]
        self.embedded, self.speed = embedded, speed
        self.quiet = 10 ** (quiet_crop_db / 10)
        super().__init__([pair.path for pair in self.pairs], held_out, CROP_SAMPLES)

    def _add(self, source: Path, held_out: bool) -> None:
        self.labels.append(None)
        self.names.append(str(source))
        self._readers.append(source)

    @property
    def id(self) -> str:
        """Changes when the list of pairs does."""
        words = "\n".join(f"{pair.path} {pair.caption}" for pair in self.pairs)
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    def wave(self, number: int) -> Float[Tensor, "samples"]:
        """Return a whole recording as `Waves` does.

        Raises:
            UserError: it cannot be read, or is silent.
        """
        wave = super().wave(number)
        if not wave.any():
            raise UserError(f"{self.names[number]} is silent")
        return wave

    def __getitem__(self, draw: tuple[int, int]) -> PairExample:  # type: ignore[override]
        """Cut a random crop, zeros after a shorter recording, with an embedding of its caption.

        Args:
            draw: number of the pair, and the seed.

        Raises:
            UserError: none of the recordings can be read.
        """
        number, seed = draw
        random = np.random.default_rng(seed)
        place, wave = self.readable(number)
        faster = random.uniform(0, self.speed) if self.speed else 0.0
        samples = min(self.crop + GRAIN * round(self.crop * faster / GRAIN), len(wave))
        start = random.choice(crop_starts(wave, self.quiet, samples))
        rows = self.embedded[self.captions[place]]
        embedding = rows[random.integers(len(rows))]
        return PairExample(sped_up(wave[start : start + samples], self.crop), embedding, self.take_notes())


def stacked_pairs(examples: Sequence[PairExample]) -> PairBatch:
    """Collate examples into a batch."""
    waves, rows, notes = zip(*examples, strict=True)
    batch = Batch(torch.from_numpy(np.stack(waves)), torch.from_numpy(np.stack(rows)))
    return PairBatch(batch, {name: note for each in notes for name, note in each.items()})
