import numpy as np
import pytest

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.video import PICTURE_SIDE, Unusable, read_clips
from tests.conftest import tone, write_video


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
