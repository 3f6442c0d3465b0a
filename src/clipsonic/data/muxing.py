"""Sound onto a video whose pictures stay as they are, packet by packet."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import Float

from clipsonic.data.bounded import PATIENCE, Died, once, time_limit
from clipsonic.data.frames import open_film, picture_track
from clipsonic.data.media_types import WRITTEN_VIDEOS
from clipsonic.data.video import Unusable
from clipsonic.errors import UserError

FRAME = 4096  # samples handed to the encoder at once
# Tags by which players know a codec. FFmpeg would write its own choice: players that know hvc1 may not know hev1.
_TAGS = {"hvc1", "hev1", "avc1", "avc3", "dvh1", "dvhe", "av01", "vp09", "mp4v"}
KEPT_TAGS = {
    ".mp4": _TAGS,
    ".mov": _TAGS | {"apch", "apcn", "apcs", "apco", "ap4h", "ap4x", "xvid", "jpeg", "mjpa", "mjpb", "png "},
}
REORDERED = 32  # packets; none is stored further from its place in the order of showing


def with_sound(
    video: Path,
    wave: Float[np.ndarray, "samples"],
    sample_rate: int,
    out: Path,
    patience: float = PATIENCE,
) -> None:
    """Writes `out`: the pictures of `video`, not encoded again, with this sound instead of any it had.

    The sound begins with the first picture that is shown; pictures later than its end are left out. The file is
    read and written in a process of its own, with the bounds that `prepare` has for a reader's time and memory.

    Args:
        wave: mono, in [-1, 1].
        out: its ending decides the container: MP4 and MOV hold AAC, MKV FLAC, WebM Opus.
        patience: seconds after which a file that gives nothing is given up.

    Raises:
        UserError: the ending is none of these, its container does not take the video's pictures, or they cannot
            be read.
    """
    if out.suffix.lower() not in WRITTEN_VIDEOS:
        raise UserError(f"{out} should end in {', '.join(WRITTEN_VIDEOS)}")
    try:
        once(_mux, video, wave, sample_rate, out, patience)
    except (Died, Unusable) as error:
        out.unlink(missing_ok=True)
        raise UserError(
            f"the pictures of {video} cannot be put into {out.suffix}: {error}; write the sound alone"
        ) from error
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _mux(
    video: Path, wave: Float[np.ndarray, "samples"], sample_rate: int, out: Path, patience: float
) -> None:
    """What the other process does."""
    alive = time_limit(video, patience)
    try:
        _copy(video, wave, sample_rate, out, alive)
    except (av.error.FFmpegError, ValueError, TimeoutError) as error:  # ValueError: a codec it cannot hold
        why = getattr(error, "strerror", None) or error
        others = [
            kind
            for kind in dict.fromkeys((video.suffix.lower(), ".mkv"))
            if kind in WRITTEN_VIDEOS and kind != out.suffix.lower() and _takes(video, kind, alive)
        ]
        other = f"write {others[0]} instead, or " if others else "write "
        raise UserError(
            f"the pictures of {video} cannot be put into {out.suffix} as they are: {why}; {other}the sound alone"
        ) from error


def _takes(video: Path, ending: str, alive: Callable[[], None]) -> bool:
    """Return whether a container takes the pictures of a video."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            _copy(video, np.zeros(4800, np.float32), 48_000, Path(folder) / f"try{ending}", alive)
        except (av.error.FFmpegError, ValueError, TimeoutError):
            return False
    return True


def _copy(
    video: Path, wave: Float[np.ndarray, "samples"], sample_rate: int, out: Path, alive: Callable[[], None]
) -> None:
    codec = WRITTEN_VIDEOS[out.suffix.lower()]
    with (
        open_film(video, fflags="+genpts") as source,  # AVI says only when pictures are decoded
        av.open(str(out), "w") as target,
    ):
        picture = picture_track(source)
        if picture is None:
            raise ValueError("it has no moving pictures")
        copied = target.add_stream_from_template(picture, opaque=True)  # no encoder is looked for
        copied.metadata.update(picture.metadata)
        if (tag := _tag(picture.codec_context, out.suffix.lower())) is not None:
            copied.codec_context.codec_tag = tag
        sound = target.add_stream(codec, rate=48_000 if codec == "libopus" else sample_rate, layout="mono")
        pieces = _frames(wave, sample_rate)
        for packet in _from_zero(source.demux(picture)):
            alive()
            time = float(packet.dts * packet.time_base)
            if time >= len(wave) / sample_rate:
                break
            while pieces and pieces[-1][0] <= time:
                target.mux(sound.encode(pieces.pop()[1]))
            packet.stream = copied
            target.mux(packet)
        for _, frame in reversed(pieces):
            alive()
            target.mux(sound.encode(frame))
        target.mux(sound.encode(None))


def _tag(codec: Any, ending: str) -> str | None:
    """Return the tag to write for a codec, or None for FFmpeg's choice."""
    if codec.codec_tag in KEPT_TAGS.get(ending, ()):
        return str(codec.codec_tag)
    if codec.name == "hevc" and ending in KEPT_TAGS and bytes(codec.extradata or b"")[:1] == b"\1":
        return "hvc1"  # of Matroska, which has no tags; its parameters are where hvc1 has them
    return None


def check_muxing(video: Path, sample_rate: int, ending: str) -> None:
    """Puts a moment of silence onto the first pictures, and throws it away.

    Raises:
        UserError: as `with_sound`.
    """
    with tempfile.TemporaryDirectory() as folder:
        with_sound(video, np.zeros(sample_rate // 10, np.float32), sample_rate, Path(folder) / f"try{ending}")


def _from_zero(packets: Iterator[Any]) -> Iterator[Any]:
    """Packets with a time of decoding each, moved so that the first picture is shown at 0."""
    packets = (packet for packet in packets if packet.size)  # the last is empty
    head, shown = [], []
    for packet in packets:
        head.append(packet)
        if not packet.is_discard:  # what is cut off by an edit list is there to be decoded, not to be shown
            shown.append(packet.dts if packet.pts is None else packet.pts)
        if len(shown) == REORDERED:
            break
    first = min((time for time in shown if time is not None), default=0)
    later = next((packet.dts for packet in head if packet.dts is not None), 0)
    for packet in reversed(head):  # Matroska does not say when the first are decoded
        if packet.dts is None:
            packet.dts = later - (packet.duration or 1)
        later = packet.dts
    for packet in itertools.chain(head, packets):
        later = packet.dts = later + 1 if packet.dts is None else packet.dts
        packet.dts -= first
        if packet.pts is not None:
            packet.pts -= first
        yield packet


def _frames(wave: Float[np.ndarray, "samples"], sample_rate: int) -> list[tuple[float, Any]]:
    """Times and pieces of sound, the last first."""
    frames = []
    for start in range(0, len(wave), FRAME):
        piece = np.ascontiguousarray(wave[None, start : start + FRAME], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = sample_rate, start
        frames.append((start / sample_rate, frame))
    return frames[::-1]
