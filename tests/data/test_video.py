from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.frames import PICTURE_SIDE
from clipsonic.data.tape import Tape
from clipsonic.data.video import Unusable, read_clips
from tests.helpers import tone, write_video

CODER_FRAME = (
    400  # samples; a container may count its time from the coder's first frame or from the first sound
)


def test_clips_follow_each_other_and_keep_their_pictures(tmp_path) -> None:
    wave = np.concatenate([tone(10.0, 440), tone(10.0, 1760), tone(5.0, 880)])
    clips = list(read_clips(write_video(tmp_path / "a.mp4", wave, seconds=25)))
    assert [clip.start for clip in clips] == [0, 10, 20]
    assert [len(clip.pictures) for clip in clips] == [10, 10, 5]
    assert all(0 <= time < 10 for clip in clips for time in clip.times)
    for clip, hertz in zip(clips, (440, 1760, 880), strict=True):
        middle = clip.wave[SAMPLE_RATE : 3 * SAMPLE_RATE]
        assert np.abs(np.fft.rfft(middle)).argmax() / 2 == pytest.approx(hertz, abs=2)


def test_a_last_piece_shorter_than_a_crop_is_left_out(tmp_path) -> None:
    clips = list(read_clips(write_video(tmp_path / "a.mp4", tone(11.5), seconds=11.5)))
    assert [len(clip.wave) for clip in clips] == [10 * SAMPLE_RATE]


def test_silent_clips_are_left_out_and_others_kept(tmp_path) -> None:
    wave = np.concatenate([tone(10.0, level=0.0), tone(10.0)])
    assert [clip.start for clip in read_clips(write_video(tmp_path / "a.mp4", wave, seconds=20))] == [10]


def test_sound_that_outlasts_the_picture(tmp_path) -> None:
    clips = list(read_clips(write_video(tmp_path / "a.mp4", tone(45.0), seconds=12)))
    assert [clip.start for clip in clips] == [0, 10]


def test_pictures_are_kept_no_larger_than_needed(tmp_path) -> None:
    import av

    path = tmp_path / "large.mp4"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=4)
        picture.width, picture.height, picture.pix_fmt = 1280, 720, "yuv420p"
        sound = container.add_stream("aac", rate=44_100, layout="mono")
        for _ in range(12):
            image = np.zeros((720, 1280, 3), dtype=np.uint8)
            container.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        frame = av.AudioFrame.from_ndarray(tone(3.0)[None], format="flt", layout="mono")
        frame.rate = 44_100
        for stream, content in ((picture, None), (sound, frame), (sound, None)):
            container.mux(stream.encode(content))
    (clip,) = read_clips(path)
    assert min(clip.pictures[0].size) == PICTURE_SIDE
    assert clip.pictures[0].size[0] / clip.pictures[0].size[1] == pytest.approx(16 / 9, abs=0.01)


