"""Videos => a prepared data set, with reader processes, resumable, never stopped by one bad file."""

import csv
import hashlib
import io
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.shards import (
    ClipInfo,
    DatasetInfo,
    NewClip,
    ShardIndex,
    ShardWriter,
    finished_shards,
    flac,
    frames_bytes,
    read_info,
    summary,
)
from clipsonic.data.video import Unusable, read_clips
from clipsonic.errors import UserError
from clipsonic.files import write_json

if TYPE_CHECKING:  # reader processes import this file, and need no torch
    from clipsonic.encoders.base import Encoder

VIDEO_SUFFIXES = {
    ".mp4",
    ".mkv",
    ".webm",
    ".mov",
    ".avi",
    ".m4v",
    ".mpg",
    ".mpeg",
    ".ts",
    ".flv",
    ".wmv",
    ".ogv",
}


@dataclass(frozen=True)
class Video:
    """A video to prepare and what is known of it."""

    path: Path
    name: str  # how it is recorded; tells it apart from the others
    label: str | None = None
    split: str = "train"
    licence: str | None = None


@dataclass(frozen=True)
class Progress:
    """State after a video."""

    done: int  # videos, those of earlier runs included
    total: int
    clips: int
    skipped: int
    seconds: float  # of sound that has become clips
    video: str


@dataclass(frozen=True)
class _Piece:
    """A clip on its way from a reader process: FLAC and JPEG are a tenth of what they unpack to."""

    start: float
    seconds: float
    sound: bytes
    pictures: list[bytes]
    times: list[float]


