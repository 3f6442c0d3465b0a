"""What has been decoded of a video, and its cutting into clips."""

import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsonic.config import CROP_SAMPLES, SAMPLE_RATE
from clipsonic.data.frames import as_picture, seconds_of

TEAR = 0.05  # seconds by which sound may leave its time stamps before silence is put in or sound left out
JITTER = 50  # frames of sound, all of which must be that early before sound is left out
LEAP = 2.0  # seconds by which the sound's time stamps may leave their pace; more: a gap, or another recording
MOST_PICTURES = 1000  # kept while their sound is still to come: some 500 MB
CANCELLED = 1 / 256  # of a channel's energy: where the average of the channels keeps less, it is that channel
MOST_PEAK = 16.0  # 24 dB above full scale; more is damage, or integers taken for floats
SILENCE = 10 ** (-60 / 20)  # root mean square below which a clip is silent: -60 dB of full scale


@dataclass(frozen=True)
class Clip:
    """A piece of a video: its sound and what was seen meanwhile."""

    start: float  # seconds from the start of the video's sound
    wave: NDArray[np.float32]  # (samples,), 16 kHz mono
    pictures: list[Image.Image]  # one a second, shorter side at most 336 pixels
    times: list[float]  # of the pictures, seconds from the start of the clip


class Tape:
    """What has been decoded and not yet given away, on the time line of the sound."""

    def __init__(self, clip_samples: int, start: float = 0.0, seconds: float | None = None) -> None:
        self.clip_samples = clip_samples
        self.start = start  # seconds of the video's sound that are passed over
        self.begin = -np.inf  # time stamp of what is wanted first, seconds
        self.early = 0  # samples still to be passed over
        # Samples still to come.
        self.wanted = sys.maxsize if seconds is None else round(seconds * SAMPLE_RATE)
        self.heard = -np.inf  # time stamp of the last sound, seconds
        self.expected: float | None = None  # where the sound before ends by its own time stamp
        self.end: float | None = None  # where the sound ends by the number of its samples
        self.drifts: deque[float] = deque(maxlen=JITTER)  # seconds by which the last frames were late
        self.shift = 0.0  # seconds left out in gaps
        self.aspect = 1.0  # of the pictures' pixels
        self.resampler = _resampler()
        self.sound: list[NDArray[np.float32]] = []  # (2, samples): the average of the channels, and the first
        self.samples = 0  # decoded and not yet given away
        self.cut = 0  # samples already cut off
        self.origin: float | None = None  # time stamp of the first sample, seconds
        self.pictures: list[tuple[float, Image.Image]] = []
        self.before: Any = None  # the last frame before `begin`, still on screen when it comes
        self.next_picture = -np.inf
        self.first: dict[int, float] = {}  # second => time stamp of the earliest packet in it
        self.seen = False
        self.silent = 0
        self.loudest = 0.0  # peak of a clip that was left out for it

    def leap(self, frame: Any) -> float:
        """Seconds from where the sound ended to where a frame goes on; 0 where that is not known."""
        time = frame.time
        expected, self.expected = self.expected, None
        if time is not None:
            self.expected = float(time) + frame.samples / frame.sample_rate
        if time is None or expected is None or self.origin is None:
            return 0.0
        return float(time) - expected

    def go_on_at(self, time: float) -> None:
        """Begin anew behind a gap in the sound; what is left of a clip before it is left out."""
        self.cut += self.samples
        self.sound, self.samples = [], 0
        gap = time - self.cut / SAMPLE_RATE - (self.origin or 0.0)
        self.origin = time - self.cut / SAMPLE_RATE
        self.shift += gap
        self.wanted = max(0, self.wanted - round(gap * SAMPLE_RATE))
        self.end = None
        self.resampler = _resampler()
        self.pictures = [(shown, picture) for shown, picture in self.pictures if shown >= time]

    def add_sound(self, frame: Any) -> None:
        """Puts decoded sound at the end."""
        self.heard = seconds_of(frame)
        if self.origin is None:
            if self.heard + frame.samples / frame.sample_rate <= self.begin:
                return
            self.origin = max(self.heard, self.begin)
            self.early = round((self.origin - self.heard) * SAMPLE_RATE)
        self._align(frame)
        frame.pts = None  # jumps in time stamps do not tear the sound
        try:
            self._keep(self.resampler.resample(frame))
        except ValueError:  # rate or layout changed on the way
            self._flush()
            self._keep(self.resampler.resample(frame))

    def _align(self, frame: Any) -> None:
        """Put silence before a frame that is late, and have sound left out where all the last ones are early."""
        seconds = frame.samples / frame.sample_rate
        if frame.time is None or self.end is None:
            self.end = seconds + (self.heard if self.end is None else self.end)
            return
        drift = float(frame.time) - self.end
        self.end += seconds
        self.drifts.append(drift)
        surplus = -max(self.drifts)
        if drift > TEAR:
            self._flush()
            self._append(np.zeros((2, round(drift * SAMPLE_RATE)), np.float32))
        elif len(self.drifts) == JITTER and surplus > TEAR:
            drift = -surplus
            self.early += round(surplus * SAMPLE_RATE)
        else:
            return
        self.end += drift
        self.drifts.clear()

    def _flush(self) -> None:
        self._keep(self.resampler.resample(None))
        self.resampler = _resampler()

    def _keep(self, frames: list[Any]) -> None:
        for frame in frames:
            channels = samples_of(frame)
            self._append(np.stack([channels.mean(axis=1), channels[:, 0]]))

    def _append(self, piece: NDArray[np.float32]) -> None:
        passed = min(self.early, piece.shape[1])
        self.early -= passed
        piece = piece[:, passed : passed + self.wanted]
        self.wanted -= piece.shape[1]
        self.sound.append(piece)
        self.samples += piece.shape[1]

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
        """Keeps a decoded picture if it is the first of its second."""
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
        self.pictures.append((time, as_picture(frame, self.aspect)))
        if len(self.pictures) > MOST_PICTURES:
            self.pictures.pop(0)

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
        sound = np.concatenate(self.sound, axis=1)
        channels, left = sound[:, :samples], sound[:, samples:]
        self.sound, self.samples = [left], left.shape[1]
        start = self.cut / SAMPLE_RATE
        begin = (self.origin or 0.0) + start
        self.cut += samples
        end = begin + samples / SAMPLE_RATE
        # Of the frames before the clip begins, the last is still on screen; later frames wait for their clip.
        before = [picture for time, picture in self.pictures if time < begin][-1:]
        inside = [(time - begin, picture) for time, picture in self.pictures if begin <= time < end]
        inside = [(0.0, picture) for picture in before] + inside
        self.pictures = [(time, picture) for time, picture in self.pictures if time >= end]
        wave = _mono(np.nan_to_num(channels, posinf=0.0, neginf=0.0))
        peak = float(np.abs(wave).max(initial=0.0))
        if np.sqrt(np.mean(np.square(wave, dtype=np.float64))) < SILENCE:
            self.silent += 1
        elif peak > MOST_PEAK:
            self.loudest = max(self.loudest, peak)
        elif inside:
            yield Clip(
                self.start + self.shift + start,
                wave / max(1.0, peak),  # decoders pass full scale; a file of 16 bits would clip
                [picture for _, picture in inside],
                [time for time, _ in inside],
            )

    def why_nothing(self) -> str:
        """The reason where no clip was given."""
        if self.origin is None:
            return f"no sound from {self.start:g} s on" if self.start else "the audio track holds no sound"
        if self.loudest:
            return f"its sound reaches {self.loudest:.0f}, where 1 is full scale"
        if self.silent:
            return "silent"
        if not self.seen:
            return "no picture"
        if self.cut == 0:
            return (
                f"too short: {self.samples / SAMPLE_RATE:.2f} s of sound, {CROP_SAMPLES / SAMPLE_RATE} needed"
            )
        return "no picture while there is sound"


def _resampler() -> Any:
    return av.AudioResampler(format="flt", rate=SAMPLE_RATE)  # of as many channels as what it is given


def samples_of(frame: Any) -> NDArray[np.float32]:
    """Return a frame in packed floats as (samples, channels)."""
    samples: NDArray[np.float32] = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
    return samples


def _mono(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the average of the channels (row 0), or the first channel (row 1) where the channels cancel."""
    average, first = np.mean(np.square(sound, dtype=np.float64), axis=1)
    return sound[1] if average < CANCELLED * first else sound[0]
