"""Media from hell: each file gives the right clips or a recorded reason; none hangs, none takes all memory."""

import ctypes
import io
import os
import re
import resource
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from clipsonic.config import SAMPLE_RATE
from clipsonic.data import bounded, tape
from clipsonic.data.bounded import TOO_LARGE
from clipsonic.data.frames import PICTURE_SIDE, open_film
from clipsonic.data.pictures import open_picture
from clipsonic.data.readers import GONE, MISSING, _read, read_all
from clipsonic.data.sources import Video, find_videos
from clipsonic.data.video import Clip, read_clips
from clipsonic.errors import UserError
from tests.films import huge_frame, write_media, write_record

LONG = 30.0  # seconds after which a test gives up


def made(path: Path, **how: object) -> Path:
    return write_media(path, **how)


MPEG = {"picture": "mpeg1video", "sound": "mp2", "rate": 44_100, "times": range(0, 3000, 40)}
# Name of the file, how it is made, how many pictures its one clip has, and the size of them.
FILMS: dict[str, tuple[str, dict, int, tuple[int, int]]] = {
    "mp4": ("a.mp4", {"sound": "aac"}, 3, (96, 64)),
    "m4v": ("a.m4v", {"sound": "aac", "form": "mp4"}, 3, (96, 64)),
    "mov": ("a.mov", {}, 3, (96, 64)),
    "mkv": ("a.mkv", {}, 3, (96, 64)),
    "webm": ("a.webm", {"picture": "libvpx", "sound": "libopus", "rate": 48_000}, 3, (96, 64)),
    "avi": ("a.avi", {}, 3, (96, 64)),
    "ts": ("a.ts", {"sound": "mp2", "rate": 44_100}, 3, (96, 64)),
    "mpg": ("a.mpg", MPEG, 3, (96, 64)),
    "flv": ("a.flv", {"picture": "flv", "sound": "libmp3lame", "rate": 44_100}, 3, (96, 64)),
    "wmv": ("a.wmv", {"picture": "wmv2", "sound": "libmp3lame", "rate": 44_100, "form": "asf"}, 3, (96, 64)),
    "ogv": ("a.ogv", {"picture": "libvpx", "sound": "libopus", "rate": 48_000, "form": "ogg"}, 3, (96, 64)),
    "nut": ("a.nut", {}, 3, (96, 64)),
    "wrong ending": ("a.avi", {"form": "matroska"}, 3, (96, 64)),
    "no ending": ("a", {"form": "matroska"}, 3, (96, 64)),
    # Sound
    "8 bit": ("a.mkv", {"sound": "pcm_u8"}, 3, (96, 64)),
    "24 bit": ("a.mkv", {"sound": "pcm_s24le"}, 3, (96, 64)),
    "float": ("a.mkv", {"sound": "pcm_f32le"}, 3, (96, 64)),
    "flac": ("a.mkv", {"sound": "flac"}, 3, (96, 64)),
    "ac3": ("a.mkv", {"sound": "ac3", "rate": 48_000}, 3, (96, 64)),
    "mp3": ("a.mkv", {"sound": "libmp3lame", "rate": 44_100}, 3, (96, 64)),
    "eac3": ("a.mkv", {"sound": "eac3", "rate": 48_000}, 3, (96, 64)),
    "stereo": ("a.mkv", {"layout": "stereo"}, 3, (96, 64)),
    "5.1": ("a.mkv", {"sound": "ac3", "rate": 48_000, "layout": "5.1"}, 3, (96, 64)),
    "7.1": ("a.mkv", {"sound": "flac", "layout": "7.1"}, 3, (96, 64)),
    "4 kHz": ("a.mkv", {"rate": 4000}, 3, (96, 64)),
    "8 kHz": ("a.mkv", {"rate": 8000}, 3, (96, 64)),
    "22,050 Hz": ("a.mkv", {"rate": 22_050}, 3, (96, 64)),
    "96 kHz": ("a.mkv", {"rate": 96_000}, 3, (96, 64)),
    "192 kHz": ("a.mkv", {"rate": 192_000}, 3, (96, 64)),
    "two tracks": ("a.mkv", {"tones": (440.0, 1760.0)}, 3, (96, 64)),
    "picture ends first": ("a.mkv", {"seconds": 1.0, "sound_seconds": 3.0}, 1, (96, 64)),
    "sound ends first": ("a.mkv", {"seconds": 9.0, "sound_seconds": 3.0}, 3, (96, 64)),
    "sound begins late": ("a.mkv", {"seconds": 6.0, "sound_seconds": 3.0, "delay": 2.0}, 4, (96, 64)),
    # Pictures
    "one frame": ("a.mkv", {"times": [0]}, 1, (96, 64)),
    "a slide every two seconds": ("a.mkv", {"times": [0, 2000]}, 2, (96, 64)),
    "variable rate": ("a.mkv", {"times": [0, 10, 20, 900, 1300, 1310, 2990]}, 3, (96, 64)),
    "h264": ("a.mkv", {"picture": "libx264"}, 3, (96, 64)),
    "10 bit": ("a.mkv", {"picture": "ffv1", "pixels": "yuv420p10le"}, 3, (96, 64)),
    "hevc in 10 bit": ("a.mkv", {"picture": "libx265", "pixels": "yuv420p10le"}, 3, (96, 64)),
    "16 bit grey": ("a.mkv", {"picture": "ffv1", "pixels": "gray16le"}, 3, (96, 64)),
    "4:4:4": ("a.mkv", {"picture": "ffv1", "pixels": "yuv444p"}, 3, (96, 64)),
    "see-through": ("a.mkv", {"picture": "ffv1", "pixels": "yuva420p"}, 3, (96, 64)),
    "grey": ("a.mkv", {"picture": "ffv1", "pixels": "gray"}, 3, (96, 64)),
    "motion jpeg": ("a.avi", {"picture": "mjpeg", "pixels": "yuvj420p"}, 3, (96, 64)),
    "png": ("a.mov", {"picture": "png", "pixels": "rgb24"}, 3, (96, 64)),
    "raw": ("a.mkv", {"picture": "rawvideo"}, 3, (96, 64)),
    "odd size": ("a.mkv", {"picture": "ffv1", "size": (97, 65)}, 3, (97, 65)),
    "two pixels": ("a.mkv", {"picture": "ffv1", "size": (2, 2)}, 3, (2, 2)),
    "a line": ("a.mkv", {"picture": "ffv1", "size": (640, 2)}, 3, (640, 2)),
    "tall": ("a.mkv", {"picture": "ffv1", "size": (16, 700)}, 3, (16, 700)),
    "large": ("a.mkv", {"picture": "mjpeg", "pixels": "yuvj420p", "size": (1344, 672)}, 3, (672, 336)),
    "turned left": ("a.mp4", {"sound": "aac", "rotation": 90}, 3, (64, 96)),
    "upside down": ("a.mp4", {"sound": "aac", "rotation": 180}, 3, (96, 64)),
    "turned right": ("a.mp4", {"sound": "aac", "rotation": -90}, 3, (64, 96)),
    # Time stamps
    "begins at an hour": ("a.mkv", {"times": range(3_600_000, 3_603_000, 250), "delay": 3600.0}, 3, (96, 64)),
    "begins below zero": ("a.nut", {"times": range(-1000, 2000, 250), "delay": -1.0}, 3, (96, 64)),
}  # fmt: skip


