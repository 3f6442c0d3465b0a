"""A video file => clips of sound with one picture a second, read in one pass.

Knows nothing of encoders or shards, and imports no torch, so that reader processes start at once.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsonic.config import CROP_SAMPLES, SAMPLE_RATE
from clipsonic.data.frames import as_picture, picture_track, seconds_of
from clipsonic.errors import UserError

SEEK_EARLIER = 2.0  # seconds: some containers store a key frame after the sound that belongs to it
SKIPPABLE = {"h264"}  # codecs that say for certain which frames no other is predicted from
SILENCE = 10 ** (-60 / 20)  # root mean square below which a clip is silent: -60 dB of full scale


class Unusable(UserError):
    """A video that gives no clip; the message is the reason that is recorded."""


@dataclass(frozen=True)
class Clip:
    """A piece of a video: its sound and what was seen meanwhile."""

    start: float  # seconds from the start of the video's sound
    wave: NDArray[np.float32]  # (samples,), 16 kHz mono
    pictures: list[Image.Image]  # one a second, shorter side at most 336 pixels
    times: list[float]  # of the pictures, seconds from the start of the clip


def read_clips(
    path: Path, clip_seconds: float = 10.0, start: float = 0.0, seconds: float | None = None, threads: int = 1
) -> Iterator[Clip]:
    """Cuts a video in clips of `clip_seconds`; the last may be shorter, down to one crop (2.048 s).

    Or only the piece of it that begins at `start`, seconds from the start of its sound, and lasts `seconds`. The
    pictures are decoded by so many `threads`.

    Memory stays that of a few clips, however long the video. Silent clips and clips without a picture are left out.

    Raises:
        Unusable: nothing of the video can be used, and why.
    """
    try:
        yield from _read_clips(path, clip_seconds, start, seconds, threads)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unusable(f"unreadable: {reason}") from error


def _read_clips(
    path: Path, clip_seconds: float, start: float, seconds: float | None, threads: int
) -> Iterator[Clip]:
    with av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.audio:
            raise Unusable("no audio track")
        picture, sound = picture_track(container), container.streams.audio[0]
        if picture is None:
            raise Unusable("no picture")
        decoder = picture.codec_context
        decoder.thread_type, decoder.thread_count = "AUTO", threads
        skippable = decoder.name in SKIPPABLE
        tape = _Tape(round(clip_seconds * SAMPLE_RATE), start, seconds)
        if start > 0:
            tape.begin = start + float((sound.start_time or 0) * sound.time_base)
            with suppress(av.error.FFmpegError):  # what cannot jump is read from its start
                container.seek(max(0, round((tape.begin - SEEK_EARLIER) * 1e6)))
        given = 0
        for packet in container.demux(picture, sound):
            if skippable and packet.stream is picture:
                decoder.skip_frame = "NONREF" if tape.can_miss(packet) else "DEFAULT"
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue  # a damaged packet costs itself, not the video
            for frame in frames:
                tape.add_sound(frame) if packet.stream.type == "audio" else tape.add_picture(frame)
            for clip in tape.finished():
                given += 1
                yield clip
            if tape.full():
                break
        for clip in tape.rest():
            given += 1
            yield clip
    if not given:
        raise Unusable(tape.why_nothing())


class _Tape:
    """What has been decoded and not yet given away, on the time line of the sound."""

    def __init__(self, clip_samples: int, start: float = 0.0, seconds: float | None = None) -> None:
        self.clip_samples = clip_samples
        self.start = start  # seconds of the video's sound that are passed over
        self.begin = -np.inf  # time stamp of what is wanted first, seconds
        self.early = 0  # samples still to be passed over
        # Samples still to come.
        self.wanted = sys.maxsize if seconds is None else round(seconds * SAMPLE_RATE)
        self.heard = -np.inf  # time stamp of the last sound, seconds
        self.resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        self.sound: list[NDArray[np.float32]] = []
        self.samples = 0  # decoded and not yet given away
        self.cut = 0  # samples already cut off
        self.origin: float | None = None  # time stamp of the first sample, seconds
        self.pictures: list[tuple[float, Image.Image]] = []
        self.before: Any = None  # the last frame before `begin`, still on screen when it comes
        self.next_picture = -np.inf
        self.first: dict[int, float] = {}  # second => time stamp of the earliest packet in it
        self.seen = False
        self.silent = 0

    def add_sound(self, frame: Any) -> None:
        self.heard = seconds_of(frame)
        if self.origin is None:
            if self.heard + frame.samples / frame.sample_rate <= self.begin:
                return
            self.origin = max(self.heard, self.begin)
            self.early = round((self.origin - self.heard) * SAMPLE_RATE)
        frame.pts = None  # jumps in time stamps do not tear the sound
        try:
            self._keep(self.resampler.resample(frame))
        except ValueError:  # rate or layout changed on the way
            self._keep(self.resampler.resample(None))
            self.resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
            self._keep(self.resampler.resample(frame))

    def _keep(self, frames: list[Any]) -> None:
        for frame in frames:
            piece = frame.to_ndarray()[0]
            passed = min(self.early, len(piece))
            self.early -= passed
            piece = piece[passed : passed + self.wanted]
            self.wanted -= len(piece)
            self.sound.append(piece)
            self.samples += len(piece)

    def can_miss(self, packet: Any) -> bool:
        """Whether a packet's picture is not the first of its second: it is then never kept."""
        if packet.pts is None:
            return False
        time = float(packet.pts * packet.time_base)
        if time < self.begin:
            return False
        first = self.first.setdefault(int(time // 1), time)
        self.first[int(time // 1)] = min(first, time)
        return first < time

    def add_picture(self, frame: Any) -> None:
        time = seconds_of(frame)
        if time < self.begin:
            self.before = frame
            return
        if time > self.begin:
            self._still_on_screen()
        if time >= self.next_picture:
            self._keep_picture(time, frame)

    def _still_on_screen(self) -> None:
        if self.before is not None:
            self._keep_picture(self.begin, self.before)
            self.before = None

    def _keep_picture(self, time: float, frame: Any) -> None:
        self.next_picture = np.floor(time + 1e-6) + 1
        self.seen = True
        self.pictures.append((time, as_picture(frame)))

    def finished(self) -> Iterator[Clip]:
        """Clips whose sound is complete and whose pictures have all gone by."""
        while self.samples >= self.clip_samples:
            end = (self.origin or 0.0) + (self.cut + self.clip_samples) / SAMPLE_RATE
            late = self.samples >= 2 * self.clip_samples  # the picture track has fallen behind or ended
            if not late and (not self.pictures or self.pictures[-1][0] < end):
                return
            yield from self._take(self.clip_samples)

    def full(self) -> bool:
        """All the sound that is wanted is here, and its pictures have gone by or seem to have ended."""
        if self.wanted or self.origin is None:
            return False
        end = self.origin + (self.cut + self.samples) / SAMPLE_RATE
        seen = self.pictures[-1][0] if self.pictures else -np.inf
        return max(seen, self.heard - self.clip_samples / SAMPLE_RATE) >= end

    def rest(self) -> Iterator[Clip]:
        """What is left at the end of the file."""
        if self.origin is not None:
            self._keep(self.resampler.resample(None))
        while self.samples >= CROP_SAMPLES:
            yield from self._take(min(self.samples, self.clip_samples))

    def _take(self, samples: int) -> Iterator[Clip]:
        self._still_on_screen()
        sound = np.concatenate(self.sound)
        wave, left = sound[:samples], sound[samples:]
        self.sound, self.samples = [left], len(left)
        start = self.cut / SAMPLE_RATE
        begin = (self.origin or 0.0) + start
        self.cut += samples
        end = begin + samples / SAMPLE_RATE
        # Of the frames before the clip begins, the last is still on screen; later frames wait for their clip.
        before = [picture for time, picture in self.pictures if time < begin][-1:]
        inside = [(time - begin, picture) for time, picture in self.pictures if begin <= time < end]
        inside = [(0.0, picture) for picture in before] + inside
        self.pictures = [(time, picture) for time, picture in self.pictures if time >= end]
        wave = np.clip(np.nan_to_num(wave), -1.0, 1.0)
        if np.sqrt(np.mean(np.square(wave, dtype=np.float64))) < SILENCE:
            self.silent += 1
        elif inside:
            yield Clip(
                self.start + start, wave, [picture for _, picture in inside], [time for time, _ in inside]
            )

    def why_nothing(self) -> str:
        if self.origin is None:
            return f"no sound from {self.start:g} s on" if self.start else "the audio track holds no sound"
        if self.silent:
            return "silent"
        if not self.seen:
            return "no picture"
        if self.cut == 0:
            return (
                f"too short: {self.samples / SAMPLE_RATE:.2f} s of sound, {CROP_SAMPLES / SAMPLE_RATE} needed"
            )
        return "no picture while there is sound"
