"""Many requests: each is what it would be alone, wrong rows spoil nothing, and nothing is made twice."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from safetensors.torch import load_file, save_file

from clipsonic.model_folder import WEIGHTS

from ..films import write_film, write_record

QUICK = ("--steps", "2", "--seconds", "0.5")


def made(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.wav")}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Rows of all kinds, behind a byte-order mark; three of them wrong."""
    Image.new("RGB", (40, 30), "green").save(tmp_path / "green.png")
    path = tmp_path / "prompts.csv"
    path.write_text(
        "\ufeffprompt,image,seed,steps,file\r\n"
        "a dog,,7,,dog.wav\r\n"
        ",green.png,8,,\r\n"
        "rain,gone.png,,,\r\n"
        '"rain, and wind",,9,3,\r\n'
        "a cat,,many,,\r\n"
        "a cat,,1,,dog.flac\r\n",
        encoding="utf-8",
    )
    return path


def test_each_clip_is_what_it_is_alone_and_wrong_rows_are_named(
    clipsonic_command, tiny_model, tmp_path, mixed
) -> None:
    out = tmp_path / "out"
    words = ("generate", "--prompts", mixed, "--out", out, "--model", tiny_model, *QUICK)
    code, said = clipsonic_command(*words)
    assert code == 2
    assert made(out) == {"dog.wav", "00002-green.wav", "00004-rain-and-wind.wav"}
    for row, why in (
        (3, "no picture"),
        (5, "seed must be a whole number, got 'many'"),
        (6, "an earlier row is written to"),
    ):
        assert f"row {row}: {why}" in said
    assert "3 of 6 rows" in said
    for name, asked in {
        "dog.wav": ("a dog", "--seed", "7", "--steps", "2"),
        "00002-green.wav": ("--image", tmp_path / "green.png", "--seed", "8", "--steps", "2"),
        "00004-rain-and-wind.wav": ("rain, and wind", "--seed", "9", "--steps", "3"),
    }.items():
        target = tmp_path / f"alone-{name}"
        code, said = clipsonic_command(
            "generate", *asked, "--seconds", "0.5", "-o", target, "--model", tiny_model
        )
        assert code == 0, said
        alone, together = soundfile.read(target)[0], soundfile.read(out / name)[0]
        assert np.abs(alone - together).max() < 0.01 * np.abs(alone).max()
    page = json.loads((out / "00004-rain-and-wind.json").read_text())
    assert (page["steps"], page["seed"], page["texts"]) == (3, 9, ["rain, and wind"])


@pytest.mark.slow
def test_a_batch_of_videos_names_those_that_are_none(clipsonic_command, tiny_model, tmp_path) -> None:
    write_film(tmp_path / "good.mkv", range(0, 1000, 100))
    write_film(tmp_path / "long.mp4", range(0, 14_400_001, 3_600_000))
    write_record(tmp_path / "record.mp4")
    out = tmp_path / "out"
    names = ("good.mkv", "long.mp4", "record.mp4", "gone.mp4")
    rows = [{"video": name, "file": f"{n}.mp4", "seed": 4} for n, name in enumerate(names)]
    rows += [
        {"video": "good.mkv", "file": "4.wav", "prompt": "a\u2028dog"},
        {"video": "good.mkv", "file": "5.webm"},
    ]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "rows.jsonl").write_text(lines, "utf-8-sig")
    words = ("--model", tiny_model, "--steps", "1")
    code, said = clipsonic_command("generate", "--prompts", tmp_path / "rows.jsonl", "--out", out, *words)
    assert code == 2
    assert {path.name for path in out.iterdir() if path.suffix not in (".json", ".png")} == {"0.mp4", "4.wav"}
    reasons = (
        "lasts more than 600 s",
        "has no track of moving pictures",
        "no video",
        "cannot be put into .webm",
    )
    for row, why in zip((2, 3, 4, 6), reasons, strict=True):
        line = next(line for line in said.splitlines() if f"row {row}:" in line)
        assert why in line
    alone = tmp_path / "alone.mp4"
    code, said = clipsonic_command(
        "generate", "--video", tmp_path / "good.mkv", "-o", alone, "--seed", "4", *words
    )
    assert code == 0, said
    assert alone.read_bytes() == (out / "0.mp4").read_bytes()


def test_nothing_is_made_twice_and_changed_requests_are(clipsonic_command, tiny_model, tmp_path) -> None:
    prompts, out = tmp_path / "prompts.txt", tmp_path / "out"
    prompts.write_text("a dog\n\nrain\n")
    words = ("generate", "--prompts", prompts, "--out", out, "--model", tiny_model, *QUICK)
    assert clipsonic_command(*words)[0] == 0
    times = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    code, said = clipsonic_command(*words)
    assert code == 0
    assert "2 of 2 clips, 2 of them before" in said
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == times
    (out / "00001-a-dog.wav").unlink()
    clipsonic_command(*words)
    assert (out / "00001-a-dog.wav").exists()
    assert (out / "00002-rain.wav").stat().st_mtime_ns == times["00002-rain.wav"]
    clipsonic_command(*words, "--guidance-scale", "3")
    assert (out / "00002-rain.wav").stat().st_mtime_ns > times["00002-rain.wav"]


