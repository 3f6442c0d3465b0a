"""The same sound alone and beside other work: threads that spin for each other would crawl there."""

import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.speed.timing import Row

BUSY = 2  # loops
PROGRAM = """
import statistics, time, warnings
warnings.simplefilter("ignore")
from clipsonic.interfaces.threads import share_cores
share_cores()  # as the command line does
from clipsonic import CLIPSonicPipeline
pipeline, times = CLIPSonicPipeline.from_pretrained("mini"), []
for _ in range(6):
    began = time.perf_counter()
    pipeline("a photo of a dog")
    times.append(time.perf_counter() - began)
print(statistics.median(times[1:]))
"""


def measure(runs: int, peers: Path | None) -> list[Row]:
    """Warm seconds of 4.096 s of sound, a process each: in turn alone and beside two busy loops."""
    alone, beside = [], []
    for _ in range(runs):
        alone.append(_seconds())
        with _busy():
            beside.append(_seconds())
    ratios = sorted(other / own for own, other in zip(alone, beside, strict=True))
    ratio = (statistics.median(ratios), ratios[0], ratios[-1])
    ours, theirs = statistics.median(alone), statistics.median(beside)
    return [
        Row("4 s of sound, warm, alone", f"beside {BUSY} busy loops", ours, theirs, ratio, "at most 3.5 x")
    ]


def _seconds() -> float:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


@contextmanager
def _busy() -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
