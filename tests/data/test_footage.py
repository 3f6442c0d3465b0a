"""A video's pictures over time, its cuts, and sound put onto it with its pictures untouched."""

from pathlib import Path

import av
import numpy as np
import pytest

from clipsonic.data.footage import Footage
from clipsonic.data.muxing import CODECS, with_sound
from clipsonic.data.video import Unusable
from clipsonic.errors import UserError

from ..conftest import tone, write_video

RATE = 16_000


def write_shots(path: Path, shots: list[tuple[float, str]], rate: int = 10, rotation: int = 0) -> Path:
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


@pytest.mark.parametrize("name", ["text.mp4", "empty.mp4", "sound.wav", "gone.mp4", "long.mp4"])
def test_what_is_no_video_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.mp4").write_text("this is no video")
    (tmp_path / "empty.mp4").touch()
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(1.0)[None], format="flt", layout="mono")
        frame.rate = 44_100
        container.mux(stream.encode(frame))
    write_shots(tmp_path / "long.mp4", [(3.0, "grey")])
    with pytest.raises(Unusable) as error:
        list(Footage(tmp_path / name, longest=1.0))
    assert name in str(error.value)


def pictures_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def sound_of(path: Path) -> tuple[np.ndarray, int]:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        pieces = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        pieces += resampler.resample(None)
    return np.concatenate([piece.to_ndarray()[0] for piece in pieces]), RATE


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_sound_is_put_on_and_pictures_stay(tmp_path: Path, ending: str) -> None:
    video = write_video(tmp_path / "in.mp4", tone(3.0, 220), seconds=3.0)
    wave = np.sin(2 * np.pi * 1000 * np.arange(3 * RATE) / RATE).astype(np.float32) * 0.5
    out = tmp_path / f"out{ending}"
    with_sound(video, wave, RATE, out)
    assert pictures_of(out) == pictures_of(video)
    found, _ = sound_of(out)
    assert abs(len(found) / RATE - 3.0) < 0.15
    spectrum = np.abs(np.fft.rfft(found[RATE : 2 * RATE]))
    assert spectrum.argmax() == 1000  # the new sound, not the 220 Hz it had
    with av.open(str(out)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]


def test_a_container_that_does_not_take_the_pictures(tmp_path: Path) -> None:
    video = write_video(tmp_path / "in.mp4", None, seconds=1.0)
    with pytest.raises(UserError, match=r"name it out\.mp4"):
        with_sound(video, np.zeros(RATE, np.float32), RATE, tmp_path / "out.webm")
    assert not (tmp_path / "out.webm").exists()
    with pytest.raises(UserError, match="should end in"):
        with_sound(video, np.zeros(RATE, np.float32), RATE, tmp_path / "out.avi")
    assert ".avi" not in CODECS
