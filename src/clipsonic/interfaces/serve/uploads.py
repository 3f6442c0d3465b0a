"""Uploads: pictures and videos from strangers, looked at in a process of its own, kept in a private folder."""

import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from clipsonic.errors import UserError
from clipsonic.interfaces.serve.requests import Limits

if TYPE_CHECKING:
    from PIL import Image

# What films begin with: playlists, which FFmpeg also takes for videos, could name other files and addresses.
MATROSKA, RIFF = b"\x1aE\xdf\xa3", b"RIFF"
BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")  # of MP4 and MOV, after their length
CONTAINERS = {"mov", "mp4", "matroska", "webm", "avi"}  # names of FFmpeg's readers
FRAMES_A_SECOND = 120  # more than any camera film; each costs its decoding
LOOK_SECONDS = 30.0  # that an upload may take to be looked at: ten times what the largest ones take

_few_at_a_time = threading.BoundedSemaphore(2)  # each may take as much memory as a reader has

T = TypeVar("T")


class TooLarge(UserError):
    """An upload that is larger than this server takes."""


class NoMedia(UserError):
    """An upload that is no picture or no video of the kinds taken."""


class Uploads:
    """A folder that only this user can read, gone with the server; files in it have random names."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="clipsonic-serve-"))

    def keep(self, file: IO[bytes]) -> Path:
        """Copies an upload that came in whole => where it is."""
        path = self.folder / secrets.token_hex(16)
        try:
            with path.open("xb") as copy:
                shutil.copyfileobj(file, copy, 2**20)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def remove(self) -> None:
        """Removes the folder and all that is left in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def read_picture(file: IO[bytes] | Path, limits: Limits) -> "Image.Image":
    """Decode an uploaded picture as `decode_picture` does, in a process of its own.

    Raises:
        TooLarge: it has more pixels than `limits` says; told from its header, before it is decoded.
        NoMedia: it is none of the formats in `COMMON`.
        UserError: it is damaged, or was not read within bounds of time and memory.
    """
    if isinstance(file, Path):
        return _elsewhere("picture", _picture, file, limits)
    with tempfile.NamedTemporaryFile() as copy:
        shutil.copyfileobj(file, copy, 2**20)
        copy.flush()
        return _elsewhere("picture", _picture, Path(copy.name), limits)


def check_video(path: Path, limits: Limits, seconds: float | None) -> None:
    """Refuses what would not be answered, or only at great cost; decodes nothing.

    Args:
        seconds: of its beginning that are asked for; the whole unless told.

    Raises:
        TooLarge: it lasts too long, or its frames are too large or too many.
        NoMedia: it is no MP4, MOV, MKV, WebM or AVI.
        UserError: it is damaged, has no pictures, or was not read within bounds of time and memory.
    """
    _elsewhere("video", _check, path, limits, seconds)


def _elsewhere(what: str, work: Callable[..., T], path: Path, *words: Any) -> T:
    """What `work(path, *words)` returns or raises, from a reader that may not take long."""
    from clipsonic.data.bounded import Died, once
    from clipsonic.data.video import Unusable

    with _few_at_a_time:
        try:
            return once(_in_time, LOOK_SECONDS, work, path, *words)
        except (Died, Unusable) as error:
            raise UserError(f"the {what} cannot be read: {error}") from error


def _in_time(seconds: float, work: Callable[..., T], path: Path, *words: Any) -> T:
    from clipsonic.data.bounded import time_limit

    time_limit(path, seconds)  # for all of it: it is never said that something came
    return work(path, *words)


def _picture(path: Path, limits: Limits) -> "Image.Image":
    from clipsonic.data.pictures import COMMON, NotAPicture, TooManyPixels, decode_picture

    try:
        return decode_picture(path, COMMON, limits.pixels)
    except TooManyPixels as error:
        raise TooLarge(f"the picture has more than {limits.pixels / 1e6:g} million pixels") from error
    except NotAPicture as error:
        raise NoMedia(f"the picture cannot be read: {error}") from error
    except UserError as error:
        raise UserError("the picture is damaged or cut off") from error  # without the name it has here


def _check(path: Path, limits: Limits, seconds: float | None) -> None:
    import av

    from clipsonic.data.frames import open_film, picture_track

    with path.open("rb") as file:
        head = file.read(12)
    if not (head.startswith((MATROSKA, RIFF)) or head[4:8] in BOXES):
        raise NoMedia("the video is no MP4, MOV, MKV, WebM or AVI")
    try:
        with open_film(path) as container:
            if not CONTAINERS & set(container.format.name.split(",")):
                raise NoMedia("the video is no MP4, MOV, MKV, WebM or AVI")
            track = picture_track(container)
            if track is None:
                raise UserError("the video has no moving pictures")
            if track.width * track.height > limits.pixels / 8:
                raise TooLarge(
                    f"the video's frames have more than {limits.pixels / 8e6:g} million pixels; make it smaller"
                )
            begin, frames = None, 0
            for packet in container.demux(track):
                if packet.size == 0 or packet.dts is None:
                    continue
                frames += 1
                time = float(packet.dts * packet.time_base)
                begin = time if begin is None else begin
                if time - begin > (seconds or limits.seconds):
                    if seconds is not None:
                        break
                    raise TooLarge(
                        f"the video lasts longer than the {limits.seconds:g} s of sound that this server makes; "
                        "say how many seconds of its beginning to take"
                    )
                if frames > (seconds or limits.seconds) * FRAMES_A_SECOND + FRAMES_A_SECOND:
                    raise TooLarge(f"the video has more than {FRAMES_A_SECOND} pictures a second")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UserError("the video is damaged or cut off") from error
