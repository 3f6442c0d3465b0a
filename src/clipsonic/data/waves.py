"""Sound alone, for vocoders: prepared data sets, folders of sound files or lists => random crops."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from clipsonic.audio import from_16_bit, read_audio
from clipsonic.data.dataset import CACHE_BYTES, ClipDataset
from clipsonic.data.lists import read_rows
from clipsonic.data.media_types import SOUNDS, list_files
from clipsonic.errors import UserError

COLUMNS = ("path", "label", "split", "licence", "license")
HELD_OUT = 20  # one file in so many, where nothing else says which
SILENCE = 1e-4  # crops of a smaller root mean square are drawn again
TRIES = 4


class Waves(Dataset[NDArray[np.float32]]):
    """The recordings of one side of the split, by number, read once and kept as 16 bit.

    Args:
        sources: prepared data sets, folders of sound files, or lists with `path`, perhaps `split` and
            `label`.
        held_out: the other side: what is not of split `train` or, in folders, one file in 20, chosen by its name.
        crop: samples of a crop.

    Raises:
        UserError: a source is missing, or nothing is on this side.
    """

    def __init__(self, sources: Sequence[Path], held_out: bool, crop: int) -> None:
        self.crop = crop
        self.names: list[str] = []
        self.labels: list[str | None] = []
        self._readers: list[tuple[ClipDataset, int] | Path] = []
        self._kept: dict[int, NDArray[np.int16]] = {}
        self._bytes = 0
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
            listed: list[tuple[Path, bool, str | None]] = [
                (path, _chosen(path.relative_to(source).as_posix()), None)
                for path in list_files(source, SOUNDS).files
            ]
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
        """Changes when the list of recordings does."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()[:16]

    def wave(self, number: int) -> Float[Tensor, "samples"]:
        """A whole recording, 16 kHz."""
        if number not in self._kept:
            reader = self._readers[number]
            if isinstance(reader, Path):
                found = (read_audio(reader).clamp(-1, 1) * 32767).to(torch.int16).numpy()
            else:
                found = reader[0].wave(reader[1])
            if self._bytes + found.nbytes > CACHE_BYTES:
                return torch.from_numpy(from_16_bit(found))
            self._kept[number] = found
            self._bytes += found.nbytes
        return torch.from_numpy(from_16_bit(self._kept[number]))

    def __getitem__(self, draw: tuple[int, int]) -> NDArray[np.float32]:
        """(number, seed) => a random crop, not silent if four draws find one; short recordings end in zeros."""
        number, seed = draw
        random = np.random.default_rng(seed)
        wave = self.wave(number).numpy()
        crop = np.zeros(self.crop, np.float32)
        for _ in range(TRIES):
            start = random.integers(max(1, len(wave) - self.crop + 1))
            piece = wave[start : start + self.crop]
            if np.sqrt(np.mean(np.square(piece))) >= SILENCE:
                break
        crop[: len(piece)] = piece
        return crop


def _chosen(name: str) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % HELD_OUT == 0