@pytest.mark.parametrize("name", FILMS)
def test_a_film_is_read_right(tmp_path, name) -> None:
    file, how, pictures, size = FILMS[name]
    (clip,) = read_clips(made(tmp_path / file, **how))
    assert clip.start == 0
    assert len(clip.wave) / SAMPLE_RATE == pytest.approx(3, abs=0.15)
    assert len(clip.pictures) == pytest.approx(pictures, abs=1)
    assert {picture.size for picture in clip.pictures} == {size}
    assert min(size) <= PICTURE_SIDE
    assert all(0 <= shown < 3.2 for shown in clip.times)
    middle = clip.wave[SAMPLE_RATE : 2 * SAMPLE_RATE]
    assert np.abs(np.fft.rfft(middle)).argmax() == pytest.approx(440, abs=1)
    assert 0.1 < np.abs(middle).max() <= 1


def clips_of(path: Path) -> list[Clip]:
    return list(read_clips(path))


def test_a_gap_in_the_sound_keeps_pictures_with_their_sound(tmp_path) -> None:
    times = range(0, 110_000, 500)
    path = made(tmp_path / "a.mkv", times=times, sound_seconds=8.0, gap=(4.0, 100.0))
    before, after = clips_of(path)
    assert [len(clip.wave) / SAMPLE_RATE for clip in (before, after)] == pytest.approx([4, 4], abs=0.05)
    grey = [np.asarray(clip.pictures[0])[32, 48, 0] for clip in (before, after)]
    expected = [40 + 20 * number % 200 for number in (0, 208)]  # what is shown at 0 s and at 104 s
    assert grey == pytest.approx(expected, abs=6)


