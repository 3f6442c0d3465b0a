"""Harm done to commands: two in one folder, full and closed disks, lost drives, kill -9. One line, exit code 2."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from clipsonic.data import readers
from clipsonic.data.shards import read_info
from clipsonic.files import only_one
from tests.films import write_media
from tests.helpers import group_lives, tone, until, write_video

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def films(tmp_path) -> Path:
    """Three films of three seconds."""
    (tmp_path / "films").mkdir()
    for number in range(3):
        write_media(tmp_path / "films" / f"{number}.mkv", tones=(220.0 * (number + 1),))
    return tmp_path / "films"


@pytest.fixture
def sounds(tmp_path) -> Path:
    random = np.random.default_rng(0)
    (tmp_path / "sounds").mkdir()
    for number in range(2):
        soundfile.write(tmp_path / "sounds" / f"{number}.wav", random.normal(0, 0.1, 32_000), 16_000)
    return tmp_path / "sounds"


@pytest.fixture
def words(films, sounds, tiny_model, tmp_path) -> dict[str, list[str | Path]]:
    """Commands that write into a folder, but for its name."""
    (tmp_path / "rows.txt").write_text("a dog\n")
    return {
        "prepare": ["prepare", films, "--encoder", tiny_model, "--workers", "1"],
        "batch": [
            "generate",
            "--prompts",
            tmp_path / "rows.txt",
            "--model",
            tiny_model,
            "--steps",
            "1",
            "--seconds",
            "1",
        ],
        "evaluate": [
            "evaluate",
            "audio",
            sounds,
            "--reference",
            sounds,
            "--embedding",
            "mini",
            "--images-with",
            "none",
        ],
        "reconstruction": ["evaluate", "reconstruction", "--data", sounds, "--embedding", "none"],
        "gap": ["evaluate", "gap", "--data", tmp_path],
        "listen report": ["listen", "report", tmp_path],
        "listen create": ["listen", "create", "--system", f"ZS={sounds}"],
        "listen demo": ["listen", "demo", "--system", f"ZS={sounds}"],
        "bridge": ["train", "bridge", "linear", "--data", tmp_path],
    }


NAMES = ["prepare", "batch", "evaluate"]
LISTEN = ["listen report", "listen create", "listen demo"]
LOCKED = [*NAMES, *LISTEN, "reconstruction", "gap", "bridge"]  # the rest is locked by the training loop


@pytest.mark.parametrize("name", LOCKED)
def test_the_second_of_two_in_one_folder_is_refused(
    clipsonic_command: Command, words, tmp_path, name
) -> None:
    (tmp_path / "out").mkdir()
    with only_one(tmp_path / "out"):
        code, said = clipsonic_command(*words[name], "--out", tmp_path / "out", "--quiet")
    assert code == 2
    assert "is being written by another clipsonic; wait for it or name another folder" in " ".join(
        said.split()
    )
    assert "Traceback" not in said
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", LOCKED)
def test_a_file_where_the_folder_should_be(clipsonic_command: Command, words, tmp_path, name) -> None:
    (tmp_path / "out").write_text("mine")
    code, said = clipsonic_command(*words[name], "--out", tmp_path / "out", "--quiet")
    assert (code, "Traceback" in said) == (2, False), said
    assert (tmp_path / "out").read_text() == "mine"


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 300 kB."""
    (tmp_path / "disk").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(tmp_path / "disk")]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield tmp_path / "disk"
    subprocess.run(["umount", "-l", str(tmp_path / "disk")], check=True)


def fill(disk: Path, left: int) -> None:
    with (disk / "ballast").open("wb") as file:
        file.write(bytes(shutil.disk_usage(disk).free - left))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("left", [0, 8192])
def test_a_full_disk(clipsonic_command: Command, words, small_disk, name, left) -> None:
    fill(small_disk, left)
    code, said = clipsonic_command(*words[name], "--out", small_disk / "out", "--quiet")
    if code == 0:  # scores take less
        assert (name, left) == ("evaluate", 8192)
        return
    assert (code, "Traceback" in said) == (2, False), said
    assert "No space left" in " ".join(said.split()), said
    left_there = (
        {path.name for path in (small_disk / "out").rglob("*")} if (small_disk / "out").exists() else set()
    )
    assert left_there <= {"dataset.json"}, left_there


def test_a_disk_that_fills_up_on_the_way(clipsonic_command: Command, words, tmp_path, monkeypatch) -> None:
    """A shard that could not be written is made by the same command once there is room."""
    sync = os.fsync

    def full(handle: int) -> None:
        if "shard-" in Path(f"/proc/self/fd/{handle}").resolve().name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    code, said = clipsonic_command(*words["prepare"], "--out", tmp_path / "out", "--quiet")
    assert code == 2
    assert "out cannot be written: No space left on device" in " ".join(said.split())
    assert not list((tmp_path / "out").glob("*shard*"))
    assert not read_info(tmp_path / "out").complete
    monkeypatch.setattr(os, "fsync", sync)
    code, said = clipsonic_command(*words["prepare"], "--out", tmp_path / "out", "--quiet")
    assert code == 0, said
    assert (read_info(tmp_path / "out").clips, read_info(tmp_path / "out").complete) == (3, True)


def test_a_drive_that_is_not_there_now(clipsonic_command: Command, words, films, tmp_path) -> None:
    """What is lost on the way is looked at again; a folder that is gone is told at once."""
    (tmp_path / "list.csv").write_text("path\nfilms/0.mkv\nfilms/1.mkv\nfilms/2.mkv\n")
    prepare = [word if word != films else tmp_path / "list.csv" for word in words["prepare"]]
    for number in (1, 2):
        (films / f"{number}.mkv").rename(tmp_path / f"{number}.mkv")
    code, said = clipsonic_command(*prepare, "--out", tmp_path / "out", "--quiet")
    assert (code, read_info(tmp_path / "out").clips) == (0, 1), said
    assert set(read_info(tmp_path / "out").skipped.values()) == {readers.MISSING}
    for number in (1, 2):
        (tmp_path / f"{number}.mkv").rename(films / f"{number}.mkv")
    code, said = clipsonic_command(*prepare, "--out", tmp_path / "out", "--quiet")
    assert (code, read_info(tmp_path / "out").clips, read_info(tmp_path / "out").skipped) == (0, 3, {}), said
    shutil.rmtree(films)
    code, said = clipsonic_command(*words["prepare"], "--out", tmp_path / "out", "--quiet")
    assert (code, "does not exist" in said) == (2, True)


@pytest.mark.processes
def test_kill_9_of_prepare(clipsonic_command: Command, words, tmp_path) -> None:
    """Its readers end with it, the folder is free at once, and the same command gives the same shards."""
    for number in range(3, 7):
        write_video(tmp_path / "films" / f"{number}.mp4", tone(12.0), seconds=12)
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "clipsonic.interfaces.cli",
        *map(str, words["prepare"]),
        "--out",
        str(out),
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    until(lambda: (out / "dataset.json").exists() or process.poll() is not None)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    code, said = clipsonic_command(*words["prepare"], "--out", out, "--quiet")
    assert code == 0, said
    until(lambda: not group_lives(process.pid))
    assert clipsonic_command(*words["prepare"], "--out", tmp_path / "whole", "--quiet")[0] == 0
    one, other = (json.loads((folder / "dataset.json").read_text()) for folder in (out, tmp_path / "whole"))
    assert one == other
    assert not list(out.glob(".*"))
