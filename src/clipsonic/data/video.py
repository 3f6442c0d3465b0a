"""A video file => clips of sound with one picture a second, read in one pass.

Knows nothing of encoders or shards, and imports no torch, so that reader processes start at once.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.frames import open_film, picture_track, seconds_of
from clipsonic.data.tape import LEAP, Clip, Tape
from clipsonic.errors import UserError

SEEK_EARLIER = 2.0  # seconds: some containers store a key frame after the sound that belongs to it
MOST_PIXELS = 2**27  # of a frame, 16K by 8K; a larger one is damage, or meant to fill the memory
SKIPPABLE = {"h264"}  # codecs that say for certain which frames no other is predicted from


class Unusable(UserError):
    """A video that gives no clip; the message is the reason that is recorded."""


def read_clips(
    path: Path,
    clip_seconds: float = 10.0,
    start: float = 0.0,
    seconds: float | None = None,
    threads: int = 1,
    alive: Callable[[], None] = lambda: None,
) -> Iterator[Clip]:
    """Cuts a video in clips of `clip_seconds`; the last may be shorter, down to one crop (2.048 s).

    Or only the piece of it that begins at `start`, seconds from the start of its sound, and lasts `seconds`. The
    pictures are decoded by so many `threads`; `alive` is called at every packet.

    Memory stays that of a few clips, however long the video. Silent clips and clips without a picture are left out.

    Raises:
        Unusable: nothing of the video can be used, and why.
    """
    try:
        yield from _read_clips(path, clip_seconds, start, seconds, threads, alive)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unusable(f"unreadable: {reason}") from error


def _read_clips(
    path: Path,
    clip_seconds: float,
    start: float,
    seconds: float | None,
    threads: int,
    alive: Callable[[], None],
) -> Iterator[Clip]:
    with open_film(path) as container:
        if not container.streams.audio:
            raise Unusable("no audio track")
        picture, sound = picture_track(container), container.streams.audio[0]
        if picture is None:
            raise Unusable("no picture")
        decoder = picture.codec_context
        decoder.thread_type, decoder.thread_count = "AUTO", threads
        decoder.options = {"max_pixels": str(MOST_PIXELS)}
        skippable = decoder.name in SKIPPABLE
        tape = Tape(round(clip_seconds * SAMPLE_RATE), start, seconds)
        if start > 0:
            tape.begin = start + float((sound.start_time or 0) * sound.time_base)
            with suppress(av.error.FFmpegError):  # what cannot jump is read from its start
                container.seek(max(0, round((tape.begin - SEEK_EARLIER) * 1e6)))
        given = 0
        for clip in _wound(container.demux(picture, sound), tape, picture, skippable, alive):
            given += 1
            yield clip
    if not given:
        raise Unusable(tape.why_nothing())


def _wound(
    packets: Iterator[Any], tape: Tape, picture: Any, skippable: bool, alive: Callable[[], None]
) -> Iterator[Clip]:
    """Decodes packets onto the tape, and takes the clips from it."""
    for packet in packets:
        alive()
        if skippable and packet.stream is picture:
            picture.codec_context.skip_frame = "NONREF" if tape.can_miss(packet) else "DEFAULT"
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue  # a damaged packet costs itself, not the video
        for frame in frames:
            if packet.stream is picture:
                tape.add_picture(frame)
                continue
            leap = tape.leap(frame)
            if leap < -LEAP:  # another recording behind the first: which picture belongs to what is not known
                yield from tape.rest()
                return
            if leap > LEAP:
                yield from tape.rest()
                tape.go_on_at(seconds_of(frame))
            tape.add_sound(frame)
        yield from tape.finished()
        if tape.full():
            break
    yield from tape.rest()
