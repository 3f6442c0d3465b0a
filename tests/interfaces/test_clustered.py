"""`--ray`: the same files as on one machine, byte for byte, also when workers are killed on the way."""

import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from clipsonic.data.shards import read_info
from tests.helpers import tone, write_video

ray_only = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'clipsonic[cluster]'"
)
# Ray leaves sockets and files of its processes to the garbage collector.
quiet = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


def content(folder: Path) -> dict[str, bytes]:
    """Every file, by name."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def workers_of_ray() -> list[int]:
    """Processes below this one that do a task of Ray's now."""
    parents, names = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            names[int(entry.name)] = (entry / "cmdline").read_bytes().decode("utf-8", "replace")

    def ours(process: int) -> bool:
        while process in parents and process != os.getpid():
            process = parents[process]
        return process == os.getpid()

    return [process for process, name in names.items() if name.startswith("ray::_") and ours(process)]


@pytest.fixture
def killer() -> Iterator[list[int]]:
    """Kills the first worker that is at work; tells which."""
    killed: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set() and not killed:
            for process in workers_of_ray()[:1]:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                    killed.append(process)
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    yield killed
    over.set()
    thread.join()


@ray_only
@quiet
@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
@pytest.mark.processes
def test_prepare_gives_the_same_data_set_and_a_lost_worker_loses_nothing(
    videos, tmp_path, monkeypatch, clipsonic_command, tiny_model, killer
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["prepare", "videos", "--encoder", str(tiny_model), "--quiet"]
    assert clipsonic_command(*words, "--out", "there", "--ray", "local")[0] == 0
    assert killer
    assert clipsonic_command(*words, "--out", "here", "--workers", "1")[0] == 0
    assert content(tmp_path / "there") == content(tmp_path / "here")
    assert len(read_info(tmp_path / "there").skipped) == 5  # with the same reasons


@ray_only
@quiet
@pytest.mark.processes
def test_generate_makes_the_same_clips(tmp_path, monkeypatch, clipsonic_command, tiny_model, killer) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    rows = ["prompt,seed,seconds", "a dog,1,1", "rain,2,1", "a dog,3,0.5", "a dog,4,-1"]
    Path("rows.csv").write_text("\n".join(rows))
    words = ["generate", "--prompts", "rows.csv", "--model", str(tiny_model), "--steps", "2", "--quiet"]
    code, said = clipsonic_command(*words, "--out", "clips", "--ray", "local")
    assert code == 2
    assert "row 4" in said
    assert "1 of 4 rows" in said
    assert killer
    there = content(tmp_path / "clips")
    assert len(there) == 9
    Path("clips").rename("clips-of-ray")
    assert clipsonic_command(*words, "--out", "clips")[0] == 2
    assert content(tmp_path / "clips") == there


@ray_only
@quiet
def test_no_cluster_there_gives_one_line(tmp_path, clipsonic_command, tiny_model) -> None:
    video = write_video(tmp_path / "a.mp4", tone(3.0), 3.0)
    words = ["prepare", video, "--encoder", tiny_model, "--out", tmp_path / "data", "--ray", "nosuch://here"]
    code, said = clipsonic_command(*words)
    assert code == 2
    assert "no Ray cluster at nosuch://here" in said


def test_without_ray_it_says_what_to_install(tmp_path, monkeypatch, clipsonic_command, tiny_model) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    video = write_video(tmp_path / "a.mp4", tone(3.0), 3.0)
    words = ["prepare", video, "--encoder", tiny_model, "--out", tmp_path / "data", "--ray", "local"]
    code, said = clipsonic_command(*words)
    assert code == 2
    assert "pip install 'clipsonic[cluster]'" in said


def test_one_request_is_not_shared_out(clipsonic_command) -> None:
    code, said = clipsonic_command("generate", "rain", "--ray", "local")
    assert code == 2
    assert "--ray is for --prompts" in said


def test_a_data_set_is_not_written_to_a_url(tmp_path, monkeypatch, clipsonic_command) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = clipsonic_command("prepare", tmp_path, "--out", "s3://bucket/data")
    assert code == 2
    assert "s3://bucket/data cannot be written to" in said
    assert not list(tmp_path.iterdir())
