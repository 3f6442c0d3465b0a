"""A video's pictures over time, for making sound to it: some every second, and where each shot begins."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsonic.data.bounded import PATIENCE, Died, alone, time_limit
from clipsonic.data.frames import as_picture, open_film, picture_track, pixel_aspect, seconds_of
from clipsonic.data.video import MOST_PIXELS, Unusable

GLANCE = (32, 18)  # pixels to which frames are shrunk to find cuts
# A cut changes the shrunk frame by more than this share of the full range, and by more than so many times what
# the frames before it changed by on average: films move, and some flicker.
CUT_SHARE, CUT_TIMES = 0.10, 4.0
MEMORY = 0.8  # of that average: what the last frame leaves of it
SHORTEST_SHOT = 0.25  # seconds; what changes faster is a flash or a flicker

T = TypeVar("T")


@dataclass(frozen=True)
class Look:
    """A picture of a video."""

    time: float  # seconds from the first picture
    picture: Image.Image
    new_shot: bool  # a shot begins with it


class Footage:
    """The pictures of a video in one pass: the first of each shot, and one every `every` seconds.

    The file is opened and decoded in a process of its own, with the bounds that `prepare` has for a reader's time
    and memory.

    Args:
        longest: seconds that it may last.
        only: seconds of its beginning that are looked at; it may then last as long as it likes.
        patience: seconds after which a decoder that gives nothing is ended.

    Raises:
        Unusable: on checking or iterating, if it cannot be read, has no pictures, or is too long.
    """

    def __init__(
        self,
        path: Path,
        every: float = 0.5,
        longest: float = 600.0,
        only: float | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.path, self.every, self.longest, self.only, self.patience = path, every, longest, only, patience
        self.aspect = 1.0  # of its pixels
        self.seconds = 0.0  # that it lasts; known when all was seen

    def check(self) -> None:
        """Refuses what can be refused without decoding."""
        for _ in self._elsewhere(_opens):
            pass

    def __iter__(self) -> Iterator[Look]:
        """In the order in which they are shown."""
        with closing(self._elsewhere(_seen)) as looks:
            for look in looks:
                if isinstance(look, float):
                    self.seconds = look
                else:
                    yield look

    def _elsewhere(self, work: Callable[["Footage"], Iterator[T]]) -> Generator[T]:
        """What the other process finds."""
        try:
            with closing(alone(work, self)) as found:
                yield from found
        except Died as error:
            raise Unusable(f"{self.path} cannot be read as a video: {error}") from error

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        """The file and its track of pictures."""
        try:
            with open_film(self.path) as container:
                track = picture_track(container)
                if track is None:
                    covers = container.streams.video
                    cover = "; to ask with its cover, give that as a picture" if covers else ""
                    raise Unusable(f"{self.path} has no track of moving pictures{cover}")
                if self.only is None and _told(container, track) > self.longest + 1:
                    raise self._too_long()
                yield container, track
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Unusable(f"{self.path} cannot be read as a video: {reason}") from error

    def _too_long(self) -> Unusable:
        return Unusable(
            f"{self.path} lasts more than {self.longest:g} s, the most for which sound is made; "
            "ask for the first seconds of it with --seconds, or cut it"
        )

    def opens(self) -> Iterator[None]:
        """What the other process does to check: nothing comes of it but an error."""
        time_limit(self.path, self.patience)
        with self._opened() as (container, track):
            told = _told(container, track)  # which may be a little more or less than what is shown
            if self.only is not None and 0 < told < self.only - 1:
                raise Unusable(f"{self.path} lasts {told:.2f} s, less than the {self.only:g} s asked for")
            yield

    def seen(self) -> Iterator[Look | float]:
        """What it does to look: the looks, and at the end the seconds that the video lasts."""
        alive = time_limit(self.path, self.patience)
        with self._opened() as (container, track):
            self.aspect = pixel_aspect(track)
            yield from self._looks(_frames(container, track, alive))
        yield self.seconds

    def _looks(self, frames: Iterator[Any]) -> Iterator[Look]:
        first, last, gap = None, 0.0, 0.0
        shot, due = 0.0, 0.0
        before, moved = None, 0.0
        for frame in frames:
            time = seconds_of(frame)
            if first is None:
                first = time
            time = max(last, time - first)
            if self.only is not None and time >= self.only:
                self.seconds = self.only
                return
            if time > self.longest:
                raise self._too_long()
            gap, last = (time - last or gap), time
            glance = _glance(frame)
            change = 0.0 if before is None else float(np.abs(glance - before).mean())
            cut = before is None or (
                change > max(CUT_SHARE, CUT_TIMES * moved) and time - shot >= SHORTEST_SHOT
            )
            moved = MEMORY * moved + (1 - MEMORY) * change if not cut else moved
            before = glance
            if cut or time >= due:
                shot = time if cut else shot
                due = time + self.every
                yield Look(time, as_picture(frame, self.aspect), cut)
        if first is None:
            raise Unusable(f"{self.path} has no pictures")
        self.seconds = min(last + (gap or 1 / 25), self.longest)


def _told(container: Any, track: Any) -> float:
    """Return the seconds that a file says it lasts; 0 if it does not say."""
    return float((track.duration or 0) * track.time_base) or (container.duration or 0) / 1e6


def _opens(footage: Footage) -> Iterator[None]:
    return footage.opens()


def _seen(footage: Footage) -> Iterator[Look | float]:
    return footage.seen()


def _frames(container: Any, track: Any, alive: Callable[[], None]) -> Iterator[Any]:
    track.thread_type = "AUTO"
    track.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    for packet in container.demux(track):
        alive()
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue  # a damaged packet costs itself, not the video


def _glance(frame: Any) -> NDArray[np.float32]:
    small = frame.reformat(width=GLANCE[0], height=GLANCE[1], format="rgb24").to_ndarray()
    return small.astype(np.float32) / 255
