"""Two systems' folders of short sounds, a test made of them, its server as users start it, and a browser."""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

RATE = 16_000
LABELS = ("dog", "rain", "bells")
SYSTEMS = ("ZS", "truth")


@pytest.fixture
def systems(tmp_path: Path) -> list[str]:
    """The options --system of two folders: 0.3 s of tones, each system at a level of its own."""
    words: list[str] = []
    for number, name in enumerate(SYSTEMS):
        folder = tmp_path / name
        folder.mkdir()
        with (folder / "index.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(("file", "prompt", "label", "clip"))
            for place, label in enumerate(LABELS):
                table.writerow((f"{place:05d}.flac", f"the sound of {label}", label, f"clip-{place}"))
                seconds = np.arange(round(0.3 * RATE)) / RATE
                wave = np.sin(2 * np.pi * (300 + 200 * place + 50 * number) * seconds) * (0.05 + 0.3 * number)
                soundfile.write(folder / f"{place:05d}.flac", wave, RATE)
        words += ["--system", f"{name}={folder}"]
    return words


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A list of prompts: a picture each, and words with the first."""
    rows = [f"{'a dog' if not n else ''},{n}.png,{label}\n" for n, label in enumerate(LABELS)]
    for number in range(len(LABELS)):
        Image.new("RGBA", (40, 1500), (200, 60 * number, 20, 255)).save(tmp_path / f"{number}.png")
    path = tmp_path / "pictures.csv"
    path.write_text("prompt,image,label\n" + "".join(rows))
    return path


@pytest.fixture
def made_test(clipsonic_command, systems, tmp_path) -> Path:
    """Three clips a rater, and in each part a repeat and a check."""
    folder = tmp_path / "test"
    code, said = clipsonic_command(
        "listen", "create", "--out", folder, *systems, "--seed", "1", "--trials", "3"
    )
    assert code == 0, said
    return folder


class Server:
    """`clipsonic listen serve` in a process of its own, that can be killed and started again at the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.link = folder, 0, ""
        self.start()

    def start(self) -> None:
        words = ["listen", "serve", str(self.folder), "--port", str(self.port)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clipsonic", *words],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().strip()
        assert self.link.startswith("http://127.0.0.1:"), self.link
        self.port = int(self.link.rsplit(":", 1)[1].strip("/"))

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def server(made_test: Path) -> Iterator[Server]:
    soundfile.write(made_test / "setup.flac", np.full(RATE // 5, 0.1), RATE)  # 0.2 s instead of three
    started = Server(made_test)
    yield started
    if started.process.poll() is None:
        started.end(signal.SIGKILL)


@pytest.fixture(scope="module")  # while it runs, no test can run a loop of asyncio
def browser(chromium_path: str) -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=chromium_path, args=["--mute-audio", "--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser) -> Iterator[Callable[..., "Page"]]:
    """Pages of raters with nothing kept from others, on a phone unless told; an error on a page fails the test."""
    contexts, errors = [], []

    def make(width: int = 390, height: int = 844) -> "Page":
        context = browser.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(error))
        return page

    yield make
    for context in contexts:
        context.close()
    assert not errors
