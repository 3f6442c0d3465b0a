import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clipsonic.data.bounded import once
from clipsonic.data.readers import decoder_threads, read_all
from clipsonic.data.sources import Video
from tests.helpers import tone, write_video

ROOT = Path(__file__).parents[2]


class Bomb:
    """A path that kills the process which receives it, as a crash in a decoder would."""

    def __reduce__(self):
        return os._exit, (3,)


def test_a_video_that_kills_its_reader_costs_only_itself(tmp_path) -> None:
    good = write_video(tmp_path / "good.mp4", tone(3.0), seconds=3)
    videos = [Video(good, "a"), Video(Bomb(), "bomb"), Video(good, "b"), Video(good, "c")]  # type: ignore[arg-type]
    found = {video.name: pieces for video, pieces in read_all(videos, 10.0, workers=2)}
    assert list(found) == ["a", "bomb", "b", "c"]
    assert isinstance(found["bomb"], str)
    assert "crashed" in found["bomb"]
    for name in "abc":
        assert len(found[name]) == 1, found[name]
    for reader in multiprocessing.active_children():
        reader.join(20)
    assert not multiprocessing.active_children()  # or the program would wait for them at its end


@pytest.mark.slow
def test_a_reader_killed_while_the_others_wait(tmp_path) -> None:
    """The usual timing: the pool breaks while earlier clips are being encoded, and is asked for more."""
    good = write_video(tmp_path / "good.mp4", tone(3.0), seconds=3)
    videos = [Video(Bomb() if number == 2 else good, str(number)) for number in range(8)]  # type: ignore[arg-type]
    found = {}
    for video, pieces in read_all(videos, 10.0, workers=1):
        found[video.name] = pieces
        time.sleep(1.0)
    assert [name for name, pieces in found.items() if isinstance(pieces, str)] == ["2"]
    assert list(found) == [str(number) for number in range(8)]


@pytest.mark.parametrize(
    ("cores", "videos", "threads"), [(2, 1, 6), (8, 2, 12), (8, 8, 1), (2, 50, 1), (64, 1, 16)]
)
def test_a_lone_video_has_all_cores(monkeypatch, cores, videos, threads) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert decoder_threads(videos) == threads


def test_what_is_returned_and_raised_elsewhere() -> None:
    assert once(max, 3, 4) == 4
    assert once(time.sleep, 0) is None
    with pytest.raises(KeyError, match="gone"):
        once({}.__getitem__, "gone")


STOPPED = """
from clipsonic.data.bounded import once
from tests.data.harmful import sleeps

print("begun", flush=True)
try:
    once(sleeps, bytes(50_000_000))
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.parametrize("after", [0.3, 0.6])
def test_a_reader_that_is_stopped_as_it_begins_says_nothing(after: float) -> None:
    """The terminal sends Ctrl-C to all its processes, also to one that cannot yet ignore it."""
    command = [sys.executable, "-c", STOPPED]
    with subprocess.Popen(command, stdout=-1, stderr=-1, cwd=ROOT, start_new_session=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"begun\n"
        time.sleep(after)
        os.killpg(program.pid, signal.SIGINT)
        assert program.communicate(timeout=60) == (b"stopped\n", b"")
