"""Videos of any time stamps and codec, and what a file holds."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 16_000


def write_film(
    path: Path,
    times: Sequence[int],
    codec: str = "libx264",
    unit: Fraction = Fraction(1, 1000),
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Pictures with a white bar along their top, shown at those times, in milliseconds unless told."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = unit
        if rotation:
            stream.set_display_rotation(rotation)
        for number, time in enumerate(times):
            picture = np.full((64, 96, 3), number % 50, np.uint8)
            picture[:16] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_record(path: Path) -> Path:
    """A second of sound with a picture as its cover."""
    with av.open(str(path), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=44_100, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 96, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame(96, 64, "yuvj420p")))
        container.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44_100), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44_100
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def packets_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def shown(path: Path) -> list[float]:
    """When each picture is shown that can be decoded."""
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


def sound_of(path: Path) -> tuple[float, np.ndarray]:
    """When the sound begins, and the sound at 16 kHz."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        frames = list(container.decode(audio=0))
        begin = frames[0].time
        pieces = [out for frame in frames for out in resampler.resample(frame)] + resampler.resample(None)
    return begin, np.concatenate([piece.to_ndarray()[0] for piece in pieces])