def test_damage_in_the_middle_costs_little(tmp_path) -> None:
    content = bytearray(write_video(tmp_path / "a.mp4", tone(25.0), seconds=25).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    (tmp_path / "b.mp4").write_bytes(content)
    assert len(list(read_clips(tmp_path / "b.mp4"))) >= 2


def test_a_cut_off_file_says_so(tmp_path) -> None:
    content = write_video(tmp_path / "a.mp4", tone(5.0)).read_bytes()
    (tmp_path / "b.mp4").write_bytes(content[: len(content) // 2])  # mp4 keeps its index at the end
    with pytest.raises(Unusable, match="unreadable"):
        list(read_clips(tmp_path / "b.mp4"))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
def test_a_piece_of_a_video_is_what_the_whole_holds_there(tmp_path, suffix) -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, 30 * 44_100).astype("f4")
    path = write_video(tmp_path / f"a.{suffix}", noise, seconds=30)
    (whole,) = read_clips(path, 30.0)
    for start, seconds, lasts in ((0, 10, 10), (10, 10, 10), (13.3, 5, 5), (21, 10, 9)):
        (clip,) = read_clips(path, 10.0, start, seconds)
        assert clip.start == start
        assert len(clip.wave) / SAMPLE_RATE == pytest.approx(lasts, abs=0.1)
        middle = clip.wave[SAMPLE_RATE : 3 * SAMPLE_RATE]
        first = round((start + 1) * SAMPLE_RATE)
        lags = range(-800, 801)
        alike = [middle @ whole.wave[first + lag : first + lag + len(middle)] for lag in lags]
        assert abs(lags[int(np.argmax(alike))]) <= CODER_FRAME
        assert len(clip.pictures) == pytest.approx(lasts, abs=1)
        assert clip.times[0] <= 0.3
        assert all(0 <= time < seconds for time in clip.times)


def test_a_piece_may_be_several_clips(tmp_path) -> None:
    path = write_video(tmp_path / "a.mp4", tone(40.0), seconds=40)
    clips = list(read_clips(path, 4.0, start=20.0, seconds=10.0))
    assert [(clip.start, len(clip.wave)) for clip in clips] == [(20, 64_000), (24, 64_000)]
    clips = list(read_clips(path, 4.0, start=30.0))
    assert [clip.start for clip in clips] == [30, 34]


def test_a_piece_beyond_the_end(tmp_path) -> None:
    with pytest.raises(Unusable, match="no sound from 30 s on"):
        list(read_clips(write_video(tmp_path / "a.mp4", tone(5.0)), start=30.0, seconds=10.0))


def test_a_piece_of_a_slide_show_has_the_picture_on_screen(tmp_path) -> None:
    """One frame every ten seconds: a piece between two of them still shows the earlier one."""
    path = tmp_path / "slides.mp4"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=4)
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream("aac", rate=44_100, layout="mono")
        for number, colour in enumerate(((200, 20, 20), (20, 200, 20), (20, 20, 200))):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), colour, np.uint8), format="rgb24")
            frame.pts, frame.time_base = 40 * number, Fraction(1, 4)
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        wave = av.AudioFrame.from_ndarray(tone(30.0)[None], format="flt", layout="mono")
        wave.rate = 44_100
        container.mux(sound.encode(wave))
        container.mux(sound.encode(None))
    (clip,) = read_clips(path, 10.0, start=13.0, seconds=4.0)
    assert clip.times == [0.0]
    red, green, blue = np.asarray(clip.pictures[0]).mean((0, 1))
    assert green > 150 > max(red, blue)


@pytest.mark.parametrize("threads", [1, 2])
def test_frames_left_undecoded_change_nothing(tmp_path, monkeypatch, threads) -> None:
    """Of a video whose frames refer to each other in both directions the pictures are those of a full decode."""
    path = tmp_path / "a.mp4"
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=Fraction(30_000, 1001), options={"bf": "3"})
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream("aac", rate=44_100, layout="mono")
        still = random.integers(0, 255, (64, 256, 3), dtype=np.uint8)
        for number in range(180):
            image = np.ascontiguousarray(still[:, number % 160 : number % 160 + 96])
            container.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(picture.encode(None))
        wave = av.AudioFrame.from_ndarray(tone(6.0)[None], format="flt", layout="mono")
        wave.rate = 44_100
        container.mux([*sound.encode(wave), *sound.encode(None)])
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    seen = []
    add = Tape.add_picture
    monkeypatch.setattr(Tape, "add_picture", lambda tape, frame: seen.append(frame) or add(tape, frame))
    firsts = [frame for last, frame in pairwise(frames) if int(frame.time) > int(last.time)]
    for start, expected in ((0.0, [frames[0], *firsts]), (2.5, [frames[74], *firsts[2:]])):
        seen.clear()
        (clip,) = read_clips(path, start=start, threads=threads)
        assert len(seen) < len(frames)
        assert len(clip.pictures) == len(expected)
        for found, frame in zip(clip.pictures, expected, strict=True):
            np.testing.assert_array_equal(np.asarray(found), np.asarray(frame.to_image()))
