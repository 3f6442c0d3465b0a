"""The whole reproduction, tiny: from a prepared data set to the report, and what is refused."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from clipsonic.config import SAMPLE_RATE
from clipsonic.interfaces.report.charts import largest_confusions
from clipsonic.interfaces.reproduce.measures import Recordings
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
             "--system", f"other={other_system}", *TINY]  # fmt: skip
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


@pytest.mark.parametrize(
    ("videos", "wrong"),
    [
        (("dog,train", "rain,train"), "no held-out clips"),
        (("dog,train", ",test"), "have no labels"),
        (("dog,train", "rain,test"), "no training clips of the held-out clips' labels"),
        (("dog,train", "dog,test"), "one label"),
    ],
)
def test_data_without_a_question_is_refused(clipsonic_command, tmp_path, videos, wrong) -> None:
    code, said = clipsonic_command(
        "reproduce", "--out", tmp_path / "w", "--data", videos_of(tmp_path, *videos)
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
        (("--system", "a={other}", "--system", "a={other}"), "has a row a already"),
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
