"""Sound put onto a video: its pictures are untouched, upright, and begin with the sound."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from clipsonic.data.bounded import PATIENCE
from clipsonic.data.footage import Footage
from clipsonic.data.media_types import WRITTEN_VIDEOS
from clipsonic.data.muxing import _mux, check_muxing, with_sound
from clipsonic.errors import UserError

from ..films import RATE, packets_of, shown, sound_of, write_film, write_record
from ..helpers import tone, write_video
from .harmful import broken, hungry, starved, writes_for_ever

EVEN = range(0, 2000, 100)
SILENCE = np.zeros(RATE, np.float32)


def put_on(video: Path, wave: np.ndarray, out: Path) -> None:
    """As the other process does it: one of its own for each of these videos would take a minute."""
    try:
        _mux(video, wave, RATE, out, PATIENCE)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def click(seconds: float, at: float) -> np.ndarray:
    wave = np.zeros(round(seconds * RATE), np.float32)
    wave[round(at * RATE)] = 1
    return wave


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_sound_is_put_on_and_pictures_stay(tmp_path: Path, ending: str) -> None:
    video = write_video(tmp_path / "in.mp4", tone(3.0, 220), seconds=3.0)
    wave = np.sin(2 * np.pi * 1000 * np.arange(3 * RATE) / RATE).astype(np.float32) * 0.5
    out = tmp_path / f"out{ending}"
    with_sound(video, wave, RATE, out)
    assert packets_of(out) == packets_of(video)
    _, found = sound_of(out)
    assert abs(len(found) / RATE - 3.0) < 0.15
    spectrum = np.abs(np.fft.rfft(found[RATE : 2 * RATE]))
    assert spectrum.argmax() == 1000  # the new sound, not the 220 Hz it had
    with av.open(str(out)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("name", "times", "codec"),
    [
        ("v.mp4", EVEN, "libx264"),
        ("v.mkv", EVEN, "libx264"),  # with pictures stored before others, when does it decode them?
        ("v.mkv", EVEN, "libsvtav1"),  # no encoder of the decoder's name
        ("v.mp4", EVEN, "libx265"),
        ("late.mp4", [5000 + time for time in EVEN], "libx264"),
        ("late.mkv", [5000 + time for time in EVEN], "libx264"),
        ("early.mkv", [time - 700 for time in EVEN], "libx264"),
        ("uneven.mp4", [0, 40, 80, 500, 520, 1900, 1940, 1950], "libx264"),
        ("uneven.mkv", [0, 40, 80, 500, 520, 1900, 1940, 1950], "libx264"),
        ("short.mp4", [0, 50], "libx264"),
        ("one.mp4", [0], "libx264"),
        ("old.avi", range(20), "mpeg4"),
    ],
)
def test_every_picture_is_there_in_its_time(
    tmp_path: Path, ending: str, name: str, times: list[int], codec: str
) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"PyAV was built without {codec}")
    unit = Fraction(1, 25) if name.endswith(".avi") else Fraction(1, 1000)
    video, out = write_film(tmp_path / name, times, codec, unit), tmp_path / f"out{ending}"
    seconds = float((times[-1] - times[0]) * unit) + 0.1
    put_on(video, click(seconds, seconds / 2), out)
    assert packets_of(out) == packets_of(video)
    began = np.array(times, float) * float(unit)
    begin, sound = sound_of(out)
    assert begin == pytest.approx(0, abs=0.001)
    assert shown(out) == pytest.approx(began - began[0], abs=0.002)
    assert np.abs(sound).argmax() / RATE == pytest.approx(seconds / 2, abs=0.002)


@pytest.mark.parametrize("ending", [".webm", ".mp4", ".mkv"])
def test_web_video(tmp_path: Path, ending: str) -> None:
    video, out = write_film(tmp_path / "v.webm", EVEN, "libvpx-vp9"), tmp_path / f"out{ending}"
    put_on(video, click(2.0, 1.0), out)
    assert packets_of(out) == packets_of(video)
    begin, sound = sound_of(out)
    assert begin + np.abs(sound).argmax() / RATE == pytest.approx(1.0, abs=0.002)
    assert shown(out)[0] == pytest.approx(0, abs=0.002)


def test_what_an_edit_list_cuts_off_stays_cut_off(tmp_path: Path) -> None:
    video, out = write_film(tmp_path / "v.mp4", [time - 700 for time in EVEN]), tmp_path / "out.mp4"
    put_on(video, click(1.3, 0.6), out)
    assert packets_of(out) == packets_of(video)
    assert shown(out) == pytest.approx(np.arange(0, 1.3, 0.1), abs=0.002)
    assert np.abs(sound_of(out)[1]).argmax() / RATE == pytest.approx(0.6, abs=0.002)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_turned_video_stays_turned(tmp_path: Path, ending: str, rotation: int) -> None:
    video, out = write_film(tmp_path / "v.mp4", EVEN, rotation=rotation), tmp_path / f"out{ending}"
    put_on(video, np.zeros(2 * RATE, np.float32), out)
    pictures = [np.asarray(next(iter(Footage(path))).picture) for path in (video, out)]
    assert np.array_equal(*pictures)
    with av.open(str(out)) as container:
        turned = next(container.decode(video=0)).rotation
    assert turned % 360 == rotation % 360


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_pictures_end_with_the_sound(tmp_path: Path, ending: str) -> None:
    video, out = write_film(tmp_path / "v.mp4", range(0, 10_000, 100)), tmp_path / f"out{ending}"
    put_on(video, np.zeros(3 * RATE, np.float32), out)
    assert packets_of(out) == packets_of(video)[: len(packets_of(out))]
    assert 2.9 <= max(shown(out)) < 3.5


def test_a_container_that_does_not_take_the_pictures(tmp_path: Path) -> None:
    video = write_film(tmp_path / "in.mp4", EVEN)
    for refused in (with_sound, None):
        with pytest.raises(UserError, match=r"into \.webm as they are: .*; write \.mp4 instead"):
            if refused:
                with_sound(video, SILENCE, RATE, tmp_path / "out.webm")
            else:
                check_muxing(video, RATE, ".webm")
    assert not (tmp_path / "out.webm").exists()
    with pytest.raises(UserError, match="should end in"):
        with_sound(video, SILENCE, RATE, tmp_path / "out.avi")
    assert ".avi" not in WRITTEN_VIDEOS
    check_muxing(video, RATE, ".mkv")
    with pytest.raises(UserError, match="no moving pictures"):
        check_muxing(write_record(tmp_path / "record.mp4"), RATE, ".mp4")


def test_a_video_that_never_opens(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "v.mp4")
    with pytest.raises(
        UserError, match=r"v\.mp4 cannot be put into \.mkv: .* the decoder hung; write the sound"
    ):
        with_sound(tmp_path / "v.mp4", SILENCE, RATE, tmp_path / "out.mkv", patience=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("harm", "said"), [(broken, "crashed"), (starved, "ended"), (hungry, "GB of memory")]
)
@pytest.mark.slow
def test_a_video_that_kills_what_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[..., None], said: str
) -> None:
    video = write_film(tmp_path / "v.mp4", EVEN)
    monkeypatch.setattr("clipsonic.data.muxing._mux", harm)
    with pytest.raises(
        UserError, match=rf"v\.mp4 cannot be put into \.mkv: .*{said}.*; write the sound alone"
    ):
        check_muxing(video, RATE, ".mkv")


@pytest.mark.slow
def test_nothing_is_left_where_it_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the other process writes: it ends, and what it wrote goes."""
    video, out = write_film(tmp_path / "v.mp4", EVEN), tmp_path / "out.mkv"
    monkeypatch.setattr("clipsonic.data.muxing._mux", writes_for_ever)

    def stop() -> None:
        while not out.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(KeyboardInterrupt):
        with_sound(video, SILENCE, RATE, out)
    stopper.join()
    assert not out.exists()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