def find_videos(sources: Sequence[Path]) -> list[Video]:
    """Files, folders (searched to the bottom) and CSV lists => videos, each once, in a fixed order.

    A CSV has a column `path`, taken relative to the CSV, and may have `label`, `split` and `licence`. Files named
    directly or in a CSV are tried whatever they are called; folders are searched by file name ending.

    Raises:
        UserError: a source is missing, a CSV lacks its column, or there is no video at all.
    """
    found: dict[str, Video] = {}
    for source in sources:
        if source.is_dir():
            inside = sorted(path for path in source.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
            videos = [Video(path, path.relative_to(source).as_posix()) for path in inside]
        elif source.suffix.lower() == ".csv" and source.exists():
            videos = list(_read_list(source))
        elif source.exists():
            videos = [Video(source, source.name)]
        else:
            raise UserError(f"{source} does not exist")
        for video in videos:
            name = video.name if video.name not in found else str(video.path)
            found[name] = Video(video.path, name, video.label, video.split, video.licence)
    if not found:
        raise UserError(
            f"no video found in {', '.join(map(str, sources))} (looked for {', '.join(sorted(VIDEO_SUFFIXES))})"
        )
    return list(found.values())


def _read_list(source: Path) -> Iterator[Video]:
    with source.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if "path" not in (rows.fieldnames or []):
            raise UserError(f"{source} needs a column named 'path'; it has {rows.fieldnames}")
        for row in rows:
            yield Video(
                source.parent / row["path"],
                row["path"],
                row.get("label") or None,
                row.get("split") or "train",
                row.get("licence") or row.get("license") or None,
            )


def prepare(
    videos: Sequence[Video],
    out: Path,
    encoder: "Encoder",
    clip_seconds: float = 10.0,
    workers: int | None = None,
    shard_clips: int = 256,
) -> Iterator[Progress]:
    """Prepares videos into `out`, yielding after each; the same call goes on where it was stopped.

    A shard holds whole videos, `shard_clips` clips or a little more. What is lost by a kill is one shard's work;
    stopping the iteration (or Ctrl-C) loses nothing. The order of the clips does not depend on `workers`.

    Raises:
        UserError: `out` holds a data set made with another encoder or clip length, or cannot be written.
    """
    info = _open(out, encoder, clip_seconds)
    shards = finished_shards(out)
    before = {name for _, index in shards for name in [*index.videos, *index.skipped]}
    left = [video for video in videos if video.name not in before]
    state = _State(out, info, shards, shard_clips, total=len(videos), done=len(videos) - len(left))
    try:
        for video, pieces in _read_all(left, clip_seconds, workers or os.cpu_count() or 1):
            yield state.add(video, pieces, encoder)
    finally:
        state.close(complete=state.done == state.total)


def _open(out: Path, encoder: "Encoder", clip_seconds: float) -> DatasetInfo:
    info = DatasetInfo(encoder_id=encoder.id, embedding_dim=encoder.embedding_dim, clip_seconds=clip_seconds)
    if (out / "dataset.json").exists():
        old = read_info(out)
        for field in ("encoder_id", "clip_seconds"):
            was, now = getattr(old, field), getattr(info, field)
            if was != now:
                raise UserError(f"{out} was prepared with {field} {was}, not {now}; name another folder")
        return info
    try:
        out.mkdir(parents=True, exist_ok=True)
        encoder.save_pretrained(out / "encoder")
        write_json(out / "dataset.json", info.model_dump())
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from error
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

    def add(self, video: Video, pieces: list[_Piece] | str, encoder: "Encoder") -> Progress:
        clips = pieces if isinstance(pieces, str) else _encode(video, pieces, encoder)
        self.shard.add(video.name, clips)
        self.done += 1
        self.clips += 0 if isinstance(clips, str) else len(clips)
        self.skipped += isinstance(clips, str)
        self.seconds += 0 if isinstance(pieces, str) else sum(piece.seconds for piece in pieces)
        if self.shard.clips >= self.shard_clips:
            self._finish_shard()
        return Progress(self.done, self.total, self.clips, self.skipped, self.seconds, video.name)

    def _finish_shard(self) -> None:
        number = 1 + max((int(path.stem.split("-")[1]) for path, _ in self.shards), default=-1)
        index = self.shard.write(self.out, number)
        self.shards.append((self.out / f"shard-{number:06d}.tar", index))
        self.shard = ShardWriter()

    def close(self, complete: bool) -> None:
        if self.shard.videos:
            self._finish_shard()
        write_json(self.out / "dataset.json", summary(self.info, self.shards, complete).model_dump())


def _encode(video: Video, pieces: list[_Piece], encoder: "Encoder") -> list[NewClip]:
    digest = hashlib.sha256(video.name.encode()).hexdigest()[:12]
    clips = []
    for number, piece in enumerate(pieces):
        pictures = [Image.open(io.BytesIO(jpeg)) for jpeg in piece.pictures]
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


def _read_all(
    videos: Sequence[Video], clip_seconds: float, workers: int
) -> Iterator[tuple[Video, list[_Piece] | str]]:
    """Each video with its pieces or the reason why it has none, in the order given, read ahead by few."""
    waiting = deque(videos)
    running: deque[tuple[Video, Future[list[_Piece] | str]]] = deque()
    pool = _pool(workers)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                video = waiting.popleft()
                running.append((video, pool.submit(_read, video.path, clip_seconds)))
            video, future = running.popleft()
            try:
                pieces = future.result()
            except BrokenProcessPool:
                # One of the running videos killed its reader: find out which, one by one.
                pool.shutdown(wait=False)
                pool = _pool(workers)
                waiting.extendleft(reversed([other for other, _ in running]))
                running.clear()
                pieces = _read_alone(video, clip_seconds)
            yield video, pieces
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")  # forking a process that runs torch can hang
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=_ignore_interrupts)


def _ignore_interrupts() -> None:
    """Ctrl-C goes to every process of the terminal; only the main one decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read_alone(video: Video, clip_seconds: float) -> list[_Piece] | str:
    with _pool(1) as pool:
        try:
            return pool.submit(_read, video.path, clip_seconds).result()
        except BrokenProcessPool:
            return "reading it crashed the decoder or ran out of memory"


def _read(path: Path, clip_seconds: float) -> list[_Piece] | str:
    """Runs in a reader process."""
    if not path.is_file():
        return "no such file"
    try:
        return [
            _Piece(
                clip.start,
                len(clip.wave) / SAMPLE_RATE,
                flac(clip.wave),
                [_jpeg(p) for p in clip.pictures],
                clip.times,
            )
            for clip in read_clips(path, clip_seconds)
        ]
    except Unusable as reason:
        return str(reason)


def _jpeg(picture: Image.Image) -> bytes:
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=95, subsampling=0)
    return target.getvalue()
