"""Kills each long command at random moments, lets the same command end, and compares with one that was left alone.

    python -m benchmarks.kill --rounds 20 --work /tmp/kill [prepare spectrogram prior vocoder evaluate batch]

After each kill everything under its name must be whole; at the end shards, training state, models, scores and clips
must be those of the command that was left alone, bit by bit, and nothing half-written may be left.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from safetensors.numpy import load_file
from tests.films import write_media

ROWS = 6  # of a batch; each of its own kind, so that none shares a pass through the network with others
TINY = [
    "training.steps=12",
    "training.checkpoint_every=3",
    "training.validate_every=6",
    "training.log_every=1",
]
TINY += ["training.batch_size=2", "training.warmup_steps=0", "training.precision=no"]
SETTINGS = {
    "spectrogram": ["unet.channels=[32]", "unet.blocks=1", "unet.attention_levels=[]"],
    "prior": ["depth=1", "heads=1"],
    "vocoder": ["generator.width=32", "generator.blocks=1", "adversarial_after=2"],
}


def command(name: str, work: Path, out: Path) -> list[str]:
    """The words of a command that writes into `out`."""
    if name == "prepare":
        return ["prepare", f"{work}/list.csv", "--out", f"{out}", "--clip-seconds", "2.5", "--workers", "1"]
    if name in SETTINGS:
        changes = [word for change in [*TINY, *SETTINGS[name]] for word in ("--set", change)]
        return ["train", name, "--data", f"{work}/data", "--out", f"{out}", *changes]
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


def start(words: list[str]) -> subprocess.Popen[bytes]:
    """The command, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "clipsonic.interfaces.cli", *words, "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def until_it_writes(process: subprocess.Popen[bytes], out: Path) -> None:
    """Waits for the first thing in the folder, or for the end."""
    while process.poll() is None and not (out.exists() and any(out.iterdir())):
        time.sleep(0.01)


def finish(words: list[str]) -> None:
    """Lets a command end, which must end well."""
    process = start(words)
    said = process.communicate()[1].decode()
    assert process.returncode == 0, said


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
        elif path.suffix == ".wav":
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
        if path.is_file() and not name.startswith("logs/") and path.suffix != ".png":
            if path.suffix == ".json" and path.parent == folder and path.with_suffix(".wav").exists():
                continue  # a sidecar says how long it took
            yield name, path.read_bytes().replace(os.fsencode(folder), b"")


def kills(name: str, work: Path, rounds: int, dice: random.Random) -> tuple[int, float, list[float]]:
    """Kills a command so often, lets it end, and compares => (files, seconds of work, when it was killed)."""
    alone, killed = work / f"{name}-alone", work / f"{name}-killed"
    for folder in (alone, killed):
        shutil.rmtree(folder, ignore_errors=True)
    process = start(command(name, work, alone))
    until_it_writes(process, alone)
    began = time.monotonic()
    said = process.communicate()[1].decode()
    assert process.returncode == 0, said
    lasts = time.monotonic() - began
    moments = []
    for _ in range(rounds):
        shutil.rmtree(work / "cache", ignore_errors=True)
        process = start(command(name, work, killed))
        until_it_writes(process, killed)
        moment = dice.uniform(0, lasts * min(1.0, 3 / rounds))  # each goes on where the one before was killed
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
            moments.append(round(moment, 2))
        process.communicate()
        check_whole(killed)
    finish(command(name, work, killed))
    one, other = dict(contents(alone)), dict(contents(killed))
    assert one.keys() == other.keys(), one.keys() ^ other.keys()
    different = [file for file in one if one[file] != other[file]]
    assert not different, different
    return check_whole(killed), lasts, moments


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
        finish(command("prepare", work, work / "data"))


def main() -> None:
    """Prints a line a command."""
    names = ["prepare", *SETTINGS, "evaluate", "batch"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=names)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    work = asked.work.resolve()
    os.environ["XDG_CACHE_HOME"] = str(work / "cache")
    material(work)
    print(f"{'command':<13}{'kills':>6}{'seconds':>9}{'files':>7}  killed after, seconds", flush=True)
    for name in asked.names:
        files, lasts, moments = kills(name, work, asked.rounds, random.Random(asked.seed))
        print(f"{name:<13}{len(moments):>6}{lasts:>9.1f}{files:>7}  {moments}", flush=True)


if __name__ == "__main__":
    main()
