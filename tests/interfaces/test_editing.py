"""Videos, lengths, and sounds to go from, through the command line."""

import json

import av
import numpy as np
import pytest
import soundfile

from clipsonic.interfaces.answering import _about
from clipsonic.interfaces.asking import Given
from clipsonic.loudness import integrated_loudness

from ..helpers import write_video

RATE = 16_000
QUICK = ("--steps", "2", "--seed", "5")


@pytest.fixture
def sound(tmp_path):
    wave = np.random.default_rng(0).uniform(-0.3, 0.3, 3 * RATE).astype(np.float32)
    soundfile.write(tmp_path / "base.wav", wave, RATE, subtype="PCM_16")
    return tmp_path / "base.wav"


def test_a_video_gets_a_sound_of_its_length(clipsonic_command, tiny_model, tmp_path) -> None:
    video = write_video(tmp_path / "in.mp4", None, seconds=6.0)
    out = tmp_path / "out.mp4"
    words = ("generate", "--video", video, "--model", tiny_model, *QUICK)
    code, said = clipsonic_command(*words, "-o", out)
    assert code == 0, said
    with av.open(str(out)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert float(container.duration / 1e6) == pytest.approx(6.0, abs=0.15)
    assert out.with_suffix(".png").exists()
    assert json.loads(out.with_suffix(".json").read_text())["video"] == str(video)
    for name, more in {
        "mean.wav": ("--frames", "mean"),
        "held.wav": ("--frames", "2.5"),
        "mixed.wav": ("rain",),
    }.items():
        code, said = clipsonic_command(*words, *more, "-o", tmp_path / name)
        assert code == 0, said
        assert soundfile.info(tmp_path / name).frames == 6 * RATE


def test_a_sound_goes_on_and_stays_what_it_was(clipsonic_command, tiny_model, tmp_path, sound) -> None:
    out = tmp_path / "on.wav"
    words = (
        "generate",
        "rain",
        "--model",
        tiny_model,
        *QUICK,
        "--continue",
        sound,
        "--seconds",
        "2",
        "-o",
        out,
    )
    code, said = clipsonic_command(*words)
    assert code == 0, said
    before, after = soundfile.read(sound, dtype="int16")[0], soundfile.read(out, dtype="int16")[0]
    assert len(after) == 5 * RATE
    kept = len(before) - round(0.02 * RATE)
    assert np.array_equal(after[:kept], before[:kept])
    assert after[len(before) :].any()


def test_a_gap_is_filled(clipsonic_command, tiny_model, tmp_path, sound) -> None:
    out = tmp_path / "filled.wav"
    words = ("generate", "rain", "--model", tiny_model, *QUICK, "--from", sound, "--fill", "1:1.5", "-o", out)
    code, said = clipsonic_command(*words)
    assert code == 0, said
    before, after = soundfile.read(sound, dtype="int16")[0], soundfile.read(out, dtype="int16")[0]
    same = before == after
    fade = round(0.02 * RATE)
    assert same[: RATE - fade].all()
    assert same[round(1.5 * RATE) + fade :].all()
    assert not same[RATE : round(1.5 * RATE)].all()


def test_a_weak_variation_is_nearer_than_a_strong_one(clipsonic_command, tiny_model, tmp_path, sound) -> None:
    from clipsonic.audio import log_mel, read_audio

    mel = {"base": log_mel(read_audio(sound)[None])}
    for strength in ("0.25", "1"):
        out = tmp_path / f"{strength}.wav"
        words = (
            "generate",
            "rain",
            "--model",
            tiny_model,
            "--steps",
            "8",
            "--from",
            sound,
            "--strength",
            strength,
        )
        code, said = clipsonic_command(*words, "-o", out)
        assert code == 0, said
        mel[strength] = log_mel(read_audio(out)[None])[..., : mel["base"].shape[-1]]
        gain = json.loads(out.with_suffix(".json").read_text())["gain_db"]
        mel[strength] -= gain * np.log(10) / 20  # a file is scaled where it would pass full scale
    near, far = ((mel[strength] - mel["base"]).abs().mean() for strength in ("0.25", "1"))
    assert near < far


def test_levels_and_rates_are_in_the_file_and_the_sidecar(clipsonic_command, tiny_model, tmp_path) -> None:
    out = tmp_path / "a.flac"
    words = (
        "generate",
        "rain",
        "--model",
        tiny_model,
        *QUICK,
        "--seconds",
        "1",
        "--rate",
        "48000",
        "--peak",
        "-6",
    )
    code, said = clipsonic_command(*words, "-o", out)
    assert code == 0, said
    wave, rate = soundfile.read(out)
    assert (rate, len(wave)) == (48_000, 48_000)
    assert np.abs(wave).max() == pytest.approx(0.5, abs=0.05)
    page = json.loads(out.with_suffix(".json").read_text())
    assert (page["sample_rate"], page["resampled_from"], page["peak_db_requested"]) == (48_000, 16_000, -6.0)
    assert page["peak_db"] == pytest.approx(20 * np.log10(np.abs(wave).max()), abs=0.02)


@pytest.mark.parametrize(("name", "rate"), [("a.wav", 16_000), ("a.ogg", 48_000), ("a.mkv", 44_100)])
def test_a_file_is_as_loud_as_asked(clipsonic_command, tiny_model, tmp_path, name, rate) -> None:
    out = tmp_path / name
    words = ("generate", "rain", "--model", tiny_model, *QUICK, "--rate", rate, "--lufs", "-30", "-o", out)
    more = ("--video", write_video(tmp_path / "v.mp4", None, seconds=2.0)) if name == "a.mkv" else ()
    code, said = clipsonic_command(*words, *more)
    assert code == 0, said
    page = json.loads(out.with_suffix(".json").read_text())
    assert (page["sample_rate"], page["lufs_requested"]) == (rate, -30.0)
    assert page["lufs"] == pytest.approx(-30, abs=0.3)
    assert page.get("resampled_from") == (None if rate == RATE else RATE)
    if name == "a.mkv":
        with av.open(str(out)) as container:
            found = container.streams.audio[0].rate
            frames = list(container.decode(audio=0))
        wave = np.concatenate([frame.to_ndarray()[0] for frame in frames]) / 2**15
    else:
        wave, found = soundfile.read(out, dtype="float32")
    assert found == rate
    assert integrated_loudness(wave, rate) == pytest.approx(-30, abs=0.3)


def test_a_minute_is_made(clipsonic_command, tiny_model, tmp_path) -> None:
    out = tmp_path / "minute.wav"
    words = ("generate", "rain", "--model", tiny_model, "--steps", "1", "--seconds", "60", "-o", out)
    code, said = clipsonic_command(*words)
    assert code == 0, said
    assert soundfile.info(out).frames == 60 * RATE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rain", "--fill", "1:2"], "name it with --from"),
        (["rain", "--from", "{base}", "--fill", "2:9"], "2:9 is no piece of"),
        (["rain", "--from", "{base}", "--fill", "2:1"], "2:1 is no piece of"),
        (["rain", "--from", "{base}", "--fill", "much"], "write it as START:END"),
        (["rain", "--from", "{base}", "--continue", "{base}"], "use one of them"),
        (["rain", "--from", "{base}", "--seconds", "2"], "leave out --seconds"),
        (["rain", "--from", "{base}", "--strength", "2"], "at most 1 (unlike the input), got 2.0"),
        (["rain", "--from", "gone.wav"], "no sound gone.wav"),
        (["--video", "gone.mp4"], "no video gone.mp4"),
        (["--video", "{base}"], "has no track of moving pictures"),
        (["rain", "--frames", "mean"], "--frames is of a video"),
        (["rain", "-o", "{folder}/out.mp4"], "or with --video in .mp4"),
        (["rain", "--peak", "-1", "--lufs", "-23"], "give one of them"),
        (["rain", "--lufs", "3"], "at most 0 LUFS, got 3.0"),
        (["rain", "--rate", "12345"], "got 12345"),
    ],
)
def test_wrong_input_gets_one_line_and_leaves_nothing(
    clipsonic_command, tiny_model, tmp_path, sound, words, said
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    filled = [word.format(base=sound, folder=out) for word in words]
    target = [] if "-o" in filled else ["-o", out / "a.wav"]
    code, printed = clipsonic_command("generate", *filled, *target, "--model", tiny_model, *QUICK)
    assert code == 2, printed
    assert said in printed
    assert "Traceback" not in printed
    assert not list(out.iterdir())


def test_antiphase_stereo_to_go_from_is_noted(tmp_path, monkeypatch) -> None:
    wave = 0.3 * np.sin(np.arange(RATE) / 5)
    soundfile.write(tmp_path / "antiphase.wav", np.stack([wave, -wave], 1), RATE)
    told: list[str] = []
    monkeypatch.setattr("clipsonic.interfaces.answering.note", told.append)
    settings, page = _about(Given(tmp_path / "antiphase.wav", 0.5), None)
    assert settings["audio"].abs().max() > 0.29
    assert told == [page["from"]["note"]]
    assert "antiphase.wav" in told[0]
