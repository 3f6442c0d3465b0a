"""Kills each long command at random moments, lets the same command end, and compares with one that was left alone.

    python -m benchmarks.kill --rounds 20 --work /tmp/kill [prepare spectrogram prior vocoder audio-encoder
        evaluate gap batch reproduce]

A moment is drawn evenly over the time that the command takes from when it holds its folder to its end; what it
had done when it was killed stays, and the next one goes on from there. After each kill everything under its name
must be whole. Whenever a command has ended, its shards, training state, models, scores or clips must be those of
the command that was left alone, bit by bit, and nothing half-written may be left; then it begins anew.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from safetensors.numpy import load_file
from tests.films import write_media

ROWS = 4  # of a batch; each of its own kind, so that none shares a pass through the network with others
TINY = [
    "training.steps=8",
    "training.checkpoint_every=2",
    "training.validate_every=4",
    "training.log_every=1",
]
TINY += ["training.batch_size=2", "training.warmup_steps=0", "training.precision=no"]
LIBRARIES = ["clipsonic.interfaces.cli", "clipsonic.pipeline", "clipsonic.evaluation.embeddings"]
LIBRARIES += ["clipsonic.training.spectrogram", "clipsonic.training.vocoder", "clipsonic.training.prior"]
LIBRARIES += ["clipsonic.training.audio_encoder", "clipsonic.interfaces.reproduce.run"]
LIBRARIES += ["clipsonic.training.loop", "torch.utils.tensorboard", "matplotlib.figure"]
SETTINGS = {
    "spectrogram": ["unet.channels=[32]", "unet.blocks=1", "unet.attention_levels=[]"],
    "prior": ["depth=1", "heads=1"],
    "vocoder": ["generator.width=32", "generator.blocks=1", "adversarial_after=2"],
    "audio-encoder": ["channels=[8,16]", "embedding_dim=16"],
}
REPRODUCED = [f"spectrogram.{change}" for change in (*TINY, *SETTINGS["spectrogram"])]
REPRODUCED += [f"prior.{change}" for change in (*TINY, *SETTINGS["prior"], "sampling_steps=2")]
REPRODUCED += ["spectrogram.diffusion.sampling_steps=2", "clips=4", "swept=[1.5,3]", "swept_clips=2"]
TIMES = {"times.json", "report.html"}  # of a reproduction: they say how long it took


def command(name: str, work: Path, out: Path) -> list[str]:
    """The words of a command that writes into `out`."""
    if name == "prepare":
        return ["prepare", f"{work}/list.csv", "--out", f"{out}", "--clip-seconds", "2.5", "--workers", "1"]
    if name in SETTINGS:
        changes = [word for change in [*TINY, *SETTINGS[name]] for word in ("--set", change)]
        return ["train", name, "--data", f"{work}/data", "--out", f"{out}", *changes]
    if name == "gap":
        return ["evaluate", "gap", "--data", f"{work}/data", "--out", f"{out}"]
    if name == "reproduce":
        changes = [word for change in REPRODUCED for word in ("--set", change)]
        return ["reproduce", "--data", f"{work}/data", "--out", f"{out}", *changes]
    if name == "evaluate":
        sounds = [f"{work}/sounds", "--reference", f"{work}/real"]
        return [
            "evaluate",
            "audio",
            *sounds,
            "--embedding",
            "mini",
            "--images-with",
            "none",
            "--out",
            f"{out}",
        ]
    return ["generate", "--prompts", f"{work}/rows.jsonl", "--out", f"{out}", "--seconds", "0.5"]


def run(words: list[str], said: Path) -> None:
    """Is the command, in a process group of its own; what it says goes into a file."""
    os.setsid()
    with said.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    sys.argv = ["clipsonic", *words, "--quiet"]
    from clipsonic.interfaces.cli import main

    main()


class Killable:
    """A running command: a copy of a process that has loaded the libraries, so that it begins at once."""

    context = multiprocessing.get_context("forkserver")

    def __init__(self, words: list[str], work: Path) -> None:
        self.said = work / "said.txt"
        self.process = self.context.Process(target=run, args=(words, self.said))
        self.process.start()
        # Until it holds its folder, by Linux's list of locks, or has ended.
        while self.process.is_alive() and self.process.pid not in holders():
            time.sleep(0.01)

    def ends_within(self, seconds: float | None) -> bool:
        """Whether it ends well in so many seconds, or ever; what has not ended is killed."""
        self.process.join(seconds)
        ended = not self.process.is_alive()
        if not ended:
            self.process.kill()
            self.process.join()
        code = self.process.exitcode
        assert code in (0, -signal.SIGKILL), self.said.read_text()
        return code == 0


def holders() -> set[int]:
    """Processes that hold a lock of the kind that folders have."""
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return {int(lock[4]) for lock in locks if lock[1] == "FLOCK"}


def check_whole(folder: Path) -> int:
    """Reads every file under its own name to its end => how many there are."""
    count = 0
    for path in folder.rglob("*"):
        if not path.is_file() or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        count += 1
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".safetensors":
            load_file(path)
        elif path.suffix in (".wav", ".flac"):
            soundfile.read(path)
        elif path.suffix == ".tar":
            with tarfile.open(path) as tar:
                assert tar.getnames()
    if (folder / "model").exists():
        kept = list((folder / "model").rglob("*.safetensors"))
        assert kept, f"half a model in {folder}"
    return count


def contents(folder: Path) -> Iterator[tuple[str, object]]:
    """What two folders must have in common, by file."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and path.parent.name != "logs" and path.suffix != ".png" and name not in TIMES:
            if path.suffix == ".json" and path.parent == folder and path.with_suffix(".wav").exists():
                continue  # a sidecar says how long it took
            yield name, path.read_bytes().replace(os.fsencode(folder), b"")


