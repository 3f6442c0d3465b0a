"""What is read of a video is what it shows and sounds like: no gap closed, nothing clipped, no picture squeezed."""

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.footage import Footage
from clipsonic.data.readers import SpoolError, _read
from clipsonic.data.sources import Video
from clipsonic.data.video import Unusable, read_clips
from tests.films import write_media

RATE = 16_000


def write(
    path: Path,
    tracks: list[np.ndarray],
    layout: str = "mono",
    keep: Callable[[float], bool] = lambda time: True,
    stamp: Callable[[float], float] = lambda time: time,
    aspect: Fraction = Fraction(1),
    sound: str = "pcm_f32le",
) -> Path:
    """Write a video whose pictures tell the time, 9 grey levels a second, and (channels, samples) a track."""
    seconds = tracks[0].shape[1] / RATE
    with av.open(str(path), "w") as container:
        codec, pixels = (
            ("ffv1", "gray") if aspect == 1 else ("mpeg4", "yuv420p")
        )  # which says its pixels' shape
        screen = container.add_stream(codec, rate=4)
        screen.width, screen.height, screen.pix_fmt = 96, 64, pixels
        screen.codec_context.sample_aspect_ratio = aspect
        streams = [container.add_stream(sound, rate=RATE, layout=layout) for _ in tracks]
        for number in range(int(4 * seconds)):
            grey = np.full((64, 96), 40 + 9 * number // 4, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format=pixels)
            container.mux(screen.encode(frame))
        container.mux(screen.encode(None))
        for stream, wave in zip(streams, tracks, strict=True):
            for place in range(0, wave.shape[1], 1024):
                if not keep(place / RATE):
                    continue
                few = np.ascontiguousarray(wave[:, place : place + 1024].T.reshape(1, -1), np.float32)
                frame = av.AudioFrame.from_ndarray(few, format="flt", layout=layout)
                frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
                frame.pts = round(stamp(place / RATE) * RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def rising(seconds: float) -> np.ndarray:
    """200 Hz in the first second, 300 Hz in the second, and so on."""
    hertz = 200 + 100 * np.floor(np.arange(round(seconds * RATE)) / RATE)
    return (0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE))[None].astype(np.float32)


def second_of(wave: np.ndarray, time: float) -> float:
    """What second of `rising` sounds at a time."""
    piece = wave[round(time * SAMPLE_RATE) :][:3200]
    return (np.abs(np.fft.rfft(piece, SAMPLE_RATE)).argmax() - 200) / 100


def tone(level: float = 0.3, seconds: float = 3.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def test_gaps_in_the_sound_stay_gaps(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", [rising(20)], keep=lambda time: time % 1 < 0.6)
    clips = list(read_clips(path, 10.0))
    assert [clip.start for clip in clips] == [0, 10]
    for clip in clips:
        for time, picture in zip(clip.times, clip.pictures, strict=True):
            shown = (np.asarray(picture)[32, 48, 0] - 40) / 9
            assert shown == pytest.approx(clip.start + time, abs=0.15)
            assert second_of(clip.wave, time) == pytest.approx(int(shown), abs=0.05)
        hidden = clip.wave[round(0.75 * SAMPLE_RATE) : round(0.95 * SAMPLE_RATE)]
        assert not hidden.any()


def test_a_clip_behind_a_long_gap_says_when_it_begins(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", [rising(20)], keep=lambda time: not 4 < time < 12)
    before, after = read_clips(path, 10.0)
    assert (before.start, after.start) == (0, pytest.approx(12, abs=0.1))
    assert second_of(after.wave, 1.5) == pytest.approx(int(after.start + 1.5))


def test_sound_that_runs_ahead_of_its_time_stamps_is_brought_back(tmp_path: Path) -> None:
    """A clock that is 3 % off: after 20 s sound and pictures would be 0.6 s apart."""
    path = write(tmp_path / "a.mkv", [rising(20)], stamp=lambda time: time * 0.97)
    clips = list(read_clips(path, 10.0))
    late = clips[-1]
    sounding = (late.start + 7.3) / 0.97
    assert second_of(late.wave, 7.3) == pytest.approx(int(sounding), abs=0.05)


def test_stamps_that_jitter_do_not_tear_the_sound(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", [tone()[None]], stamp=lambda time: time // 0.5 * 0.5)
    (clip,) = read_clips(path)
    assert np.abs(clip.wave - tone()[: len(clip.wave)]).max() < 0.01


@pytest.mark.parametrize(("layout", "channels"), [("stereo", 2), ("5.1", 6), ("mono", 1)])
def test_channels_are_averaged(tmp_path: Path, layout: str, channels: int) -> None:
    path = write(tmp_path / "a.mkv", [np.repeat(tone(0.9)[None], channels, axis=0)], layout)
    (clip,) = read_clips(path)
    assert np.abs(clip.wave).max() == pytest.approx(0.9, abs=0.005)
    spectrum = np.abs(np.fft.rfft(clip.wave[SAMPLE_RATE : 2 * SAMPLE_RATE]))
    assert 20 * np.log10(spectrum[1320] / spectrum[440]) < -50


def test_what_passes_full_scale_is_not_clipped(tmp_path: Path) -> None:
    (clip,) = read_clips(write(tmp_path / "a.mkv", [tone(1.6)[None]]))
    assert np.abs(clip.wave).max() == pytest.approx(1)
    spectrum = np.abs(np.fft.rfft(clip.wave[SAMPLE_RATE : 2 * SAMPLE_RATE]))
    assert spectrum[1320] < spectrum[440] / 1000
    with pytest.raises(Unusable, match="reaches 9830"):
        list(read_clips(write(tmp_path / "b.mkv", [tone(0.3 * 32767)[None]])))


def test_channels_that_cancel(tmp_path: Path) -> None:
    (clip,) = read_clips(write(tmp_path / "a.mkv", [np.stack([tone(), -tone()])], "stereo"))
    assert np.abs(clip.wave).max() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("levels", [(0.0, 0.3), (0.0, 0.0, 0.3, 0.1), (0.3, 0.1)])
def test_the_first_track_that_sounds_is_read(tmp_path: Path, levels: tuple[float, ...]) -> None:
    (clip,) = read_clips(write(tmp_path / "a.mkv", [tone(level)[None] for level in levels]))
    assert np.abs(clip.wave).max() == pytest.approx(0.3, abs=0.01)


def test_tracks_that_are_all_silent(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="silent"):
        list(read_clips(write(tmp_path / "a.mkv", [tone(0.0)[None], tone(0.0)[None]])))


@pytest.mark.parametrize(
    ("aspect", "size"), [((2, 1), (192, 64)), ((1, 2), (96, 128)), ((16, 15), (102, 64))]
)
def test_pictures_have_the_shape_that_is_shown(
    tmp_path: Path, aspect: tuple[int, int], size: tuple[int, int]
) -> None:
    path = write(tmp_path / "a.mkv", [tone()[None]], aspect=Fraction(*aspect))
    (clip,) = read_clips(path)
    assert {picture.size for picture in clip.pictures} == {size}
    footage = Footage(path)
    assert {look.picture.size for look in footage.seen() if not isinstance(look, float)} == {size}


def test_pictures_wait_in_a_file(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mkv", picture="ffv1", pixels="yuv444p", seconds=6.0)
    clips, spool = list(read_clips(path, 3.0)), tmp_path / "spool"
    pieces = _read(Video(path, "a"), 3.0, spool=spool)
    assert isinstance(pieces, list)
    assert len(pieces) == len(clips) == 2
    for clip, piece in zip(clips, pieces, strict=True):
        assert len(piece.pictures) == len(clip.pictures)
        for picture, stored in zip(clip.pictures, piece.pictures, strict=True):
            with Image.open(io.BytesIO(stored)) as image:
                np.testing.assert_array_equal(np.asarray(image), np.asarray(picture))
    with pytest.raises(SpoolError, match="TMPDIR"):
        _read(Video(path, "a"), 3.0, spool=tmp_path / "gone" / "spool")
