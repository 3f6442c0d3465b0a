"""The whole reproduction, tiny: from a prepared data set to the report, and what is refused."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.prepare import prepare
from clipsonic.data.sources import find_videos
from clipsonic.encoders.mini import MiniEncoder

TINY = [
    "--set", "spectrogram.unet.channels=[32,32]", "--set", "spectrogram.unet.blocks=1",
    "--set", "spectrogram.unet.attention_levels=[1]", "--set", "spectrogram.unet.attention_heads=2",
    "--set", "spectrogram.diffusion.sampling_steps=2", "--set", "spectrogram.training.steps=1",
    "--set", "spectrogram.training.batch_size=2", "--set", "spectrogram.training.precision=no",
    "--set", "prior.depth=1", "--set", "prior.heads=2", "--set", "prior.sampling_steps=2",
    "--set", "prior.training.steps=1", "--set", "prior.training.batch_size=2",
    "--set", "prior.training.precision=no",
    "--set", "clips=4", "--set", "swept=[1,3]", "--set", "swept_clips=2",
]  # fmt: skip


@pytest.fixture
def held_out(videos: Path, tmp_path: Path, mini_encoder: MiniEncoder) -> Path:
    """A prepared data set with four held-out clips of two labels."""
    rows = [
        "path,label,split",
        "a.mp4,dog,train",
        "b.mp4,rain,train",
        "deep/c.mp4,dog,test",
        "d é.mp4,rain,test",
    ]
    (videos / "list.csv").write_text("\n".join(rows))
    list(prepare(find_videos([videos / "list.csv"]), tmp_path / "data", mini_encoder, workers=1))
    return tmp_path / "data"


@pytest.fixture
def other_system(tmp_path: Path) -> Path:
    folder = tmp_path / "other"
    folder.mkdir()
    random = np.random.default_rng(0)
    lines = ["file,prompt,label"]
    for number, label in enumerate(("dog", "rain", "dog")):
        soundfile.write(folder / f"{number}.wav", random.normal(0, 0.1, 2 * SAMPLE_RATE), SAMPLE_RATE)
        lines.append(f"{number}.wav,the sound of {label},{label}")
    (folder / "index.csv").write_text("\n".join(lines))
    return folder


def test_from_data_to_report(
    clipsonic_command, held_out, tiny_model, other_system, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["reproduce", "--data", held_out, "--model", tiny_model, "--out", tmp_path / "work",
             "--system", f"other={other_system}", *TINY]  # fmt: skip
    code, said = clipsonic_command(*words)
    assert code == 0, said
    text = (tmp_path / "work/report.html").read_text()
    for name in ("IQ", "ZS", "SD", "CLIP-TTA", "CLAP-TTA", "linear", "other", "reconstruction", "noise"):
        assert f"<b>{name}</b>" in text
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", text)  # nothing is fetched
    assert text.count("<audio") > 8
    times = json.loads((tmp_path / "work/times.json").read_bytes())
    assert all(step["done"] for step in times.values())
    made = tmp_path / "work/answers/IQ/00000.flac"
    before = made.stat().st_mtime_ns

    shutil.rmtree(tmp_path / "work/answers/ZS")
    times.pop("answers/ZS")
    (tmp_path / "work/times.json").write_text(json.dumps(times))
    code, said = clipsonic_command(*words)  # only what is not done
    assert code == 0, said
    assert "answers/ZS" in said
    assert "answers/IQ" not in said
    assert made.stat().st_mtime_ns == before

    code, said = clipsonic_command(*words, "--set", "clips=6")
    assert (code, "another preset; name another folder" in said) == (2, True), said


def test_a_plan_is_free(clipsonic_command, tmp_path) -> None:
    code, said = clipsonic_command("reproduce", "--preset", "music", "--out", tmp_path / "w", "--dry-run")
    assert code == 0, said
    assert "CLAP-TTA" in said
    assert not (tmp_path / "w").exists()


def test_what_is_refused(clipsonic_command, tmp_path) -> None:
    code, said = clipsonic_command("reproduce", "--out", tmp_path / "w")
    assert (code, "--data" in said) == (2, True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a.txt").touch()
    code, said = clipsonic_command("reproduce", "--out", tmp_path / "full", "--data", tmp_path)
    assert (code, "something else than a reproduction" in said) == (2, True)
    code, said = clipsonic_command("reproduce", "--out", tmp_path / "w", "--system", "other")
    assert (code, "NAME=FOLDER" in said) == (2, True)