@dataclass(frozen=True)
class Outcome:
    """What came of killing one command."""

    seconds: float  # of the command that was left alone, from the moment it holds the folder
    moments: list[float]  # when it was killed, seconds from there
    ends: int  # how often it came to its end, and was compared
    files: int  # compared at an end


def kills(name: str, work: Path, rounds: int, dice: random.Random) -> Outcome:
    """Kills a command so often, and compares whenever it has ended."""
    alone, killed = work / f"{name}-alone", work / f"{name}-killed"
    for folder in (alone, killed, work / "cache"):
        shutil.rmtree(folder, ignore_errors=True)
    first = Killable(command(name, work, alone), work)
    began = time.monotonic()
    first.ends_within(None)
    lasts = time.monotonic() - began
    moments: list[float] = []
    ends = files = 0
    while len(moments) < rounds or killed.exists():
        moment = dice.uniform(0, lasts) if len(moments) < rounds else None
        if not Killable(command(name, work, killed), work).ends_within(moment):
            assert moment is not None
            moments.append(round(moment, 2))
            check_whole(killed)
            continue
        files = compare(alone, killed)
        ends += 1
        shutil.rmtree(work / "cache", ignore_errors=True)
        shutil.rmtree(killed)
    return Outcome(lasts, moments, ends, files)


def compare(alone: Path, killed: Path) -> int:
    """Compares what two commands made => the number of files."""
    check_whole(killed)
    assert not list(killed.rglob(".*")), list(killed.rglob(".*"))
    one, other = dict(contents(alone)), dict(contents(killed))
    assert one.keys() == other.keys(), one.keys() ^ other.keys()
    different = [file for file in one if one[file] != other[file]]
    assert not different, different
    return len(one)


def material(work: Path) -> None:
    """Videos with labels, a data set of them, sounds and rows: small, and always the same."""
    work.mkdir(parents=True, exist_ok=True)
    lines = ["path,label,split"]
    for number in range(8):
        write_media(work / f"{number}.mkv", tones=(220.0 * (number + 1),), seconds=5.0)
        lines.append(f"{number}.mkv,{'dog' if number % 2 else 'rain'},{'test' if number > 5 else 'train'}")
    (work / "list.csv").write_text("\n".join(lines))
    dice = np.random.default_rng(0)
    for folder in ("sounds", "real"):
        (work / folder).mkdir(exist_ok=True)
        for number in range(12):
            soundfile.write(work / folder / f"{number}.wav", dice.normal(0, 0.1, 32_000), 16_000)
    rows = [{"prompt": "rain", "steps": 2 + number, "seed": number} for number in range(ROWS)]
    (work / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    if not (work / "data").exists():
        assert Killable(command("prepare", work, work / "data"), work).ends_within(None)


def main() -> None:
    """Prints a line a command."""
    names = ["prepare", *SETTINGS, "evaluate", "gap", "batch", "reproduce"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=names)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    work = asked.work.resolve()
    os.environ["XDG_CACHE_HOME"] = str(work / "cache")
    Killable.context.set_forkserver_preload(LIBRARIES)
    material(work)
    print(
        f"{'command':<13}{'kills':>6}{'ends':>6}{'seconds':>9}{'files':>7}  killed after, seconds", flush=True
    )
    for name in asked.names:
        seen = kills(name, work, asked.rounds, random.Random(asked.seed))
        numbers = f"{len(seen.moments):>6}{seen.ends:>6}{seen.seconds:>9.1f}{seen.files:>7}"
        print(f"{name:<13}{numbers}  {seen.moments}", flush=True)


if __name__ == "__main__":
    main()