def test_other_weights_under_the_same_name_make_it_anew(clipsonic_command, tiny_model, tmp_path) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    prompts, out = tmp_path / "prompts.txt", tmp_path / "out"
    prompts.write_text("a dog\n")
    words = ("generate", "--prompts", prompts, "--out", out, "--model", model, *QUICK)
    assert clipsonic_command(*words)[0] == 0
    before = json.loads((out / "00001-a-dog.json").read_text())
    weights = model / "unet" / WEIGHTS
    tensors = load_file(weights)
    save_file({name: tensor * 1.01 for name, tensor in tensors.items()}, weights)
    code, said = clipsonic_command(*words)
    assert code == 0, said
    assert "1 of 1 clips, 0 of them before" in said
    after = json.loads((out / "00001-a-dog.json").read_text())
    assert after["model_sha256"] != before["model_sha256"]
    assert after["model"] == before["model"]
    assert "1 of 1 clips, 1 of them before" in clipsonic_command(*words)[1]


@pytest.mark.processes
def test_several_processes_make_the_same(clipsonic_command, tiny_model, tmp_path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    rows = [{"prompt": ["a dog", "rain"], "weights": [0.3, 0.7], "seed": 3}, {"prompt": "wind", "steps": 1}]
    prompts.write_text("\n".join(map(json.dumps, rows)))
    words = ("generate", "--prompts", prompts, "--model", tiny_model, *QUICK, "--format", "flac")
    for name, processes in (("one", "1"), ("two", "2")):
        code, said = clipsonic_command(*words, "--out", tmp_path / name, "--processes", processes)
        assert code == 0, said
    for path in (tmp_path / "one").glob("*.flac"):
        one, two = soundfile.read(path)[0], soundfile.read(tmp_path / "two" / path.name)[0]
        assert np.abs(one - two).max() < 0.01 * np.abs(one).max()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.csv", b"words\na dog\n", "unknown column 'words'"),
        ("p.txt", b"", "has no rows"),
        ("p.md", b"a dog", "should end in .txt, .csv or .jsonl"),
        ("p.txt", b"\xff\xfe\x00", "UTF-8"),
        ("p.jsonl", b'{"prompt": 1}\n[1]\n{"prompt": "a dog", "speed": 2}\n{', "4 of 4 rows"),
    ],
)
def test_files_that_are_no_prompts(clipsonic_command, tiny_model, tmp_path, name, content, said) -> None:
    (tmp_path / name).write_bytes(content)
    out = tmp_path / "out"
    code, printed = clipsonic_command(
        "generate", "--prompts", tmp_path / name, "--out", out, "--model", tiny_model
    )
    assert code == 2
    assert said in printed
    assert not list(out.glob("*.wav"))
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a dog", "--out", "x"], "--prompts names what to ask for"),
        ([], "--prompts needs the folder"),
        (["--out", "x", "-n", "2"], "a clip a row"),
        (["--out", "x", "--format", "mp3"], "--format is mp3"),
        (["--out", "x", "--processes", "0"], "0 processes"),
    ],
)
def test_options_that_do_not_go_together(clipsonic_command, tiny_model, tmp_path, words, said) -> None:
    (tmp_path / "p.txt").write_text("a dog\n")
    placed = [str(tmp_path / word) if word == "x" else word for word in words]
    code, printed = clipsonic_command(
        "generate", *placed, "--prompts", tmp_path / "p.txt", "--model", tiny_model
    )
    assert code == 2
    assert said in printed


def test_files_spelled_otherwise_are_the_same(tmp_path, monkeypatch) -> None:
    from clipsonic.interfaces.asking import Asked, Query
    from clipsonic.interfaces.batch import made_by, request_id
    from clipsonic.interfaces.engine import Engine

    monkeypatch.chdir(tmp_path)
    Path("sub").mkdir()
    one = Asked(Query([], [tmp_path / "a.png"]), output=tmp_path / "out" / "a.wav")
    other = Asked(Query([], [Path("sub/../a.png")]), output=Path("out/a.wav"))
    assert request_id(one, "") == request_id(other, "")
    assert request_id(one, "") != request_id(Asked(Query([], [Path("b.png")]), output=one.output), "")
    Path("model/unet").mkdir(parents=True)
    Path("model/model_index.json").write_text("{}")
    assert made_by(Engine("model")) == made_by(Engine(str(tmp_path / "sub/../model")))
    assert made_by(Engine("model")) != made_by(Engine("model", vocoder="griffin-lim"))
