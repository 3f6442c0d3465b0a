"""The whole reproduction, tiny: from a prepared data set to the report, and what is refused."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.dataset import ClipDataset
from clipsonic.encoders.base import AudioEncoder
from clipsonic.evaluation.audio_files import AudioFile, find_audio
from clipsonic.evaluation.questions import Asking, answer, questions
from clipsonic.interfaces.report.charts import guidance_chart, largest_confusions
from clipsonic.interfaces.reproduce import controls, costs, imagehear, run
from clipsonic.interfaces.reproduce.brought import Brought
from clipsonic.interfaces.reproduce.measures import Figure, Recordings, windows_page
from clipsonic.interfaces.reproduce.presets import REPRODUCTIONS
from clipsonic.interfaces.reproduce.steps import Steps
from clipsonic.interfaces.reproduce.work import Work
from clipsonic.vocoder.griffin_lim import GriffinLim
from tests.helpers import TINY


@pytest.fixture
def other_system(tmp_path: Path) -> Path:
    """Three usable sounds, one of them without words, and one that is too short."""
    folder = tmp_path / "other"
    folder.mkdir()
    random = np.random.default_rng(0)
    lines = ["file,prompt,label"]
    for number, label in enumerate(("dog", "rain", "dog")):
        soundfile.write(folder / f"{number}.wav", random.normal(0, 0.1, 2 * SAMPLE_RATE), SAMPLE_RATE)
        lines.append(f"{number}.wav,{f'the sound of {label}' if number else ''},{label}")
    soundfile.write(folder / "short.wav", np.zeros(100), SAMPLE_RATE)
    (folder / "index.csv").write_text("\n".join(lines))
    return folder


@pytest.mark.slow
def test_from_data_to_report(
    clipsonic_command, held_out, tiny_model, other_system, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    work = tmp_path / "work"
    words = ["reproduce", "--data", held_out, "--model", tiny_model, "--out", work,
             "--vocoder", "griffin-lim", "--system", f"other={other_system}", *TINY]  # fmt: skip
    typo = [tmp_path / "dta" if word == held_out else word for word in words]
    code, said = clipsonic_command(*typo)
    assert (code, "dta does not exist" in said) == (2, True), said
    assert not (work).exists()  # so the right command may have it
    code, said = clipsonic_command(*words)
    assert code == 0, said
    text = (work / "report.html").read_text()
    for name in ("IQ", "ZS", "SD", "CLIP-TTA", "CLAP-TTA", "linear", "centres", "other",
                 "held-out", "reconstruction", "training", "noise"):  # fmt: skip
        assert f"<b>{name}</b>" in text
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", text)  # nothing is fetched
    assert text.count("<audio") > 8
    assert "other: files left out: 1, the first short.wav" in text
    assert "other: files without a prompt, not in the CLAP score and its windows: 1" in text
    assert json.loads((work / "scores/answers/other.json").read_bytes())["clap_score"]["items"] == 2
    times = json.loads((work / "times.json").read_bytes())
    assert all(step["done"] for step in times.values())
    made = work / "answers/IQ/00000.flac"
    for number in range(2):  # the scale of Table 1 is asked once
        name = f"{number:05d}.flac"
        assert (work / "guidance/ZS/w=1.5" / name).read_bytes() == (work / "answers/ZS" / name).read_bytes()
    assert not (work / "guidance/ZS/w=1.5/00002.flac").exists()
    before = made.stat().st_mtime_ns

    shutil.rmtree(work / "answers/ZS")
    times.pop("answers/ZS")
    (work / "times.json").write_text(json.dumps(times))
    (other_system / "short.wav").unlink()
    code, said = clipsonic_command(*words)  # only what is not done
    assert code == 0, said
    assert "answers/ZS" in said
    assert "scores/answers/other" in said
    assert "answers/IQ" not in said
    assert "short.wav" not in (work / "report.html").read_text()
    assert made.stat().st_mtime_ns == before

    code, said = clipsonic_command(*words, "--set", "clips=6")
    assert (code, "another preset; name another folder" in said) == (2, True), said
    page = json.loads((held_out / "dataset.json").read_bytes())
    page["shards"] = dict.fromkeys(page["shards"], "0" * 64)
    (held_out / "dataset.json").write_text(json.dumps(page))
    code, said = clipsonic_command(*words)
    assert (code, "another data; name another folder" in said) == (2, True), said
    (held_out / "dataset.json").write_text(json.dumps(page | {"encoder_id": "another"}))
    code, said = clipsonic_command(*words)
    assert (code, "was prepared with encoder another, and the model" in said) == (2, True), said


def test_a_plan_is_free(clipsonic_command, tmp_path) -> None:
    code, said = clipsonic_command("reproduce", "--preset", "music", "--out", tmp_path / "w", "--dry-run")
    assert code == 0, said
    assert "CLAP-TTA" in said
    assert not (tmp_path / "w").exists()


def videos_of(folder: Path, *labels_and_splits: str) -> Path:
    """A list of videos that nothing looks into."""
    lines = ["path,label,split"]
    for number, known in enumerate(labels_and_splits):
        (folder / f"{number}.mp4").touch()
        lines.append(f"{number}.mp4,{known}")
    (folder / "list.csv").write_text("\n".join(lines))
    return folder / "list.csv"


GOOD = ("dog,train", "rain,train", "dog,test", "rain,test")


def test_systems_can_be_chosen(clipsonic_command, tmp_path) -> None:
    words = ("reproduce", "--preset", "mini", "--out", tmp_path / "w", "--dry-run", "--set")
    code, said = clipsonic_command(*words, 'systems=["IQ","ZS","linear"]')
    assert code == 0, said
    made = {line.split()[0] for line in said.splitlines() if line.strip()}
    assert {"answers/IQ", "answers/ZS", "answers/linear", "linear", "guidance/linear"} <= made
    assert not made & {"clip-words", "clap-words", "sd", "answers/SD", "answers/CLIP-TTA", "guidance/SD"}
    for wrong, why in (('["IQ"]', "ZS must be among them"), ('["ZS","XQ"]', "no system XQ")):
        code, said = clipsonic_command(*words, f"systems={wrong}")
        assert (code, why in said) == (2, True), said


SWEPT = ("IQ", "ZS", "PD", "SD", "CLIP-TTA", "CLAP-TTA")


def dry_run(clipsonic_command, tmp_path: Path, *words: str | Path) -> tuple[dict[str, Any], str]:
    """Return the plan's steps by name, and all that was said."""
    code, said = clipsonic_command("reproduce", "--out", tmp_path / "w", "--dry-run", "--json", *words)
    assert code == 0, said
    page, _ = json.JSONDecoder().raw_decode(said[said.index("{") :])
    assert not (tmp_path / "w").exists()
    return {step["step"]: step for step in page["steps"]}, said