@pytest.mark.parametrize("tag", ["hvc1", "hev1", "matroska"])
def test_the_tag_of_a_codec_is_kept(tmp_path: Path, ending: str, tag: str) -> None:
    """Apple's players take hvc1 alone."""
    if "libx265" not in av.codecs_available:
        pytest.skip("PyAV was built without libx265")
    name = "v.mkv" if tag == "matroska" else "v.mp4"
    video, out = write_film(tmp_path / name, EVEN, "libx265"), tmp_path / f"out{ending}"
    if tag == "hvc1":
        tagged = tmp_path / "phone.mov"
        with av.open(str(video)) as source, av.open(str(tagged), "w") as target:
            copied = target.add_stream_from_template(source.streams.video[0])
            copied.codec_context.codec_tag = "hvc1"
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = copied
                    target.mux(packet)
        video = tagged
    put_on(video, np.zeros(2 * RATE, np.float32), out)
    with av.open(str(out)) as container:
        assert container.streams.video[0].codec_context.codec_tag == ("hev1" if tag == "hev1" else "hvc1")
    assert len(shown(out)) == len(EVEN)


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".webm"])
def test_no_container_is_advised_that_would_be_refused(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("RGB", (96, 64), (40 * number, 80, 200)) for number in range(5)]
    frames[0].save(tmp_path / "v.gif", save_all=True, append_images=frames[1:], duration=300)
    with pytest.raises(UserError, match="; write the sound alone"):
        put_on(tmp_path / "v.gif", SILENCE, tmp_path / f"out{ending}")
