"""What tests of several rooms share: small videos, settings, waiting, and a browser."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import av
import numpy as np

SAMPLE_RATE = 44_100
PATIENCE = 180.0  # seconds after which a test gives up

TINY = [
    "--set", "spectrogram.unet.channels=[32,32]", "--set", "spectrogram.unet.blocks=1",
    "--set", "spectrogram.unet.attention_levels=[1]", "--set", "spectrogram.unet.attention_heads=2",
    "--set", "spectrogram.diffusion.sampling_steps=2", "--set", "spectrogram.training.steps=1",
    "--set", "spectrogram.training.batch_size=2", "--set", "spectrogram.training.precision=no",
    "--set", "prior.depth=1", "--set", "prior.heads=2", "--set", "prior.sampling_steps=2",
    "--set", "prior.training.steps=1", "--set", "prior.training.batch_size=2",
    "--set", "prior.training.precision=no",
    "--set", "clips=4", "--set", "swept=[1.5,3]", "--set", "swept_clips=2",
]  # fmt: skip


def tone(seconds: float, hertz: float = 440.0, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(
        "f4"
    )


def write_video(
    path: Path, wave: np.ndarray | None, seconds: float = 5.0, colour: tuple[int, int, int] = (200, 40, 40)
) -> Path:
    """A real mp4 of one colour at 4 frames a second; `wave` is 44.1 kHz mono, None for no audio track."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=4)
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if wave is not None else None
        for number in range(round(seconds * 4)):
            image = np.full((64, 96, 3), colour, dtype=np.uint8)
            image[:, : 4 * number % 96] //= 2
            container.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(picture.encode(None))
        if sound is not None and wave is not None:
            frame = av.AudioFrame.from_ndarray(wave[None], format="flt", layout="mono")
            frame.rate = SAMPLE_RATE
            container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@cache
def chromium() -> str | None:
    """Return the path of a Chromium, installed with apt where this process may; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is not None or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return found
    with (Path(tempfile.gettempdir()) / "clipsonic-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one test process installs, the others wait for it
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
        for words in ([], ["apt-get", "update"], install):
            if words:
                subprocess.run(words, env=quiet, capture_output=True, timeout=900, check=False)
            if (found := shutil.which("chromium")) is not None:
                return found
    return None