@pytest.fixture
def quick_speed(monkeypatch) -> None:
    monkeypatch.setattr(run, "speed_here", lambda precision: 1e9)


@pytest.mark.usefixtures("quick_speed")
def test_the_plan_of_the_paper(clipsonic_command, tmp_path) -> None:
    steps, said = dry_run(clipsonic_command, tmp_path, "--preset", "vggsound")
    assert "counting the operations" in said  # a line before the work
    assert {f"guidance/{name}" for name in SWEPT} == {name for name in steps if name.startswith("guidance/")}
    assert (steps["data"]["clips"], steps["pictures"]["steps"]) == (199_176, 500_000)
    assert steps["gap"]["clips"] == 2 * 512  # SD and PD, one frame of each clip
    assert steps["gap"]["flop"] == pytest.approx(1024 * 128 * 2 * 102e6 * 81, rel=0.2)
    assert steps["answers/SD"]["flop"] > steps["answers/ZS"]["flop"] == pytest.approx(1.63e17, rel=0.05)
    assert steps["answers/ZS"]["hours_here"] == pytest.approx(steps["answers/ZS"]["flop"] / 1e9 / 3600)
    assert "clipsonic models fetch clap" in said


@pytest.mark.usefixtures("quick_speed")
def test_music_takes_the_vocoder_of_vggsound(clipsonic_command, tmp_path) -> None:
    steps, said = dry_run(clipsonic_command, tmp_path, "--preset", "music")
    assert ("vocoder" in steps, "on VGGSound" in said) == (False, True)
    steps, said = dry_run(clipsonic_command, tmp_path, "--preset", "music", "--vocoder", "griffin-lim")
    assert ("vocoder" in steps, "on VGGSound" in said) == (False, False)
    steps, said = dry_run(clipsonic_command, tmp_path, "--preset", "music", "--set", "vocoder_data=own")
    assert ("vocoder" in steps, "on VGGSound" in said) == (True, False)


@pytest.mark.usefixtures("quick_speed")
def test_a_model_without_a_vocoder_gets_one(clipsonic_command, tiny_model, tmp_path) -> None:
    steps, said = dry_run(clipsonic_command, tmp_path, "--model", tiny_model)
    assert ("vocoder" in steps, "no trained vocoder" in said) == (True, True)
    steps, said = dry_run(clipsonic_command, tmp_path, "--model", tiny_model, "--vocoder", "griffin-lim")
    assert ("vocoder" in steps, "no trained vocoder" in said) == (False, False)
    assert "vocoder" not in dry_run(clipsonic_command, tmp_path)[0]  # mini has its own


