"""A video file => clips of sound with one picture a second, read in one pass.

Knows nothing of encoders or shards, and imports no torch, so that reader processes start at once.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.frames import open_film, picture_track, pixel_aspect, seconds_of, sound_tracks
from clipsonic.data.tape import LEAP, SILENCE, Clip, Tape, samples_of
from clipsonic.errors import UserError

SEEK_EARLIER = 2.0  # seconds: some containers store a key frame after the sound that belongs to it
LISTEN = 60.0  # seconds that the first tracks of sound have to make themselves heard, where there are several
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
        tracks = sound_tracks(container)
        if not tracks:
            raise Unusable("no audio track")
        number = 0 if len(tracks) == 1 else _sounding(path, start, seconds, alive)
        picture, sound = picture_track(container), tracks[number]
        if picture is None:
            raise Unusable("no picture")
        decoder = picture.codec_context
        decoder.thread_type, decoder.thread_count = "AUTO", threads
        decoder.options = {"max_pixels": str(MOST_PIXELS)}
        skippable = decoder.name in SKIPPABLE
        tape = Tape(round(clip_seconds * SAMPLE_RATE), start, seconds)
        tape.aspect = pixel_aspect(picture)
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


def _sounding(path: Path, start: float, seconds: float | None, alive: Callable[[], None]) -> int:
    """Return which track of sound to take: the first that is not silent for its first minute.

    Or, where all are silent for so long, the one that sounds first; 0 where none does.
    """
    with open_film(path) as container:
        tracks = sound_tracks(container)
        heard = [Loudness() for _ in tracks]
        most = math.inf if seconds is None else seconds
        begin = start + float((tracks[0].start_time or 0) * tracks[0].time_base)
        if start > 0:
            with suppress(av.error.FFmpegError):
                container.seek(max(0, round((begin - SEEK_EARLIER) * 1e6)))
        for packet in container.demux(tracks):
            alive()
            number = tracks.index(packet.stream)
            try:
                frames = [frame for frame in packet.decode() if seconds_of(frame) >= begin]
            except av.error.InvalidDataError:
                continue
            now = seconds_of(frames[-1]) - begin if frames else 0.0
            for frame in frames:
                heard[number].add(frame)
            if heard[0].sounds or now > most:
                break
            if now > LISTEN and any(each.sounds for each in heard):
                break
    return next((place for place, each in enumerate(heard) if each.sounds), 0)


class Loudness:
    """Whether any second of a track is louder than silence."""

    def __init__(self) -> None:
        self.sounds = False
        self.as_floats = av.AudioResampler(format="flt")
        self.energy, self.samples = 0.0, 0

    def add(self, frame: Any) -> None:
        """Take in decoded sound."""
        frame.pts = None
        try:
            pieces = self.as_floats.resample(frame)
        except ValueError:  # rate or layout changed on the way
            self.as_floats = av.AudioResampler(format="flt")
            pieces = self.as_floats.resample(frame)
        for piece in pieces:
            channels = np.nan_to_num(samples_of(piece), posinf=0.0, neginf=0.0)
            self.energy += float(np.mean(np.square(channels, dtype=np.float64))) * piece.samples
        self.samples += frame.samples
        self.sounds |= self.energy >= SILENCE**2 * max(self.samples, frame.sample_rate)
        if self.samples >= frame.sample_rate:
            self.energy, self.samples = 0.0, 0


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
