"""The prepared data set on disk: WebDataset tar shards, each with an index, and `dataset.json` over all.

    DATA/dataset.json            settings, encoder, counts, checksums, what was skipped and why
    DATA/encoder/                the encoder's folder
    DATA/shard-000000.tar        KEY.flac, KEY.frames.npy, KEY.json
    DATA/shard-000000.index.json where each clip lies in the tar, and which videos it came from

The index is written after its tar: a tar without one is an interrupted write and is made again.
"""

import hashlib
import io
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from clipsonic.config import SAMPLE_RATE, Frozen, MelSettings
from clipsonic.data.remote import RemoteShard, bound, read, read_many, url_of
from clipsonic.errors import UserError
from clipsonic.files import whole_file, write_json

TAIL = 2 * tarfile.RECORDSIZE  # bytes, at most, of a tar after its last clip's embeddings


class ClipInfo(Frozen):
    """What `KEY.json` holds."""

    source: str  # the video, as it was named to `prepare`
    start: float  # seconds from the start of the video's sound
    seconds: float
    picture_times: list[float]  # seconds from the start of the clip, one a row of `KEY.frames.npy`
    label: str | None = None
    split: str = "train"
    licence: str | None = None


class ClipEntry(Frozen):
    """A clip in its shard."""

    key: str
    info: ClipInfo
    sound: tuple[int, int]  # offset and size of the FLAC in the tar, bytes
    frames: tuple[int, int]  # the same of the embeddings
    crc32: tuple[int, int] | None = None  # of both, for who reads them alone; older data sets have none


class ShardIndex(Frozen):
    """A shard's table of contents and the record of its videos."""

    sha256: str
    clips: list[ClipEntry]
    videos: dict[str, int]  # video => clips it gave
    skipped: dict[str, str]  # video => why it gave none
    files: dict[str, str] = {}  # video => what changes with its file, see `revise.fingerprint`


class DatasetInfo(Frozen):
    """What `dataset.json` holds."""

    format: int = 1
    mel: MelSettings = MelSettings()
    encoder_id: str
    embedding_dim: int
    clip_seconds: float
    complete: bool = False
    clips: int = 0
    seconds: float = 0.0
    splits: dict[str, int] = {}  # clips a split
    labels: dict[str, int] = {}  # clips a label
    shards: dict[str, str] = {}  # file => SHA-256
    skipped: dict[str, str] = {}