def test_griffin_lim_is_not_taken_for_a_vocoder_of_its_own(tiny_model, tmp_path) -> None:
    preset = REPRODUCTIONS["mini"]
    brought = Steps(preset, Brought(model=str(tiny_model)), Work(tmp_path))
    assert brought.vocoder_source is None
    named = Steps(preset, Brought(model=str(tiny_model), vocoder="griffin-lim"), Work(tmp_path))
    assert isinstance(named.vocoder(), GriffinLim)
    assert not isinstance(Steps(preset, Brought(), Work(tmp_path), "meta").vocoder(), GriffinLim)
    assert Steps(preset, Brought(), Work(tmp_path), "meta").vocoder().device.type == "meta"


@pytest.mark.usefixtures("quick_speed")
def test_parts_trained_elsewhere_are_not_trained_again(
    clipsonic_command, tiny_pipeline, tiny_model, tmp_path
) -> None:
    words = shutil.copytree(tiny_model, tmp_path / "words")
    page = json.loads((words / "model_index.json").read_bytes())
    (words / "model_index.json").write_text(json.dumps(page | {"condition": "text"}))
    steps, _ = dry_run(clipsonic_command, tmp_path, "--trained", f"clip-words={words}")
    assert ("clip-words" in steps, "clap-words" in steps, "answers/CLIP-TTA" in steps) == (False, True, True)
    brought = Steps(REPRODUCTIONS["mini"], Brought(trained={"clip-words": words}), Work(tmp_path / "w"))
    assert (brought.part("clip-words"), brought.part("sd")) == (words, tmp_path / "w/sd/model")
    for wrong, why in (
        (f"clip-words={tiny_model}", "condition=text, got image"),
        (f"clap-words={words}", "got MiniEncoder"),
        (f"pictures={words}", "must be STEP=FOLDER"),
        ("sd=nowhere", "no folder nowhere"),
    ):
        code, said = clipsonic_command("reproduce", "--out", tmp_path / "w", "--trained", wrong, "--dry-run")
        assert (code, why in said) == (2, True), said