def test_two_recordings_in_one_file_are_not_mixed(tmp_path) -> None:
    """Of what lies behind a jump back nobody knows which picture belongs to which sound."""
    part = made(tmp_path / "a.ts", sound="mp2", rate=44_100, seconds=6.0).read_bytes()
    (tmp_path / "b.ts").write_bytes(part + part)
    (clip,) = clips_of(tmp_path / "b.ts")
    assert len(clip.wave) / SAMPLE_RATE == pytest.approx(6, abs=0.2)


def damaged(path: Path) -> Path:
    content = bytearray(made(path, seconds=25.0).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    return path


def cut_off(path: Path, share: float = 0.6, **how: object) -> Path:
    content = made(path, **how).read_bytes()
    path.write_bytes(content[: round(share * len(content))])
    return path


def test_what_came_before_the_damage_is_kept(tmp_path) -> None:
    (clip,) = clips_of(cut_off(tmp_path / "a.mkv", seconds=5.0))
    assert 2.048 <= len(clip.wave) / SAMPLE_RATE < 4
    assert len(clips_of(damaged(tmp_path / "b.mkv"))) >= 2


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.mp4", bytes(30_000_000))
    return path


def playlist(path: Path) -> Path:
    made(path.with_name("other.ts"), sound="mp2", rate=44_100)
    path.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{path.with_name('other.ts')}\n#EXT-X-ENDLIST\n"
    )
    return path


def script(path: Path) -> Path:
    made(path.with_name("other.mkv"))
    path.write_text("ffconcat version 1.0\nfile other.mkv\n")
    return path


