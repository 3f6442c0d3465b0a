"""A prepared data set => training examples: a crop of sound, and one of its pictures' embeddings or its label."""

import io
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from clipsonic.audio import from_16_bit
from clipsonic.config import CROP_SAMPLES, HOP_LENGTH
from clipsonic.data.draws import Draws
from clipsonic.data.remote import RemoteShard, fetched, url_of
from clipsonic.data.shards import (
    ClipEntry,
    DatasetInfo,
    ShardIndex,
    finished_shards,
    read_frames,
    read_info,
    remote_shards,
)
from clipsonic.encoders.base import Encoder
from clipsonic.encoders.load import load_encoder
from clipsonic.errors import UserError
from clipsonic.files import cache_folder

GRAIN = 128  # samples: lengths that share it are transformed five times as fast as any
CACHE_BYTES = 2 * 2**30  # decoded sound kept in memory, 16 bit, by all readers together: about 18 hours


_NAME = f"{UserError.__module__}.{UserError.__qualname__}"


@dataclass(frozen=True)
class Batch:
    """What a training step sees."""

    wave: Float[Tensor, "b samples"]  # 32,768 samples each
    embedding: Float[Tensor, "b d"]  # unit rows


class ClipDataset(Dataset[tuple[NDArray[np.float32], NDArray[np.float32]]]):
    """The clips of one or more splits, by number.

    Args:
        folder: a prepared data set; a URL as a path, such as `Path("s3://bucket/data")`, is read from there.
        splits: names of the splits to use; None for all.
        quiet_crop_db: crops whose energy is more than this below the clip's loudest crop are not drawn.
            Minus infinity draws all crops alike, as the paper does.
        speed: crops are played up to this share faster, their pitch with them; 0 leaves them as they are.
        said: label => unit embedding (D,) to use instead of the pictures' own; clips of no such label are left out.

    Raises:
        UserError: the folder is no data set, or the splits hold no clip.
    """

    def __init__(
        self,
        folder: Path,
        splits: set[str] | None = None,
        quiet_crop_db: float = -float("inf"),
        said: Mapping[str, NDArray[np.float32]] | None = None,
        speed: float = 0.0,
    ) -> None:
        self.folder = folder
        self.speed = speed
        self.info: DatasetInfo = read_info(folder)
        self.quiet = 10 ** (quiet_crop_db / 10)
        self.said = said
        self.clips: list[tuple[Path | RemoteShard, ClipEntry]] = [
            (shard, clip)
            for shard, index in _shards(folder, self.info)
            for clip in index.clips
            if splits is None or clip.info.split in splits
            if said is None or clip.info.label in said
        ]
        if not self.clips and said is not None:
            raise UserError(
                f"the clips in {folder} have no labels; prepare them from a CSV with a column 'label'"
            )
        if not self.clips:
            raise UserError(
                f"{folder} has no clips of split {splits}; it has {self.info.splits or 'none at all'}"
            )
        self._waves: dict[int, NDArray[np.int16]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.clips)

    def wave(self, number: int) -> NDArray[np.int16]:
        """A clip's whole sound, (samples,), 16 kHz, 16 bit."""
        if number in self._waves:
            return self._waves[number]
        shard, clip = self.clips[number]
        content = _bytes(shard, clip.sound, clip.crc32 and clip.crc32[0])
        wave: NDArray[np.int16] = soundfile.read(io.BytesIO(content), dtype="int16")[0]
        reader = get_worker_info()
        if self._bytes + wave.nbytes <= CACHE_BYTES // (reader.num_workers if reader else 1):
            self._waves[number] = wave
            self._bytes += wave.nbytes
        return wave

    def embeddings(self, number: int) -> NDArray[np.float32]:
        """Unit embeddings of a clip's pictures, (pictures, D), or the one of its label, (1, D)."""
        shard, clip = self.clips[number]
        if self.said is not None and clip.info.label is not None:
            return self.said[clip.info.label][None]
        return read_frames(_bytes(shard, clip.frames, clip.crc32 and clip.crc32[1]))

    def __getitem__(self, draw: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(clip number, seed) => a random crop (32,768 samples) and a random one of the clip's embeddings (D,)."""
        number, seed = draw
        random = np.random.default_rng(seed)
        wave, embeddings = self.wave(number), self.embeddings(number)
        faster = random.uniform(0, self.speed) if self.speed else 0.0
        samples = min(CROP_SAMPLES + GRAIN * round(CROP_SAMPLES * faster / GRAIN), len(wave))
        start = random.choice(crop_starts(wave, self.quiet, samples))
        crop = from_16_bit(wave[start : start + samples])
        return sped_up(crop, CROP_SAMPLES), embeddings[random.integers(len(embeddings))]


def crop_starts(
    wave: NDArray[np.int16] | NDArray[np.float32], quiet: float, samples: int = CROP_SAMPLES
) -> NDArray[np.int64]:
    """Where a crop may start, in samples: every hop from which its energy is at least `quiet` of the loudest's."""
    starts = np.arange(0, len(wave) - samples + 1, HOP_LENGTH)
    total = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    energy = total[starts + samples] - total[starts]
    return np.asarray(starts[energy >= quiet * energy.max()], dtype=np.int64)


def sped_up(wave: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """Return a sound played faster, pitch and all, so that it lasts `samples`; zeros follow one that is shorter.

    Its spectrum is cut at the new Nyquist frequency, of the sound and its mirror image, so that ends meet. A
    resampler's filter begins earlier: it takes the top mel bands off every crop, and a model learns that.
    """
    if len(wave) <= samples:
        return np.pad(wave, (0, samples - len(wave)))
    spectrum = np.fft.rfft(np.concatenate([wave, wave[::-1]]))[: samples + 1]
    played = np.fft.irfft(spectrum, 2 * samples)[:samples] * (samples / len(wave))
    return np.asarray(played, dtype=np.float32)


def batches(dataset: ClipDataset, draws: Draws, workers: int = 0) -> Iterator[Batch]:
    """Endless training batches, read ahead by `workers` processes."""
    yield from read_ahead(dataset, draws, workers, _collate)


def read_ahead(
    dataset: Dataset[Any],
    draws: Sampler[Any],
    workers: int,
    collate: Callable[[list[Any]], Any] | None = None,
) -> Iterator[Any]:
    """Yield the batches that `draws` names, read ahead by `workers` processes.

    Args:
        collate: makes a batch of examples; torch's default if None.

    Raises:
        UserError: of reading an example, in whatever process: the line alone.
    """
    loader = DataLoader(
        dataset,
        batch_sampler=draws,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=collate,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=ignore_interrupts if workers else None,
    )
    try:
        yield from loader
    except UserError as error:  # of a reader process: with its traceback around it
        line = str(error).rstrip().split("\n")[-1]
        raise UserError(line.removeprefix(f"{_NAME}: ")) from error


def ignore_interrupts(worker: int) -> None:
    """Ctrl-C goes to every process of the terminal; only the main one decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _collate(examples: list[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> Batch:
    waves, embeddings = zip(*examples, strict=True)
    return Batch(torch.from_numpy(np.stack(waves)), torch.from_numpy(np.stack(embeddings)))


def encoder_of(folder: Path) -> Encoder:
    """The encoder a data set was prepared with, from the data set's own folder.

    Raises:
        UserError: it is missing, or not the one whose embeddings are stored.
    """
    stored, url = read_info(folder).encoder_id, url_of(folder)
    here = folder / "encoder"
    if url is not None:
        here = fetched(f"{url}/encoder", cache_folder() / "encoders" / stored.replace("/", "_"))
    encoder = load_encoder(here)
    if encoder.id != stored:
        raise UserError(f"{folder} was prepared with encoder {stored}, but {here} holds {encoder.id}")
    return encoder


def _shards(folder: Path, info: DatasetInfo) -> Iterator[tuple[Path | RemoteShard, ShardIndex]]:
    url = url_of(folder)
    yield from finished_shards(folder) if url is None else remote_shards(url, info)


def _bytes(shard: Path | RemoteShard, place: tuple[int, int], crc32: int | None) -> bytes:
    if isinstance(shard, RemoteShard):
        return shard.read(place, crc32)
    with shard.open("rb") as file:
        file.seek(place[0])
        return file.read(place[1])
