"""What the command writes, and the one line that wrong input gets."""

import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_writes_sound_picture_and_sidecar(clipsonic_command, tiny_model, tmp_path) -> None:
    code, said = clipsonic_command(
        "generate", "a dog", "--model", tiny_model, "-o", tmp_path / "a.wav", "--seed", "7", "--steps", "2"
    )
    assert code == 0, said
    assert files(tmp_path) == {"a.wav", "a.png", "a.json"}
    wave, rate = soundfile.read(tmp_path / "a.wav")
    assert (rate, wave.shape) == (16_000, (65_536,))
    assert np.abs(wave).max() > 0
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 500
    page = json.loads((tmp_path / "a.json").read_text())
    assert page["query"] == "a dog"
    assert page["seed"] == 7
    assert page["steps"] == 2
    assert page["guidance_scale"] == 1.5
    assert page["scheduler"] == "DPMSolverMultistepScheduler"
    assert len(page["model_sha256"]) == 64
    assert {"bridge", "model", "encoder", "clipsonic", "seconds"} <= set(page)


def test_a_seed_gives_the_same_file(clipsonic_command, tiny_model, tmp_path) -> None:
    for name in ("a", "b"):
        clipsonic_command(
            "generate",
            "a dog",
            "--model",
            tiny_model,
            "-o",
            tmp_path / f"{name}.wav",
            "--seed",
            "7",
            "--steps",
            "2",
        )
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.slow
def test_other_engines_give_nearly_the_same_sound(
    clipsonic_command, tiny_model, tmp_path, monkeypatch
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    words = ("generate", "a dog", "--model", tiny_model, "--seed", "7", "--steps", "4", "--seconds", "1")
    ways = {"plain": (), "half": ("--precision", "bfloat16"), "compiled": ("--backend", "openvino")}
    waves, pages = {}, {}
    for name, way in ways.items():
        code, said = clipsonic_command(*words, *way, "-o", tmp_path / f"{name}.wav")
        assert code == 0, said
        waves[name] = soundfile.read(tmp_path / f"{name}.wav")[0]
        pages[name] = json.loads((tmp_path / f"{name}.json").read_text())
    assert (pages["half"]["precision"], pages["compiled"]["backend"]) == ("bfloat16", "openvino")
    loud = np.abs(waves["plain"]).max()
    assert np.abs(waves["compiled"] - waves["plain"]).max() < 0.01 * loud
    assert 0 < np.abs(waves["half"] - waves["plain"]).mean() < 0.2 * loud


def test_several_of_a_picture(clipsonic_command, tiny_model, tmp_path) -> None:
    Image.new("RGB", (50, 40), "green").save(tmp_path / "green.png")
    out = tmp_path / "out"
    out.mkdir()
    words = (
        "generate",
        "--image",
        tmp_path / "green.png",
        "--model",
        tiny_model,
        "-o",
        out / "g.flac",
        "-n",
        "2",
    )
    code, said = clipsonic_command(
        *words, "--seed", "3", "--steps", "2", "--seconds", "1", "--scheduler", "ddim"
    )
    assert code == 0, said
    assert files(out) == {f"g-{number}.{end}" for number in (1, 2) for end in ("flac", "png", "json")}
    assert [json.loads((out / f"g-{number}.json").read_text())["seed"] for number in (1, 2)] == [3, 4]
    assert soundfile.info(out / "g-2.flac").frames == 16_000


def picture_of_no_size() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 0, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A folder of pictures that are none."""
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "zero.png").touch()
    (folder / "text.png").write_text("no picture")
    (folder / "flat.png").write_bytes(picture_of_no_size())
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.png")
    (folder / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:900])
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "ask with a text or with --image or --video"),
        ([""], "the prompt is empty"),
        (["dog " * 10_000], "the prompt has 40000 characters"),
        (["dog", "--image", "{bad}/zero.png"], "is empty"),
        (["dog", "--weights", "0.5", "0.5"], "2 weights for 1 queries"),
        (["dog", "--weights", "much"], "these are no numbers"),
        (["dog", "--weights", "nan"], "these are no numbers"),
        (
            ["dog", "--negative", "rain", "--guidance-scale", "1"],
            "--negative needs a --guidance-scale above 1",
        ),
        (["dog", "--to", "  "], "the prompt is empty"),
        (["dog", "--to", "cat", "--interpolate", "1"], "1 points between two queries"),
        (["dog", "--bridge", "sd"], "the model has no bridge 'sd'; it has zs"),
        (["--image", "{bad}/gone.png"], "no picture"),
        (["--image", "{bad}/zero.png"], "empty (0 bytes)"),
        (["--image", "{bad}/text.png"], "cannot be read as a picture"),
        (["--image", "{bad}/flat.png"], "cannot be read as a picture"),
        (["--image", "{bad}/cut.png"], "cannot be read as a picture"),
        (["--image", "{bad}"], "no picture"),
        (["dog", "--guidance-scale", "-1"], "guidance scale must be between 0 and 50.0, got -1.0"),
        (["dog", "--guidance-scale", "nan"], "guidance scale must be between 0 and 50.0, got nan"),
        (["dog", "--steps", "0"], "number of steps must be between 1 and 1000, got 0"),
        (["dog", "--steps", "1001"], "number of steps must be between 1 and 1000, got 1001"),
        (["dog", "--seconds", "0"], "length in seconds must be between"),
        (["dog", "--seconds", "1e9"], "length in seconds must be between"),
        (["dog", "-n", "0"], "number of clips must be between"),
        (["dog", "--seed", "-1"], "seed must be between 0"),
        (["--video", "{bad}/../whole.png"], "give it with --image"),
        (["--video", "a.mp4", "--video", "b.mp4"], "got 2"),
        (["dog", "--scheduler", "magic"], "no scheduler 'magic'; choose one of ddpm, ddim"),
        (["dog", "--model", "/no/such/folder"], "no model folder /no/such/folder"),
        (["dog", "--device", "abacus"], "no device 'abacus'"),
        (["dog", "--precision", "int1"], "--precision must be one of float32, bfloat16, got int1"),
        (["dog", "--backend", "abacus"], "--backend must be one of torch, openvino, got abacus"),
        (["dog", "--guidance-interval", "0.5", "0.1"], "LOW <= HIGH <= 1, got 0.5 0.1"),
    ],
)
def test_wrong_input_gets_one_line_and_leaves_nothing(
    clipsonic_command, tiny_model, tmp_path, bad, words, said
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    filled = [word.format(bad=bad) for word in words]
    model = [] if "--model" in words else ["--model", tiny_model]
    code, printed = clipsonic_command("generate", *filled, *model, "-o", out / "a.wav")
    assert code == 2, printed
    assert said in printed
    assert printed.strip().startswith("clipsonic: ")
    assert "Traceback" not in printed
    assert len(printed.strip().splitlines()) == 1
    assert files(out) == set()


@pytest.mark.parametrize("name", ["a.mp3", "a", "folder.wav"])
def test_outputs_that_cannot_be_written(clipsonic_command, tiny_model, tmp_path, name) -> None:
    (tmp_path / "folder.wav").mkdir()
    before = files(tmp_path)
    code, said = clipsonic_command("generate", "dog", "--model", tiny_model, "-o", tmp_path / name)
    assert code == 2, said
    assert len(said.strip().splitlines()) == 1
    assert files(tmp_path) == before


def test_a_model_with_a_missing_file_or_another_mel(clipsonic_command, tiny_model, tmp_path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "vocoder" / "config.json").unlink()
    code, said = clipsonic_command("generate", "dog", "--model", folder, "-o", tmp_path / "a.wav")
    assert (code, "lacks vocoder/config.json" in said) == (2, True)
    folder = shutil.copytree(tiny_model, tmp_path / "other")
    page = json.loads((folder / "model_index.json").read_text())
    page["mel"]["n_mels"] = 80
    (folder / "model_index.json").write_text(json.dumps(page))
    code, said = clipsonic_command("generate", "dog", "--model", folder, "-o", tmp_path / "a.wav")
    assert (code, "another mel" in said) == (2, True)
    assert not (tmp_path / "a.wav").exists()


def test_the_picture_asked_with_is_not_written_over(clipsonic_command, tiny_model, tmp_path) -> None:
    Image.new("RGB", (50, 40), "green").save(tmp_path / "green.png")
    before = (tmp_path / "green.png").read_bytes()
    query = ("--image", tmp_path / "green.png", "--model", tiny_model)
    code, said = clipsonic_command("generate", *query, "-o", tmp_path / "green.wav")
    assert (code, "green.png exists" in said) == (2, True)
    assert (tmp_path / "green.png").read_bytes() == before


def test_any_text_can_be_a_title(clipsonic_command, tiny_model, tmp_path) -> None:
    code, said = clipsonic_command(
        "generate", r"a $\foo_{ sound " * 20, "--model", tiny_model, "-o", tmp_path / "a.wav", "--steps", "1"
    )
    assert code == 0, said


def test_debug_shows_where(clipsonic_command, tiny_model, tmp_path) -> None:
    from clipsonic.errors import UserError

    with pytest.raises(UserError):
        clipsonic_command("generate", "", "--model", tiny_model, "--debug")