def flac(wave: NDArray[np.float32]) -> bytes:
    """Mono 16 kHz wave in [-1, 1] => 16-bit FLAC."""
    target = io.BytesIO()
    soundfile.write(target, wave, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return target.getvalue()


@dataclass(frozen=True)
class NewClip:
    """A clip on its way into a shard."""

    key: str
    info: ClipInfo
    sound: bytes  # FLAC
    frames: bytes  # of `frames_bytes`


class ShardWriter:
    """Collects videos and writes them as one shard; nothing is on disk before `write`.

    A video is added by one append: an interrupt at any moment leaves it in the shard as a whole or not at all.
    """

    def __init__(self) -> None:
        self.videos: list[tuple[str, list[NewClip] | str]] = []  # name, its clips or why it has none
        self.clips = 0
        self.files: dict[str, str] = {}

    def add(self, video: str, clips: list[NewClip] | str, fingerprint: str | None = None) -> None:
        """Add a video: its clips, or the reason why it was skipped, and what tells its file from another."""
        if fingerprint is not None:
            self.files[video] = fingerprint
        self.videos.append((video, clips))
        self.clips += 0 if isinstance(clips, str) else len(clips)

    def write(self, folder: Path, number: int) -> ShardIndex:
        """Writes shard and index; both are whole or absent."""
        path = folder / f"shard-{number:06d}.tar"
        used = {video: clips for video, clips in self.videos if not isinstance(clips, str)}
        entries = []
        with whole_file(path) as file, tarfile.open(fileobj=file, mode="w") as tar:
            for clip in chain.from_iterable(used.values()):
                sound = _append(tar, f"{clip.key}.flac", clip.sound)
                frames = _append(tar, f"{clip.key}.frames.npy", clip.frames)
                _append(tar, f"{clip.key}.json", clip.info.model_dump_json().encode())
                sums = zlib.crc32(clip.sound), zlib.crc32(clip.frames)
                entries.append(
                    ClipEntry(key=clip.key, info=clip.info, sound=sound, frames=frames, crc32=sums)
                )
        index = ShardIndex(
            sha256=checksum(path),
            clips=entries,
            videos={video: len(clips) for video, clips in used.items()},
            skipped={video: why for video, why in self.videos if isinstance(why, str)},
            files={video: self.files[video] for video, _ in self.videos if video in self.files},
        )
        write_json(index_path(path), index.model_dump())
        return index


def _append(tar: tarfile.TarFile, name: str, content: bytes) -> tuple[int, int]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    offset = tar.offset + tarfile.BLOCKSIZE
    tar.addfile(member, io.BytesIO(content))
    return offset, len(content)


def index_path(shard: Path) -> Path:
    """`shard-000000.tar` => `shard-000000.index.json`."""
    return shard.with_suffix(".index.json")


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def finished_shards(folder: Path) -> list[tuple[Path, ShardIndex]]:
    """The shards of a folder that have their index, in order."""
    found = []
    for index in sorted(folder.glob("shard-*.index.json")):
        shard = index.with_name(index.name.replace(".index.json", ".tar"))
        if shard.exists():
            try:
                contents = ShardIndex.model_validate_json(index.read_bytes())
            except ValueError as error:
                raise UserError(f"{index} is damaged; remove it and prepare once more") from error
            if contents.clips and shard.stat().st_size < sum(contents.clips[-1].frames):
                raise UserError(f"{shard} is cut off; copy it again, or remove it and prepare once more")
            found.append((shard, contents))
    return found


def remote_shards(url: str, info: DatasetInfo) -> list[tuple[RemoteShard, ShardIndex]]:
    """The shards of a data set behind a URL, in order; as many are kept on this disk as fit together.

    Raises:
        UserError: an index cannot be had, or is damaged.
    """
    names = sorted(info.shards)
    found, room = [], bound()
    pages = read_many(url, [index_path(Path(name)).name for name in names])
    for name, page in zip(names, pages, strict=True):
        try:
            contents = ShardIndex.model_validate_json(page)
        except ValueError as error:
            raise UserError(f"the index of {url}/{name} is damaged; copy it there again") from error
        if contents.sha256 != info.shards[name]:
            raise UserError(f"{url}/{name} is not of this data set: dataset.json has another checksum")
        room -= TAIL + (sum(contents.clips[-1].frames) if contents.clips else 0)
        found.append((RemoteShard(f"{url}/{name}", contents.sha256, whole=room >= 0), contents))
    return found


def read_info(folder: Path) -> DatasetInfo:
    """The data set's `dataset.json`.

    Raises:
        UserError: there is none, it is damaged, or its mel is another.
    """
    path, url = folder / "dataset.json", url_of(folder)
    if url is None and not path.exists():
        raise UserError(
            f"{folder} is no prepared data set: it has no dataset.json; make one with 'clipsonic prepare'"
        )
    content = path.read_bytes() if url is None else read(f"{url}/dataset.json")
    try:
        info = DatasetInfo.model_validate_json(content)
    except ValueError as error:
        raise UserError(f"{path} is damaged or of another version; prepare the data set again") from error
    if info.mel != MelSettings():
        raise UserError(f"{folder} was made with another mel spectrogram; prepare the data set again")
    return info


def summary(info: DatasetInfo, shards: Sequence[tuple[Path, ShardIndex]], complete: bool) -> DatasetInfo:
    """The data set's page, with counts over its shards."""
    clips = [clip.info for _, index in shards for clip in index.clips]
    used = {video for _, index in shards for video in index.videos}
    splits: dict[str, int] = {}
    labels: dict[str, int] = {}
    for clip in clips:
        splits[clip.split] = splits.get(clip.split, 0) + 1
        if clip.label is not None:
            labels[clip.label] = labels.get(clip.label, 0) + 1
    return info.model_copy(
        update={
            "complete": complete,
            "clips": len(clips),
            "seconds": round(sum(clip.seconds for clip in clips), 3),
            "splits": splits,
            "labels": labels,
            "shards": {path.name: index.sha256 for path, index in shards},
            "skipped": {
                video: why for _, index in shards for video, why in index.skipped.items() if video not in used
            },
        }
    )


def frames_bytes(embeddings: NDArray[np.float32]) -> bytes:
    """Unit embeddings (pictures, D) => the content of `KEY.frames.npy`, in half precision."""
    target = io.BytesIO()
    np.save(target, embeddings.astype(np.float16))
    return target.getvalue()


def read_frames(content: bytes) -> NDArray[np.float32]:
    """Stored embeddings => (pictures, D) rows of norm 1."""
    rows = np.load(io.BytesIO(content), allow_pickle=False).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