def written(content: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return write


def picture_file(path: Path) -> Path:
    Image.new("RGB", (64, 64), "red").save(path, "PNG")
    return path


USELESS: dict[str, tuple[str, Callable[[Path], Path], str]] = {
    "no sound": ("a.mkv", lambda path: made(path, sound=None), "no audio track"),
    "no picture": ("a.mka", lambda path: made(path, picture=None, form="matroska"), "no picture"),
    "a sound file": ("a.wav", lambda path: made(path, picture=None), "no picture"),
    "a record and its cover": ("a.mp4", write_record, "no picture|silent"),
    "silence": ("a.mkv", lambda path: made(path, tones=(0.0,)), "silent"),
    "too short": ("a.mkv", lambda path: made(path, seconds=1.0), "too short: 1.00 s"),
    "all pictures before the sound": ("a.mkv", lambda path: made(path, times=[90_000]), "no picture"),
    "no frame at all": ("a.mkv", lambda path: made(path, times=[]), "no picture|unreadable"),
    "cut off before its index": ("a.mp4", lambda path: cut_off(path, sound="aac"), "unreadable"),
    "cut off in its head": ("a.mkv", lambda path: cut_off(path, 0.001), "unreadable|no audio"),
    "empty": ("a.mp4", written(b""), "unreadable"),
    "zeros": ("a.mp4", written(bytes(20_000)), "unreadable"),
    "noise": ("a.mp4", written(np.random.default_rng(0).bytes(20_000)), "unreadable"),
    "text": ("a.mp4", written(b"this is no video\n" * 100), "unreadable"),
    "a web page": ("a.mp4", written(b"<!doctype html><title>403 Forbidden</title>"), "unreadable"),
    "a picture": ("a.mp4", picture_file, "unreadable|no audio track"),
    "a frame of 200 million pixels": ("a.mov", huge_frame, "no picture|unreadable"),
    "a zip bomb": ("a.mp4", zipped, "unreadable"),
    "a playlist of other files": ("a.m3u8", playlist, "unreadable"),
    "a script of other files": ("a.mp4", script, "unreadable"),
}  # fmt: skip


@pytest.mark.parametrize("name", USELESS)
def test_what_cannot_be_used_has_its_reason(tmp_path, name) -> None:
    file, build, why = USELESS[name]
    reason = _read(Video(build(tmp_path / file), "a"), 10.0)
    assert isinstance(reason, str), reason
    assert re.match(why, reason), reason
    assert "\n" not in reason


NAMES = [
    "-rf.mkv",
    "new\nline.mkv",
    "a b'\"$(x).mkv",
    "été 雨.mkv",
    "http:a.mkv",
    "concat:a|b.mkv",
    "%d.mkv",
    "a" * 251 + ".mkv",
]


def test_odd_file_names(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    for name in [*NAMES, os.fsdecode(b"lat\xe9n.mkv")]:
        made(folder / name)
    found = find_videos([folder])
    assert len({video.name for video in found}) == len(NAMES) + 1
    monkeypatch.chdir(folder)
    for video in [*found, *(Video(Path(name), name) for name in NAMES)]:
        assert isinstance(_read(video, 10.0), list), video.name
        video.name.encode()


def test_folders_that_hold_themselves(tmp_path) -> None:
    (tmp_path / "films").mkdir()
    made(tmp_path / "films" / "a.mkv")
    (tmp_path / "films" / "again").symlink_to(tmp_path / "films")
    (tmp_path / "films" / "self.mkv").symlink_to(tmp_path / "films" / "self.mkv")
    (tmp_path / "films" / "gone.mkv").symlink_to(tmp_path / "nowhere.mkv")
    found = {video.name: _read(video, 10.0) for video in find_videos([tmp_path / "films"])}
    assert isinstance(found.pop("films/a.mkv"), list)
    assert found == {"films/self.mkv": MISSING, "films/gone.mkv": MISSING}


def test_pictures_that_wait_for_their_sound_are_bounded(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tape, "MOST_PICTURES", 5)
    most = 0
    keep = tape.Tape._keep_picture

    def counted(self: tape.Tape, *rest: object) -> None:
        nonlocal most
        keep(self, *rest)
        most = max(most, len(self.pictures))

    monkeypatch.setattr(tape.Tape, "_keep_picture", counted)
    path = made(tmp_path / "a.mkv", times=range(0, 33_000, 1000), sound_seconds=3.0, delay=30.0)
    (clip,) = clips_of(path)
    assert most == 5
    assert len(clip.pictures) >= 3


@pytest.mark.slow
def test_a_picture_that_unpacks_without_bound(tmp_path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (30_000, 30_000)).save(path)
    assert path.stat().st_size < 200_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="cannot be read as a picture"):
        open_picture(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_picture_that_is_a_program(tmp_path, monkeypatch) -> None:
    """PostScript is not handed to its interpreter, were it there."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *any, **more: pytest.fail("it was run"))
    with pytest.raises(UserError, match="cannot be read as a picture"):
        open_picture(tmp_path / "a.png")


def test_a_film_is_opened_alone(tmp_path) -> None:
    with pytest.raises(av.error.FFmpegError):
        open_film(playlist(tmp_path / "a.mp4"))


# Drives and readers


class Doing:
    """A path that does something when its reader first looks at it."""

    def __init__(self, what: Callable[[], object]) -> None:
        self.what = what

    def is_file(self) -> bool:
        self.what()
        return True

    def open(self, mode: str) -> io.BytesIO:
        return io.BytesIO()


def hang() -> None:
    ctypes.PyDLL(None).sleep(60)  # in C, and nothing else of Python runs meanwhile


def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def devour() -> None:
    np.zeros(16 * 2**30, np.uint8)


@pytest.mark.slow
def test_readers_that_hang_are_killed_or_want_too_much(tmp_path) -> None:
    good = made(tmp_path / "good.mkv")
    bad = {"hang": hang, "killed": be_killed, "devour": devour}
    videos = [Video(good, "first"), *(Video(Doing(what), name) for name, what in bad.items())]  # type: ignore[arg-type]
    began = time.monotonic()
    found = {
        video.name: pieces
        for video, pieces in read_all([*videos, Video(good, "last")], 10.0, 2, patience=2.0)
    }
    assert time.monotonic() - began < 4 * LONG
    assert list(found) == ["first", *bad, "last"]
    assert len(found["first"]) == len(found["last"]) == 1
    assert "the decoder hung" in found["hang"]
    assert "the system ended its reader" in found["killed"]
    assert found["devour"] == TOO_LARGE


def test_a_file_that_takes_for_ever(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(bounded, "MOST_SECONDS", 0.0)
    monkeypatch.setattr(bounded, "LEAST_PACE", 10**12)
    reason = _read(Video(made(tmp_path / "a.mkv"), "a"), 10.0)
    assert "reading it took more than 0 s" in reason


def test_a_drive_that_goes_away(tmp_path, monkeypatch) -> None:
    path = made(tmp_path / "a.mkv", seconds=5.0)
    finished = tape.Tape.finished

    def gone(self: tape.Tape) -> object:
        path.unlink(missing_ok=True)
        return finished(self)

    monkeypatch.setattr(tape.Tape, "finished", gone)
    assert _read(Video(path, "a"), 2.5) == GONE
    assert _read(Video(path, "a"), 2.5) == MISSING


def test_a_drive_that_answers_no_more(tmp_path, monkeypatch) -> None:
    def broken(*any: object) -> None:
        raise OSError(5, "Input/output error")

    path = made(tmp_path / "a.mkv")
    monkeypatch.setattr("clipsonic.data.video.open_film", broken)
    assert str(_read(Video(path, "a"), 10.0)).startswith(
        "unreadable: Input/output error"
    )  # damage, as it can be read
    monkeypatch.setattr(Path, "open", broken)
    assert _read(Video(path, "a"), 10.0) == GONE
