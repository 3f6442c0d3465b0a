"""Videos => a prepared data set, resumable, never stopped by one bad file."""

import hashlib
import io
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from clipsonic.data.readers import AGAIN, Piece, read_all
from clipsonic.data.revise import fingerprint, revise
from clipsonic.data.shards import (
    ClipInfo,
    DatasetInfo,
    NewClip,
    ShardIndex,
    ShardWriter,
    finished_shards,
    frames_bytes,
    read_info,
    summary,
)
from clipsonic.data.sources import Video
from clipsonic.encoders.base import Encoder
from clipsonic.errors import UserError
from clipsonic.files import only_one, whole_folder, write_json, writing

# What reads videos: (videos, seconds a clip, processes) => each with its pieces, or why it has none, in order.
Reader = Callable[[Sequence[Video], float, int], Iterator[tuple[Video, list[Piece] | str]]]


@dataclass(frozen=True)
class Progress:
    """State after a video."""

    done: int  # videos, those of earlier runs included
    total: int
    clips: int
    skipped: int
    seconds: float  # of sound that has become clips
    video: str


def prepare(
    videos: Sequence[Video],
    out: Path,
    encoder: Encoder,
    clip_seconds: float = 10.0,
    workers: int | None = None,
    shard_clips: int = 256,
    read: Reader = read_all,
    tell: Callable[[str], None] = lambda line: None,
) -> Generator[Progress]:
    """Prepares videos into `out`, yielding after each; the same call goes on where it was stopped.

    A shard holds whole videos, `shard_clips` clips or a little more. What is lost by a kill is one shard's work;
    stopping the iteration (or Ctrl-C) loses nothing. The order of the clips does not depend on `workers`.

    Videos that are in `out` already are not encoded again, unless their files have changed; their labels and splits
    become those of `videos`. `tell` is called with a line about what has changed.

    Raises:
        UserError: `out` holds a data set made with another encoder or clip length, is held by another process, or
            cannot be written.
    """
    with only_one(out):
        yield from _prepare(videos, out, encoder, clip_seconds, workers, shard_clips, read, tell)


def _prepare(
    videos: Sequence[Video],
    out: Path,
    encoder: Encoder,
    clip_seconds: float,
    workers: int | None,
    shard_clips: int,
    read: Reader,
    tell: Callable[[str], None],
) -> Generator[Progress]:
    info = _open(out, encoder, clip_seconds)
    with writing(out):
        shards = revise(finished_shards(out), videos, tell)
    before = {name for _, index in shards for name in index.videos}
    before |= {name for _, index in shards for name, why in index.skipped.items() if why not in AGAIN}
    left = [video for video in videos if video.name not in before]
    state = _State(out, info, shards, shard_clips, total=len(videos), done=len(videos) - len(left))
    try:
        for video, pieces in read(left, clip_seconds, workers or os.cpu_count() or 1):
            yield state.add(video, pieces, encoder)
    finally:
        state.close(complete=state.done == state.total)


def _open(out: Path, encoder: Encoder, clip_seconds: float) -> DatasetInfo:
    info = DatasetInfo(encoder_id=encoder.id, embedding_dim=encoder.embedding_dim, clip_seconds=clip_seconds)
    if (out / "dataset.json").exists():
        old = read_info(out)
        for field in ("encoder_id", "clip_seconds"):
            was, now = getattr(old, field), getattr(info, field)
            if was != now:
                raise UserError(f"{out} was prepared with {field} {was}, not {now}; name another folder")
        return info
    with writing(out):
        with whole_folder(out / "encoder") as folder:
            encoder.save_pretrained(folder)
        write_json(out / "dataset.json", info.model_dump())
    return info


class _State:
    """The shard being filled and the counts so far."""

    def __init__(
        self,
        out: Path,
        info: DatasetInfo,
        shards: list[tuple[Path, ShardIndex]],
        shard_clips: int,
        total: int,
        done: int,
    ) -> None:
        self.out, self.info, self.shards, self.shard_clips = out, info, shards, shard_clips
        self.total, self.done = total, done
        page = summary(info, shards, complete=False)
        self.clips, self.skipped, self.seconds = page.clips, len(page.skipped), page.seconds
        self.shard = ShardWriter()

    def add(self, video: Video, pieces: list[Piece] | str, encoder: Encoder) -> Progress:
        clips = pieces if isinstance(pieces, str) else _encode(video, pieces, encoder)
        self.shard.add(video.name, clips, fingerprint(video))
        self.done += 1
        self.clips += 0 if isinstance(clips, str) else len(clips)
        self.skipped += isinstance(clips, str)
        self.seconds += 0 if isinstance(pieces, str) else sum(piece.seconds for piece in pieces)
        if self.shard.clips >= self.shard_clips:
            self._finish_shard()
        return Progress(self.done, self.total, self.clips, self.skipped, self.seconds, video.name)

    def _finish_shard(self) -> None:
        number = 1 + max((int(path.stem.split("-")[1]) for path, _ in self.shards), default=-1)
        with writing(self.out):
            index = self.shard.write(self.out, number)
        self.shards.append((self.out / f"shard-{number:06d}.tar", index))
        self.shard = ShardWriter()

    def close(self, complete: bool) -> None:
        if self.shard.videos:
            self._finish_shard()
        with writing(self.out):
            write_json(self.out / "dataset.json", summary(self.info, self.shards, complete).model_dump())


def _encode(video: Video, pieces: list[Piece], encoder: Encoder) -> list[NewClip]:
    digest = hashlib.sha256(video.name.encode()).hexdigest()[:12]
    clips = []
    for number, piece in enumerate(pieces):
        pictures = [Image.open(io.BytesIO(picture)) for picture in piece.pictures]
        embeddings = encoder.encode_image(pictures).float().cpu().numpy()
        info = ClipInfo(
            source=video.name,
            start=piece.start,
            seconds=piece.seconds,
            picture_times=[round(time, 3) for time in piece.times],
            label=video.label,
            split=video.split,
            licence=video.licence,
        )
        clips.append(NewClip(f"{digest}-{number:04d}", info, piece.sound, frames_bytes(embeddings)))
    return clips
