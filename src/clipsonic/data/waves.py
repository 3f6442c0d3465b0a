"""Sound alone, for vocoders: prepared data sets, folders of sound files or lists => random crops."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from clipsonic.audio import from_16_bit, read_recording
from clipsonic.data.dataset import CACHE_BYTES, ClipDataset
from clipsonic.data.lists import read_rows
from clipsonic.data.media_types import DESCRIPTIONS, PICTURES, SOUNDS, list_files
from clipsonic.errors import UserError

COLUMNS = ("path", "label", "split", "licence", "license")
HELD_OUT = 20  # one file in so many, where nothing else says which
SILENCE = 1e-4  # crops of a smaller root mean square are drawn again
TRIES = 4


class Waves(Dataset["Crop"]):
    """The recordings of one side of the split, by number, read once and kept as 16 bit.

    Args:
        sources: prepared data sets, folders of sound files, or lists with `path`, perhaps `split` and
            `label`.
        held_out: the other side: what is not of split `train` or, in folders, one file in 20, chosen by its name.
        crop: samples of a crop.
        peak: to which a recording is brought before it is cropped; 0 leaves it as it is.

    Raises:
        UserError: a source is missing, or nothing is on this side.
    """

    def __init__(self, sources: Sequence[Path], held_out: bool, crop: int, peak: float = 0.0) -> None:
        self.crop = crop
        self.peak = peak
        self.names: list[str] = []
        self.labels: list[str | None] = []
        self._readers: list[tuple[ClipDataset, int] | Path] = []
        self._kept: dict[int, NDArray[np.int16]] = {}
        self._bytes = 0
        self._unreadable: set[int] = set()
        self._notes: dict[str, str] = {}  # of recordings, until they are told
        for source in sources:
            self._add(source, held_out)
        if not self.names:
            side = "held out" if held_out else "to train on"
            raise UserError(f"no recordings {side} in {', '.join(map(str, sources))}")

    def _add(self, source: Path, held_out: bool) -> None:
        if (source / "dataset.json").exists():
            clips = ClipDataset(source)
            for number, (_, clip) in enumerate(clips.clips):
                if (clip.info.split != "train") == held_out:
                    self.names.append(clip.key)
                    self.labels.append(clip.info.label)
                    self._readers.append((clips, number))
            return
        if source.is_dir():
            listing = list_files(source, SOUNDS)
            listed: list[tuple[Path, bool, str | None]] = [
                (path, _chosen(path.relative_to(source).as_posix()), None) for path in listing.files
            ]
            if (line := listing.left_out(source, DESCRIPTIONS | PICTURES)) is not None:
                self._notes[str(source)] = line
        elif source.suffix.lower() in (".csv", ".jsonl") and source.is_file():
            listed = [
                (
                    source.parent / row["path"],
                    (row.get("split") or "train") != "train",
                    row.get("label") or None,
                )
                for row in read_rows(source, COLUMNS, needed=("path",))
            ]
        else:
            raise UserError(f"{source} is neither a prepared data set, nor a folder of sound, nor a list")
        for path, held, label in listed:
            if held == held_out:
                self.names.append(str(path))
                self.labels.append(label)
                self._readers.append(path)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def id(self) -> str:
        """Changes when the list of recordings does; files count by where they are, however paths are spelled."""
        places = [
            str(reader.resolve()) if isinstance(reader, Path) else name
            for reader, name in zip(self._readers, self.names, strict=True)
        ]
        return hashlib.sha256("\n".join(places).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def wave(self, number: int) -> Float[Tensor, "samples"]:
        """Return a whole recording at 16 kHz; one whose peaks pass full scale is scaled down to it.

        Raises:
            UserError: it cannot be read.
        """
        if number not in self._kept:
            reader = self._readers[number]
            if isinstance(reader, Path):
                read, note = read_recording(reader)
                if note is not None:
                    self._notes[self.names[number]] = note
                scale = 32767 / read.abs().max().clamp(min=1)  # headroom above full scale is not cut off
                found = (read * scale).to(torch.int16).numpy()
            else:
                found = reader[0].wave(reader[1])
            if self._bytes + found.nbytes > CACHE_BYTES:
                return torch.from_numpy(from_16_bit(found))
            self._kept[number] = found
            self._bytes += found.nbytes
        return torch.from_numpy(from_16_bit(self._kept[number]))

    def __getitem__(self, draw: tuple[int, int]) -> "Crop":
        """Cut a random crop out of a recording: not a silent one if four draws find one; short ones end in zeros.

        Of a recording that cannot be read, the next that can stands in its place.

        Args:
            draw: number of the recording, and the seed.

        Raises:
            UserError: none of the recordings can be read.
        """
        number, seed = draw
        random = np.random.default_rng(seed)
        _, wave = self.readable(number)
        if self.peak:
            wave = wave * np.float32(self.peak / max(SILENCE, np.abs(wave).max(initial=0.0)))
        crop = np.zeros(self.crop, np.float32)
        for _ in range(TRIES):
            start = random.integers(max(1, len(wave) - self.crop + 1))
            piece = wave[start : start + self.crop]
            if np.sqrt(np.mean(np.square(piece))) >= SILENCE:
                break
        crop[: len(piece)] = piece
        return Crop(crop, self.take_notes())

    def take_notes(self) -> dict[str, str]:
        """Return what was found of recordings since the last call, by their names: left out, or made mono how."""
        notes, self._notes = self._notes, {}
        return notes

    def readable(self, number: int) -> tuple[int, NDArray[np.float32]]:
        """Return a recording and its number or, if it cannot be read, those of the next that can.

        Raises:
            UserError: none of the recordings can be read.
        """
        first = "see the notes"
        for place in (*range(number, len(self)), *range(number)):
            if place not in self._unreadable:
                try:
                    return place, self.wave(place).numpy()
                except UserError as error:
                    self._unreadable.add(place)
                    self._notes[self.names[place]] = f"left out: {error}"
                    first = str(error) if place == number else first
        raise UserError(f"none of the {len(self)} recordings can be read: {first}")


class Crop(NamedTuple):
    """A crop of a recording, and what was found on the way to it."""

    wave: Float[np.ndarray, "samples"]
    notes: dict[str, str]  # recordings => what a user should know of them; each is told once


class Crops(NamedTuple):
    """Crops of a batch, and what was found on the way to them."""

    wave: Float[Tensor, "b samples"]
    notes: dict[str, str]


def stacked(crops: Sequence[Crop]) -> Crops:
    """Collate crops into a batch."""
    notes = {name: note for crop in crops for name, note in crop.notes.items()}
    return Crops(torch.from_numpy(np.stack([crop.wave for crop in crops])), notes)


def _chosen(name: str) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % HELD_OUT == 0
