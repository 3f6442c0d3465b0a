"""A video's pictures over time, and its cuts."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from clipsonic.data import bounded
from clipsonic.data.bounded import Died, alone
from clipsonic.data.footage import Footage
from clipsonic.data.frames import PICTURE_SIDE
from clipsonic.data.video import Unusable

from ..films import huge_frame, write_film, write_record
from ..helpers import tone
from .harmful import crashed, greedy, hung


def write_shots(path: Path, shots: list[tuple[float, str]], rate: int = 10) -> Path:
    """Shots of so many seconds: a plain grey that slowly darkens and brightens, or a moving noise."""
    random = np.random.default_rng(0)
    pattern = random.integers(0, 255, (64, 300, 3)).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for seconds, kind in shots:
            for number in range(round(seconds * rate)):
                level = 60 + 2 * abs(number % 60 - 30)
                picture = np.full((64, 96, 3), level, np.uint8)
                if kind == "noise":
                    picture = np.ascontiguousarray(pattern[:, number % 200 : number % 200 + 96])
                elif kind == "white":
                    picture[:] = 250
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_looks_come_every_half_second_and_at_cuts(tmp_path: Path) -> None:
    path = write_shots(tmp_path / "v.mp4", [(2.3, "grey"), (1.5, "white"), (2.0, "grey")])
    footage = Footage(path, every=0.5)
    looks = list(footage)
    assert [look.time for look in looks if look.new_shot] == pytest.approx([0.0, 2.3, 3.8], abs=0.01)
    assert footage.seconds == pytest.approx(5.8, abs=0.01)
    gaps = np.diff([look.time for look in looks])
    assert gaps.max() <= 0.61
    assert np.asarray(looks[5].picture).mean() > 200  # the first of the white shot is white already


@pytest.mark.parametrize("kind", ["grey", "noise"])
def test_a_steady_or_a_restless_shot_is_one_shot(tmp_path: Path, kind: str) -> None:
    path = write_shots(tmp_path / "v.mp4", [(4.0, kind)])
    assert [look.time for look in Footage(path) if look.new_shot] == [0.0]


def test_one_picture_is_enough(tmp_path: Path) -> None:
    path = write_shots(tmp_path / "v.mp4", [(0.1, "grey")])
    footage = Footage(path)
    assert len(list(footage)) == 1
    assert 0 < footage.seconds <= 0.1


@pytest.mark.parametrize("name", ["text.mp4", "empty.mp4", "sound.wav", "gone.mp4", "long.mp4", "record.mp4"])
def test_what_is_no_video_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.mp4").write_text("this is no video")
    (tmp_path / "empty.mp4").touch()
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(1.0)[None], format="flt", layout="mono")
        frame.rate = 44_100
        container.mux(stream.encode(frame))
    write_shots(tmp_path / "long.mp4", [(3.0, "grey")])
    write_record(tmp_path / "record.mp4")
    with pytest.raises(Unusable) as error:
        list(Footage(tmp_path / name, longest=1.0))
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("rotation", "side"), [(0, np.s_[2, :]), (90, np.s_[:, 2]), (180, np.s_[-3, :]), (-90, np.s_[:, -3])]
)
def test_pictures_are_upright(tmp_path: Path, rotation: int, side: tuple) -> None:
    path = write_film(tmp_path / "v.mp4", range(0, 500, 100), rotation=rotation)
    picture = np.asarray(next(iter(Footage(path))).picture)
    assert picture.shape == ((96, 64, 3) if rotation in (90, -90) else (64, 96, 3))
    assert (picture[side] > 230).all()  # the bar along the top, turned against the clock
    assert picture.mean() < 120


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("start", [0, 5000, -700])
def test_time_begins_with_the_first_picture(tmp_path: Path, ending: str, start: int) -> None:
    """Whatever the stamps; what an edit list cuts off of an MP4 is not seen."""
    path = write_film(tmp_path / f"v.{ending}", [start + time for time in range(0, 2000, 100)])
    footage = Footage(path)
    looks = [look.time for look in footage]
    assert looks[0] == 0
    cut = 0.7 if (start, ending) == (-700, "mp4") else 0
    assert footage.seconds == pytest.approx(2.0 - cut, abs=0.01)
    assert max(np.diff(looks)) <= 0.61


def test_pictures_at_uneven_times(tmp_path: Path) -> None:
    path = write_film(tmp_path / "v.mp4", [0, 40, 80, 500, 520, 1900, 1940, 1950])
    footage = Footage(path)
    assert [look.time for look in footage] == pytest.approx([0, 0.5, 1.9], abs=0.01)
    assert 1.95 < footage.seconds < 2.0


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.slow
def test_four_hours_are_refused_unread_and_their_beginning_is_not(
    tmp_path: Path, ending: str, monkeypatch
) -> None:
    path = write_film(tmp_path / f"v.{ending}", range(0, 14_400_000, 1_800_000))
    monkeypatch.setattr("clipsonic.data.footage.open_film", None)  # here, where nothing is opened
    with pytest.raises(Unusable, match="more than 600 s"):
        Footage(path).check()
    footage = Footage(path, only=60.0)
    footage.check()
    assert [look.time for look in footage] == [0.0]
    assert footage.seconds == 60.0


def test_a_file_that_never_opens(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "v.mp4")
    for use in (Footage.check, list):
        with pytest.raises(Unusable, match=r"v\.mp4 cannot be read as a video: .* the decoder hung"):
            use(Footage(tmp_path / "v.mp4", patience=0.5))
    assert not multiprocessing.active_children()


def test_a_length_that_the_file_does_not_tell_is_found_out(tmp_path: Path) -> None:
    path = write_film(tmp_path / "v.mkv", range(0, 3000, 100), options={"live": "1"})
    with av.open(str(path)) as container:
        assert container.duration is None
    Footage(path, longest=0.5).check()
    with pytest.raises(Unusable, match=r"more than 0\.5 s"):
        list(Footage(path, longest=0.5))


def peak() -> int:
    """The most memory that this process has had since it was last asked, kB."""
    (line,) = [each for each in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in each]
    Path("/proc/self/clear_refs").write_text("5")
    return int(line.split()[1])


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells")
@pytest.mark.slow
def test_huge_frames_are_decoded_elsewhere_or_not_at_all(tmp_path: Path) -> None:
    """A frame of 100 million pixels costs this process nothing; one of 200 million is not decoded."""
    large, larger = huge_frame(tmp_path / "a.mov", (10_000, 10_000)), huge_frame(tmp_path / "b.mov")
    peak()
    before = peak()
    (look,) = Footage(large)
    assert look.picture.size == (PICTURE_SIDE, PICTURE_SIDE)
    with pytest.raises(Unusable, match=r"cannot be read as a video|has no pictures"):
        list(Footage(larger))
    assert peak() - before < 50_000


@pytest.mark.parametrize(
    ("work", "error", "why"),
    [(hung, Died, "the decoder hung"), (crashed, Died, "crashed"), (greedy, Unusable, "of memory")],
)
def test_a_reader_that_is_ended(work: Callable[[], Iterator[int]], error: type[Exception], why: str) -> None:
    began = time.monotonic()
    with pytest.raises(error, match=why):
        list(alone(work))
    assert time.monotonic() - began < 30
    assert not multiprocessing.active_children()


def test_a_reader_ends_when_nobody_wants_the_rest(tmp_path: Path) -> None:
    looks = iter(Footage(write_shots(tmp_path / "v.mp4", [(4.0, "grey")])))
    next(looks)
    assert len(multiprocessing.active_children()) == 1
    looks.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


def test_reading_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MOST_SECONDS", -1e9)
    with pytest.raises(Unusable, match="cannot be read as a video: reading it took more than"):
        list(Footage(write_shots(tmp_path / "v.mp4", [(1.0, "grey")])).seen())
    signal.setitimer(signal.ITIMER_REAL, 0)  # which the other process would have done
