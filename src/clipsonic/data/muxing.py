"""Sound onto a video whose pictures stay as they are, packet by packet."""

from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import Float

from clipsonic.errors import UserError

CODECS = {".mp4": "aac", ".m4v": "aac", ".mov": "aac", ".mkv": "flac", ".webm": "libopus"}
FRAME = 4096  # samples handed to the encoder at once


def with_sound(video: Path, wave: Float[np.ndarray, "samples"], sample_rate: int, out: Path) -> None:
    """Writes `out`: the pictures of `video`, not encoded again, with this sound instead of any it had.

    Args:
        wave: mono, in [-1, 1].
        out: its ending decides the container: MP4 and MOV hold AAC, MKV FLAC, WebM Opus.

    Raises:
        UserError: the ending is none of these, or its container does not take the video's pictures.
    """
    codec = CODECS.get(out.suffix.lower())
    if codec is None:
        raise UserError(f"{out} should end in {', '.join(CODECS)}")
    try:
        with av.open(str(video), metadata_errors="replace") as source, av.open(str(out), "w") as target:
            picture = source.streams.video[0]
            copied = target.add_stream_from_template(picture)
            copied.metadata.update(picture.metadata)
            sound = target.add_stream(
                codec, rate=48_000 if codec == "libopus" else sample_rate, layout="mono"
            )
            pieces = _frames(wave, sample_rate)
            begin = None
            for packet in source.demux(picture):
                if packet.dts is None:  # the empty packet at the end
                    continue
                time = float(packet.dts * packet.time_base)
                begin = time if begin is None else begin
                while pieces and pieces[-1][0] <= time - begin:
                    target.mux(sound.encode(pieces.pop()[1]))
                packet.stream = copied
                target.mux(packet)
            for _, frame in reversed(pieces):
                target.mux(sound.encode(frame))
            target.mux(sound.encode(None))
    except (av.error.FFmpegError, ValueError) as error:  # PyAV's word for a codec that the container lacks
        out.unlink(missing_ok=True)
        why = getattr(error, "strerror", error)
        raise UserError(
            f"the pictures of {video} cannot be put into {out.name} as they are: {why}; "
            f"name it {out.stem}{video.suffix}, or write the sound alone"
        ) from error


def _frames(wave: Float[np.ndarray, "samples"], sample_rate: int) -> list[tuple[float, Any]]:
    """Times and pieces of sound, the last first."""
    frames = []
    for start in range(0, len(wave), FRAME):
        piece = np.ascontiguousarray(wave[None, start : start + FRAME], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = sample_rate, start
        frames.append((start / sample_rate, frame))
    return frames[::-1]
