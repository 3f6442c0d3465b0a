"""Videos of any time stamps and codec, and what a file holds."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

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


def write_media(
    path: Path,
    picture: str | None = "mpeg4",
    sound: str | None = "pcm_s16le",
    seconds: float = 3.0,
    sound_seconds: float | None = None,
    size: tuple[int, int] = (96, 64),
    pixels: str = "yuv420p",
    rate: int = 16_000,
    layout: str = "mono",
    times: Sequence[int] | None = None,
    delay: float = 0.0,
    rotation: int = 0,
    tones: Sequence[float] = (440.0,),
    gap: tuple[float, float] | None = None,
    form: str | None = None,
) -> Path:
    """A small film of any codec: a picture every quarter of a second, and a tone a track.

    Args:
        times: of the pictures instead, milliseconds.
        delay: seconds after which the sound begins.
        gap: the sound's time stamps go on later or earlier, (from second, by seconds).
        form: the container, where the name does not say it.
    """
    unit = Fraction(1, 1000)
    times = range(0, round(seconds * 1000), 250) if times is None else times
    with av.open(str(path), "w", format=form) as container:
        screen, tracks = None, []
        if picture is not None:
            screen = container.add_stream(picture, rate=25 if picture == "mpeg1video" else 4)
            screen.width, screen.height, screen.pix_fmt = *size, pixels
            if picture != "mpeg1video":
                screen.codec_context.time_base = unit
            if rotation:
                screen.set_display_rotation(rotation)
        for hertz in tones if sound is not None else ():
            tracks.append((container.add_stream(sound, rate=rate, layout=layout), hertz))
        for number, time in enumerate(times if screen is not None else ()):
            shown = np.full((size[1], size[0], 3), 40 + 20 * number % 200, np.uint8)
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = time, unit
            container.mux(screen.encode(frame))
        if screen is not None:
            container.mux(screen.encode(None))
        for track, hertz in tracks:
            for frame in _waves(hertz, sound_seconds or seconds, rate, layout, delay, gap):
                container.mux(track.encode(frame))
            container.mux(track.encode(None))
    return path


def _waves(
    hertz: float, seconds: float, rate: int, layout: str, delay: float, gap: tuple[float, float] | None
) -> list[av.AudioFrame]:
    wave = (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype("f4")
    channels = av.AudioLayout(layout).nb_channels
    pieces = [wave] if gap is None else np.split(wave, [round(gap[0] * rate)])
    frames, place = [], round(delay * rate)
    for number, piece in enumerate(pieces):
        for few in np.split(piece, range(1024, len(piece), 1024)):
            frame = av.AudioFrame.from_ndarray(np.repeat(few, channels)[None], format="flt", layout=layout)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = place + (round(gap[1] * rate) if number and gap else 0)
            place += len(few)
            frames.append(frame)
    return frames


def huge_frame(path: Path, size: tuple[int, int] = (20_000, 10_000)) -> Path:
    """A film whose one frame would have 200 million pixels, packed a thousandfold."""
    packed = io.BytesIO()
    Image.new("L", size).save(packed, "PNG")
    with av.open(str(path), "w") as container:
        screen, track = container.add_stream("png", rate=1), container.add_stream("pcm_s16le", rate=16_000)
        screen.width, screen.height, screen.pix_fmt = 64, 64, "gray"
        packet = av.Packet(packed.getvalue())
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = screen, 0, 0, True
        container.start_encoding()
        container.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.full((1, 48_000), 9000, "i2"), format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux([*track.encode(frame), *track.encode(None)])
    return path
