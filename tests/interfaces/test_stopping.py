"""Ctrl-C in a batch of several processes: it stops at once, leaves whole files only, and goes on later."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import PATIENCE, group_lives, until


@pytest.fixture
def words(tiny_model, tmp_path) -> list[str]:
    """A batch whose rows but the first take very long."""
    write_rows(tmp_path / "rows.jsonl", 1000, 30)
    files = ("--prompts", tmp_path / "rows.jsonl", "--out", tmp_path / "out", "--model", tiny_model)
    return ["generate", *map(str, files), "--processes", "2"]


def write_rows(path: Path, steps: int, seconds: int) -> None:
    rows = [{"prompt": "rain", "steps": 1}]
    rows += [{"prompt": "a dog", "steps": steps - n, "seconds": seconds} for n in range(5)]
    path.write_text("\n".join(map(json.dumps, rows)))


@pytest.fixture
def process(words) -> Iterator[subprocess.Popen]:
    """The batch, in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "clipsonic", *words],
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    yield process
    if group_lives(process.pid):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("whom", [os.killpg, os.kill], ids=["the terminal's group", "the main process"])
@pytest.mark.processes
def test_a_batch_stops_and_goes_on(process, words, clipsonic_command, tmp_path: Path, whom) -> None:
    out = tmp_path / "out"
    until(lambda: (out / "00001-rain.json").exists())
    whom(process.pid, signal.SIGINT)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    until(lambda: not group_lives(process.pid))
    whole = {"00001-rain.wav", "00001-rain.png", "00001-rain.json"}
    assert {path.name for path in out.iterdir()} == whole
    written = (out / "00001-rain.json").stat().st_mtime_ns

    write_rows(tmp_path / "rows.jsonl", 6, 1)
    code, said = clipsonic_command(*words, "--processes", "1")
    assert code == 0, said
    assert "6 of 6 clips, 1 of them before" in said
    assert len(list(out.glob("*.wav"))) == 6
    assert (out / "00001-rain.json").stat().st_mtime_ns == written


@pytest.mark.processes
def test_a_process_that_is_killed_is_told_in_one_line(process, tmp_path: Path) -> None:
    until(lambda: (tmp_path / "out" / "00001-rain.json").exists())
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not listed.exists():
        pytest.skip("this system does not list the children of a process")
    children = listed.read_text().split()
    workers = [child for child in children if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]
    os.kill(int(workers[0]), signal.SIGKILL)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 2, said
    assert "a process was ended from outside" in " ".join(said.split())
    assert "Traceback" not in said
