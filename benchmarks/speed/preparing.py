"""Preparing a long video, beside decoding it and dropping the result."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmarks.speed.timing import Row, row
from clipsonic.data.prepare import prepare
from clipsonic.data.readers import decoder_threads
from clipsonic.data.shards import read_info
from clipsonic.data.sources import Video
from clipsonic.encoders.base import Encoder
from clipsonic.encoding import TextEncoding

MINUTES = 10
WIDTH, HEIGHT, RATE, SOUND_RATE = 1280, 720, 25, 48_000


class NoEncoder(Encoder):
    """Costs nothing: every picture and text is the same unit vector."""

    @property
    def id(self) -> str:
        """Of no weights."""
        return "none@0"

    @property
    def embedding_dim(self) -> int:
        """As CLIP's."""
        return 768

    def encode_image(self, images: Sequence[Image.Image]) -> Float[Tensor, "b d"]:
        """No look at them."""
        return torch.full((len(images), 768), 768**-0.5)

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "b d"]:
        """No look at them."""
        return torch.full((len(texts), 768), 768**-0.5)

    def encode_tokens(self, texts: Sequence[str]) -> TextEncoding:
        """Never asked for here."""
        raise NotImplementedError

    def save_pretrained(self, folder: Any, **settings: Any) -> None:
        """There is nothing to save."""


def measure(runs: int, peers: Path | None) -> list[Row]:
    """Ours reads, cuts, resamples and writes shards; theirs is PyAV's decoders, as many threads as ours."""
    with tempfile.TemporaryDirectory() as folder:
        video = make_video(Path(folder) / "video.mp4")
        outs = (Path(folder) / f"data-{number}" for number in range(runs + 1))

        def ours() -> None:
            list(prepare([Video(video, "video.mp4")], next(outs), NoEncoder()))

        made = row(
            f"preparing {MINUTES} minutes of 720p without the encoder",
            "PyAV, decoding both streams",
            ours,
            lambda: decode(video),
            min(runs, 3),
            "1.25 x their time (a ratio of 0.8)",
        )
        info = read_info(Path(folder) / "data-0")
        size = video.stat().st_size / 1e6
    quality = (
        f"{info.clips} clips, {info.seconds:.0f} s; H.264 and AAC, {size:.0f} MB, {RATE} frames/s; "
        f"thread_type AUTO and {decoder_threads(1)} threads for both, {os.cpu_count()} cores"
    )
    return [replace(made, quality=quality)]


def decode(path: Path) -> int:
    """Every frame of both streams, dropped."""
    with av.open(str(path)) as container:
        streams = container.streams.video[0], container.streams.audio[0]
        for stream in streams:
            stream.thread_type, stream.codec_context.thread_count = "AUTO", decoder_threads(1)
        return sum(1 for _ in container.decode(*streams))


def make_video(path: Path) -> Path:
    """A moving pattern under noise, a minute of it encoded and repeated, with sound of its own throughout."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "23"})
        picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        picture.thread_type = "FRAME"  # or x264 would cut every picture into slices, as no film is
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="stereo")
        minute = [packet for frame in pictures(60 * RATE) for packet in picture.encode(frame)]
        minute += picture.encode(None)
        ticks = round(60 / float(minute[0].time_base))
        kept = [(bytes(packet), packet.pts, packet.dts, packet.is_keyframe) for packet in minute]
        base = minute[0].time_base
        for again in range(MINUTES):
            for content, pts, dts, key in kept:
                packet = av.Packet(content)
                packet.stream, packet.time_base, packet.is_keyframe = picture, base, key
                packet.pts, packet.dts = pts + again * ticks, dts + again * ticks
                container.mux(packet)
            container.mux([packet for frame in sounds(again) for packet in sound.encode(frame)])
        container.mux(sound.encode(None))
    return path


def pictures(count: int) -> Iterator[av.VideoFrame]:
    """Squares that drift, a brightness that breathes, and grain."""
    random = np.random.default_rng(0)
    pattern = np.kron(random.integers(40, 200, (64, 96)), np.ones((24, 24), int)).astype(np.int16)
    colours = np.kron(random.integers(90, 160, (64, 96)), np.ones((12, 12), int)).astype(np.uint8)
    grains = random.normal(0, 3, (8, HEIGHT, WIDTH)).astype(np.int16)
    for number in range(count):
        x, y = 3 * number % (pattern.shape[1] - WIDTH), 2 * number % (pattern.shape[0] - HEIGHT)
        light = pattern[y : y + HEIGHT, x : x + WIDTH] + grains[number % len(grains)]
        light += round(20 * np.sin(number / 30))
        colour = colours[y // 2 : (y + HEIGHT) // 2, x // 2 : (x + WIDTH) // 2]
        planes = np.clip(light, 16, 235).astype(np.uint8), colour, 255 - colour
        page = np.concatenate([plane.ravel() for plane in planes]).reshape(HEIGHT * 3 // 2, WIDTH)
        frame = av.VideoFrame.from_ndarray(page, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        yield frame


def sounds(minute: int) -> Iterator[av.AudioFrame]:
    """A minute of a gliding tone and noise, in stereo."""
    random = np.random.default_rng(minute)
    for second in range(60):
        time = np.arange(SOUND_RATE) / SOUND_RATE
        tone = 0.3 * np.sin(2 * np.pi * (200 + 10 * second + 50 * time) * time)
        wave: NDArray[np.float32] = (tone + random.normal(0, 0.03, (2, SOUND_RATE))).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="stereo")
        frame.rate, frame.pts = SOUND_RATE, (60 * minute + second) * SOUND_RATE
        frame.time_base = Fraction(1, SOUND_RATE)
        yield frame
