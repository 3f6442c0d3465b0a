"""The most memory a process takes, and that it does not grow with what it has done before."""

import subprocess
import sys
from pathlib import Path

from benchmarks.speed.timing import Row

PROGRAMS = {
    "imports alone": "",
    "4 s of sound": "ask(4.096)",
    "4 s, the twentieth time": "for _ in range(20): ask(4.096)",
    "60 s of sound": "ask(60)",
    "60 s, the third time": "for _ in range(3): ask(60)",
    "a training step of mini, batch 32": "steps(1)",
    "its tenth step": "steps(10)",
}
PROGRAM = """
import resource, sys, tempfile, warnings
warnings.simplefilter("ignore")
from pathlib import Path
import torch
from clipsonic import CLIPSonicPipeline
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS
from clipsonic.training.loop import train
from benchmarks.speed.training import Random

def ask(seconds):
    if not hasattr(ask, "pipeline"):
        ask.pipeline = CLIPSonicPipeline.from_pretrained("mini")
    ask.pipeline("a photo of a dog", audio_length_in_s=seconds, num_inference_steps=4)

def steps(count):
    mini = SPECTROGRAM_PRESETS["mini"]
    fast = {"steps": count, "log_every": 1, "checkpoint_every": 10**9}
    settings = mini.model_copy(update={"training": mini.training.model_copy(update=fast)})
    with tempfile.TemporaryDirectory() as folder:
        list(train(Random(settings, True), Path(folder) / "run"))
"""
TELL = "\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"


def measure(runs: int, peers: Path | None) -> list[Row]:
    """A process each; megabytes, no peer."""
    return [
        Row(f"peak memory: {name}", "", _peak(program), None, None, "not growing", unit="MB")
        for name, program in PROGRAMS.items()
    ]


def _peak(program: str) -> float:
    words = [sys.executable, "-c", f"{PROGRAM}\n{program}{TELL}"]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
