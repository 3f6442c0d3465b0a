"""Videos of all kinds through the command line: the right file, or one line and nothing left behind."""

import json

import pytest
import soundfile

from ..films import packets_of, shown, sound_of, write_film, write_record

RATE = 16_000
QUICK = ("--steps", "1", "--seed", "5")


@pytest.fixture
def ask(clipsonic_command, tiny_model, tmp_path):
    """Asks for the sound of a video => exit code, what was printed, and the folder of what was written."""
    out = tmp_path / "out"
    out.mkdir()

    def ask(video, name="out.mp4", *more):
        words = ("generate", "--video", video, "-o", out / name, "--model", tiny_model, *QUICK, *more)
        return *clipsonic_command(*words), out

    return ask


@pytest.mark.parametrize(
    ("name", "times", "rotation", "seconds"),
    [
        ("plain.mkv", range(0, 2000, 100), 0, 2.0),
        ("turned.mp4", range(0, 2000, 100), 90, 2.0),
        ("uneven.mp4", [0, 40, 80, 500, 520, 1900, 1940], 0, 1.98),
        ("late.mp4", range(5000, 7000, 100), 0, 2.0),
        ("early.mkv", range(-700, 1300, 100), 0, 2.0),
        ("short.mp4", [0, 50], 0, 0.1),
        ("one.mp4", [0], 0, 0.1),
    ],
)
def test_a_video_gets_its_sound(ask, tmp_path, name, times, rotation, seconds) -> None:
    video = write_film(tmp_path / name, times, rotation=rotation)
    code, said, out = ask(video)
    assert code == 0, said
    assert packets_of(out / "out.mp4") == packets_of(video)
    begin, sound = sound_of(out / "out.mp4")
    assert begin == pytest.approx(0, abs=0.001)
    assert shown(out / "out.mp4")[0] == pytest.approx(0, abs=0.001)
    assert len(shown(out / "out.mp4")) == len(times)
    assert json.loads((out / "out.json").read_text())["seconds"] == pytest.approx(seconds, abs=0.02)
    assert seconds - 0.02 <= len(sound) / RATE <= seconds + 0.065 + 0.02  # the last AAC frame is filled up
    assert {path.name for path in out.iterdir()} == {"out.mp4", "out.png", "out.json"}


def test_the_beginning_of_a_video_of_four_hours(ask, tmp_path) -> None:
    video = write_film(
        tmp_path / "long.mp4", [*range(0, 10_000, 500), *range(3_600_000, 14_400_001, 3_600_000)]
    )
    code, said, out = ask(video, "out.mp4", "--seconds", "3")
    assert code == 0, said
    assert packets_of(out / "out.mp4") == packets_of(video)[: len(packets_of(out / "out.mp4"))]
    assert 2 < max(shown(out / "out.mp4")) < 6
    code, said, out = ask(video, "out.wav", "--seconds", "3", "--overwrite")
    assert code == 0, said
    assert soundfile.info(out / "out.wav").frames == 3 * RATE


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        (
            "long.mp4",
            [],
            "lasts more than 600 s, the most for which sound is made; ask for the first seconds",
        ),
        ("long.mkv", [], "lasts more than 600 s"),
        ("record.mp4", [], "has no track of moving pictures; to ask with its cover"),
        ("text.mp4", [], "text.mp4 cannot be read as a video: Invalid data"),
        ("empty.mp4", [], "empty.mp4 cannot be read as a video"),
        ("cut.mp4", [], "cut.mp4 cannot be read as a video"),
        (".", [], "no video"),
        ("plain.mp4", ["--seconds", "9"], "plain.mp4 lasts 2.00 s, less than the 9 s"),
        ("plain.mp4", ["--frames", "9"], "plain.mp4 has no second 9; it lasts 2.00 s"),
        ("plain.mp4", ["--frames", "some"], "--frames some: say follow, mean, or the second"),
        ("plain.mp4", ["-o", "{out}/out.webm"], "cannot be put into .webm as they are"),
        ("plain.mp4", ["-o", "{out}/out.avi"], "should end in"),
        ("plain.mp4", ["-o", "{video}"], "the video would be written over itself"),
        ("plain.mp4", ["--to", "rain"], "--to leads from texts and pictures"),
        ("plain.mp4", ["--from", "{video}"], "a video brings its own length"),
    ],
)
def test_wrong_videos_get_one_line_and_leave_nothing(ask, tmp_path, name, words, said) -> None:
    plain = write_film(tmp_path / "plain.mp4", range(0, 2000, 100))
    for long in ("long.mp4", "long.mkv"):
        write_film(tmp_path / long, range(0, 14_400_001, 3_600_000))
    write_record(tmp_path / "record.mp4")
    (tmp_path / "text.mp4").write_text("this is no video")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "cut.mp4").write_bytes(plain.read_bytes()[:400])
    before = plain.read_bytes()
    filled = [word.format(out=tmp_path / "out", video=plain) for word in words]
    code, printed, out = ask(tmp_path / name, "out.mp4", *filled)
    assert code == 2, printed
    assert said in " ".join(printed.split())
    assert "Traceback" not in printed
    assert not list(out.iterdir())
    assert plain.read_bytes() == before


@pytest.mark.parametrize("name", ["long.mp4", "record.mp4", "text.mp4"])
def test_what_can_be_refused_is_refused_before_the_model_is_loaded(ask, tmp_path, monkeypatch, name) -> None:
    write_film(tmp_path / "long.mp4", range(0, 14_400_001, 3_600_000))
    write_record(tmp_path / "record.mp4")
    (tmp_path / "text.mp4").write_text("this is no video")
    monkeypatch.setattr("clipsonic.interfaces.engine.Engine.load", None)
    code, printed, _ = ask(tmp_path / name)
    assert code == 2, printed
    assert len(printed.strip().splitlines()) == 1