def test_one_process_only(clipsonic_command, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    code, said = clipsonic_command("reproduce", "--out", tmp_path / "w")
    assert (code, "must run in one process" in said) == (2, True), said


def test_the_speed_is_measured_once_at_least() -> None:
    assert costs.speed_here("no", seconds=0) > 1e6


def test_reconstructions_are_whole_and_each_once(held_out, tmp_path) -> None:
    clips = ClipDataset(held_out, {"test"})
    asked = questions(clips, 2 * len(clips))
    controls.reconstruction(tmp_path / "made", asked, clips, GriffinLim(iterations=1))
    files = find_audio(tmp_path / "made")
    lengths = {clip.key: len(clips.wave(number)) // 512 * 512 for number, (_, clip) in enumerate(clips.clips)}
    assert len(files) == len(clips)
    assert {file.clip: soundfile.info(file.path).frames for file in files} == lengths
    assert max(lengths.values()) > controls.ANSWER


class Loud(AudioEncoder):
    """Scores a wave by its level: an ear that needs no weights."""

    id, embedding_dim = "loud", 2

    def encode_audio(self, waves: Any, sample_rate: int) -> Any:
        return torch.tensor([[float(np.abs(wave).mean()), 0.0] for wave in waves])

    def encode_text(self, texts: Any) -> Any:
        return torch.tensor([[1.0, 0.0]] * len(texts))


def test_windows_of_four_seconds_every_half(tmp_path) -> None:
    wave = np.concatenate(
        [np.zeros(4 * SAMPLE_RATE), np.full(4 * SAMPLE_RATE, 0.5), np.zeros(2 * SAMPLE_RATE)]
    )
    soundfile.write(tmp_path / "long.wav", wave, SAMPLE_RATE)
    soundfile.write(tmp_path / "short.wav", wave[: round(4.096 * SAMPLE_RATE)], SAMPLE_RATE)
    files = [AudioFile(tmp_path / name, name, "a word") for name in ("long.wav", "short.wav")]
    page = windows_page(files, Loud(), 4.0, 0.5)
    assert page is not None
    values = {name: (figure["value"], figure["items"]) for name, figure in page.items()}
    assert values["whole"] == (pytest.approx(0.2, abs=1e-3), 1)
    assert values["max"] == (pytest.approx(0.5, abs=1e-3), 1)
    assert values["min"][0] == pytest.approx(0.0, abs=1e-3)
    assert windows_page(files[1:], Loud(), 4.0, 0.5) is None


def test_imagehear_is_answered_and_scored(tiny_pipeline, tmp_path) -> None:
    for name in ("dog1", "dog2", "rain1"):
        Image.effect_noise((32, 32), 50).save(tmp_path / f"{name}.png")
    asked = imagehear.questions(tmp_path, tiny_pipeline)
    assert [(each.clip, each.label) for each in asked] == [
        ("dog1.png", "dog"), ("dog2.png", "dog"), ("rain1.png", "rain")
    ]  # fmt: skip
    answer(tiny_pipeline, asked, Asking(None, steps=1, seconds=0.5), tmp_path / "out")
    imagehear.score(tmp_path / "out", tmp_path / "scores.json", Loud(), 0)
    page = json.loads((tmp_path / "scores.json").read_bytes())
    assert (page["clips"], page["labels"]) == (3, ["dog", "rain"])
    assert page["clap_score"]["items"] == 3
    assert 0 <= page["class_agreement"]["value"] <= 1
    assert page["shuffled_clap_score"]["items"] == 2


def test_fig_3_has_the_line_of_the_reconstruction() -> None:
    points = [(1.0, Figure(1, 0.9, 1.1)), (2.0, Figure(2, 1.9, 2.1))]
    with_line = guidance_chart(
        {"ZS": points}, {"ZS": points}, {"reconstruction": 0.5}, {"reconstruction": 0.3}
    )
    assert with_line.count("reconstruction") >= 2
    assert "reconstruction" not in guidance_chart({"ZS": points}, {"ZS": points})


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("videos", "wrong"),
    [
        (("dog,train", "rain,train"), "no held-out clips"),
        (("dog,train", ",test"), "have no labels"),
        (("dog,train", "rain,test"), "no training clips of the held-out clips' labels"),
        (("dog,train", "dog,test"), "one label"),
    ],
)
def test_data_without_a_question_is_refused(clipsonic_command, tmp_path, videos, wrong, more) -> None:
    code, said = clipsonic_command(
        "reproduce", "--out", tmp_path / "w", "--data", videos_of(tmp_path, *videos), *more
    )
    assert (code, wrong in said) == (2, True), said
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        (("--captions", "no.csv"), "no list of captioned pictures"),
        (("--vocoder", "none"), "no vocoder in none"),
        (("--model", "none"), "no model folder none"),
        (("--device", "none"), "no device 'none'"),
        (("--set", "embedding=vggish"), "vggish is not here"),
        (("--set", "guidance_scale=51"), "guidance_scale"),
        (("--set", "swept=[]"), "swept"),
        (("--set", "seed=-1"), "seed"),
        (("--system", "other"), "NAME=FOLDER"),
        (("--system", "IQ={other}"), "has a row IQ already"),
        (("--system", "noise={other}"), "has a row noise already"),
        (("--system", "a={other}", "--system", "a={other}"), "a must be given once"),
        (("--system", "a={none}"), "no sound files"),
        (("--system", "a={cats}"), "label 'cat' is not in the data set, which has dog, rain"),
        (("--system", "a={gone}"), "names 9.wav, which is not in"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_made(
    clipsonic_command, other_system, tmp_path, monkeypatch, option, wrong
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folders = {"other": other_system}
    for name, line in (("none", None), ("cats", "0.wav,a cat,cat"), ("gone", "9.wav,a dog,dog")):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        if line is not None:
            shutil.copytree(other_system, folders[name], dirs_exist_ok=True)
            (folders[name] / "index.csv").write_text(f"file,prompt,label\n{line}")
    monkeypatch.chdir(other_system)
    said_so = [word.format(**folders) for word in option]
    code, said = clipsonic_command(
        "reproduce", "--out", tmp_path / "w", "--data", videos_of(tmp_path, *GOOD), *said_so
    )
    assert (code, wrong in said) == (2, True), said
    assert not (tmp_path / "w").exists()


def test_a_folder_of_something_else_is_left_alone(clipsonic_command, tmp_path) -> None:
    data = videos_of(tmp_path, *GOOD)
    code, said = clipsonic_command("reproduce", "--out", tmp_path / "w")
    assert (code, "--data" in said) == (2, True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a.txt").touch()
    code, said = clipsonic_command("reproduce", "--out", tmp_path / "full", "--data", data)
    assert (code, "something else than a reproduction" in said) == (2, True)
    code, said = clipsonic_command("reproduce", "--out", tmp_path / "full/a.txt", "--data", data)
    assert (code, "is a file" in said) == (2, True)


def test_training_recordings_are_read_one_at_a_time() -> None:
    read = []

    class Clips:
        def __len__(self) -> int:
            return 3

        def wave(self, number: int) -> np.ndarray:
            read.append(number)
            return np.full(4, 8192 * (number and number + 1), dtype=np.int16)

    waves = iter(Recordings(Clips()))
    assert next(waves).tolist() == [0.0] * 4
    assert read == [0]
    assert [wave[0].item() for wave in waves] == [0.5, 0.75]


def test_the_largest_confusions_are_mistakes() -> None:
    counts = np.array([[9, 1, 0], [3, 5, 2]])
    found = largest_confusions(counts, ["dog", "rain"], ["dog", "rain", "silence"])
    assert found == [("rain", "dog", 3), ("rain", "silence", 2), ("dog", "rain", 1)]
