"""`generate --vocoder` and `models set-vocoder`, as a user asks for them."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from clipsonic.files import write_json
from clipsonic.model_folder import WEIGHTS
from clipsonic.pipeline import CLIPSonicPipeline
from clipsonic.settings.vocoder import BIGVGAN_PRESETS
from clipsonic.training.spectrogram import SpectrogramRecipe
from tests.vocoder.made import bigvgan, fourier

SHORT = ("--seed", "7", "--steps", "2", "--seconds", "0.5")


@pytest.fixture
def light(tmp_path: Path) -> Path:
    """A vocoder's folder."""
    fourier(width=16, blocks=1).save_pretrained(tmp_path / "light")
    return tmp_path / "light"


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A model of the user's own."""
    return shutil.copytree(tiny_model, tmp_path / "model")


@pytest.fixture
def made(clipsonic_command, model, tmp_path):
    """Asks for a clip => its wave and its sidecar."""

    def make(*words: str | Path) -> tuple[np.ndarray, dict]:
        out = tmp_path / "a.wav"
        code, said = clipsonic_command(
            "generate", "a dog", "--model", model, *SHORT, *words, "-o", out, "--overwrite"
        )
        assert code == 0, said
        return soundfile.read(out)[0], json.loads(out.with_suffix(".json").read_bytes())

    return make


def vocoder_said(page: dict) -> tuple[str, ...]:
    return tuple(page[name] for name in ("vocoder", "vocoder_from", "vocoder_sha256"))


def checksum(folder: Path) -> str:
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_clip_is_made_with_the_vocoder_that_is_named(made, light) -> None:
    own, page = made()
    assert vocoder_said(page) == ("GriffinLim", "the model", "griffin-lim")
    wave, page = made("--vocoder", light)
    assert vocoder_said(page) == ("FourierVocoder", str(light), checksum(light))
    assert np.abs(wave - own).max() > 1e-3
    searched, page = made("--vocoder", "griffin-lim")
    assert vocoder_said(page) == ("GriffinLim", "griffin-lim", "griffin-lim")
    assert np.abs(searched - own).max() > 1e-3  # 32 rounds, not the model's 4
    again, _ = made("--vocoder", light)
    assert np.array_equal(again, wave)


def test_a_vocoder_joins_a_model(clipsonic_command, made, model, light, tmp_path) -> None:
    asked, _ = made("--vocoder", light)
    for _ in range(2):  # the second time in place of itself
        code, said = clipsonic_command("models", "set-vocoder", model, light)
        assert (code, "vocoder FourierVocoder" in said) == (0, True), said
    assert str(tmp_path) not in (model / "vocoder" / "config.json").read_text()
    wave, page = made()
    assert vocoder_said(page) == ("FourierVocoder", "the model", checksum(model / "vocoder"))
    assert np.array_equal(wave, asked)
    code, said = clipsonic_command("models", "set-vocoder", model, "griffin-lim")
    assert code == 0, said
    assert vocoder_said(made()[1]) == ("GriffinLim", "the model", "griffin-lim")


def test_a_model_gives_its_vocoder(clipsonic_command, model, light, tmp_path) -> None:
    from clipsonic.vocoder.load import load_vocoder

    other = tmp_path / "other"
    shutil.copytree(model, other)
    clipsonic_command("models", "set-vocoder", other, light)
    code, said = clipsonic_command("models", "set-vocoder", model, other)
    assert (code, "vocoder FourierVocoder" in said) == (0, True), said
    assert checksum(model / "vocoder") == checksum(light)
    shipped = load_vocoder("mini")
    assert type(shipped).__name__ == "FourierVocoder"
    assert sum(weight.numel() for weight in shipped.parameters()) > 3e6


def test_starting_from_a_model_keeps_its_vocoder_and_bridges(
    labelled, light, tiny_settings, tmp_path
) -> None:
    from clipsonic.bridges.training_free import MeanShift
    from clipsonic.model_folder import add_part
    from clipsonic.vocoder.load import load_vocoder

    first = tmp_path / "first"
    recipe = SpectrogramRecipe(tiny_settings, labelled)
    recipe.export(first)
    add_part(first, "vocoder", load_vocoder(str(light)), {})
    points = torch.nn.functional.normalize(torch.randn(4, recipe.encoder.embedding_dim), dim=-1)
    add_part(first, "shift", MeanShift.fit(points, points.flip(0), recipe.encoder.id), {"bridge": "shift"})
    tuned = SpectrogramRecipe(tiny_settings, labelled, start=first)
    assert tuned.keeps_bridges
    for _ in range(2):  # the second time from its own folder
        tuned.export(tmp_path / "tuned")
    page = json.loads((tmp_path / "tuned" / "model_index.json").read_bytes())
    assert (page["vocoder"][1], page["shift"][1], page["bridge"]) == ("FourierVocoder", "MeanShift", "shift")
    assert checksum(tmp_path / "tuned" / "vocoder") == checksum(first / "vocoder")
    other = json.loads((first / "model_index.json").read_bytes()) | {"encoder_id": "another"}
    (first / "model_index.json").write_text(json.dumps(other))
    assert not tuned.keeps_bridges
    tuned.export(tmp_path / "elsewhere")
    page = json.loads((tmp_path / "elsewhere" / "model_index.json").read_bytes())
    assert (page["vocoder"][1], page["bridge"], page.get("shift", [None])[0]) == (
        "FourierVocoder",
        "zs",
        None,
    )


def test_training_on_keeps_the_vocoder_that_joined(
    clipsonic_command, labelled, light, tiny_settings, tmp_path
) -> None:
    recipe = SpectrogramRecipe(tiny_settings, labelled)
    recipe.export(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "model_index.json").read_bytes())["vocoder"][1] == "GriffinLim"
    code, said = clipsonic_command("models", "set-vocoder", tmp_path / "run", light)
    assert code == 0, said
    for _ in range(2):
        recipe.export(tmp_path / "run")
    assert type(CLIPSonicPipeline.from_pretrained(tmp_path / "run").vocoder).__name__ == "FourierVocoder"
    assert str(tmp_path) not in (tmp_path / "run" / "vocoder" / "config.json").read_text()


def foreign(tmp_path: Path) -> None:
    """A BigVGAN for the mel of another rate."""
    shape = {
        "upsample_rates": (8, 8, 4),
        "upsample_kernels": (16, 16, 8),
        "channels": 16,
        "sample_rate": 22_050,
    }
    bigvgan(BIGVGAN_PRESETS["paper-base"], **shape).save_pretrained(tmp_path / "foreign")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{at}/gone", "no vocoder in {at}/gone: it has no config.json"),
        ("magic", "no vocoder in magic: it has no config.json"),
        ("{at}/model/unet", "holds MelUNet, which is no vocoder; known are BigVGAN, FourierVocoder, GriffinLim"),
        ("{at}/damaged", "the vocoder {at}/damaged cannot be loaded"),
        ("{at}/foreign", "the vocoder is for another mel spectrogram than clipsonic's: sample rate 22050"),
    ],
)  # fmt: skip
def test_what_is_no_vocoder_gets_one_line_and_changes_nothing(
    clipsonic_command, model, light, tmp_path, source, said
) -> None:
    shutil.copytree(light, tmp_path / "damaged")
    (tmp_path / "damaged" / WEIGHTS).write_bytes(b"no weights")
    if "foreign" in source:
        foreign(tmp_path)
    before = contents(tmp_path)
    source, said = source.format(at=tmp_path), said.format(at=tmp_path)
    for words in (
        ("generate", "a dog", "--model", model, "--vocoder", source, "-o", tmp_path / "a.wav"),
        ("models", "set-vocoder", model, source),
    ):
        code, printed = clipsonic_command(*words)
        assert (code, said in printed) == (2, True), printed
        assert len(printed.strip().splitlines()) == 1, printed
        assert contents(tmp_path) == before


def test_only_models_of_ones_own_take_a_vocoder(clipsonic_command, light) -> None:
    code, said = clipsonic_command("models", "set-vocoder", "mini", light)
    assert (code, "no model folder mini" in said) == (2, True), said
    code, said = clipsonic_command("models", "set-vocoder", light, light)
    assert (code, "is no model folder" in said) == (2, True), said


def test_a_model_that_cannot_be_written_keeps_its_vocoder(
    clipsonic_command, model, light, monkeypatch
) -> None:
    def full(path: Path, value: object) -> None:
        if path.name == "model_index.json":
            raise OSError(28, "No space left on device")
        write_json(path, value)

    before = contents(model)
    monkeypatch.setattr("clipsonic.model_folder.write_json", full)
    code, said = clipsonic_command("models", "set-vocoder", model, light)
    assert (code, f"cannot write to {model}: No space left" in said) == (2, True), said
    assert contents(model) == before


def test_reconstruction_beside_griffin_lim(clipsonic_command, tmp_path) -> None:
    random = np.random.default_rng(0)
    rows = ["path,split,label"]
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", random.normal(0, 0.1, 16_000), 16_000)
        rows.append(f"{number}.wav,test,rain")
    soundfile.write(tmp_path / "short.wav", np.zeros(100), 16_000)
    (tmp_path / "list.csv").write_text("\n".join([*rows, "short.wav,test,rain"]))
    words = ["evaluate", "reconstruction", "--data", tmp_path / "list.csv", "--out", tmp_path / "out"]
    code, said = clipsonic_command(*words, "--embedding", "mini")
    assert code == 0, said
    page = json.loads((tmp_path / "out/reconstruction.json").read_bytes())
    assert [row["vocoder"] for row in page["vocoders"]] == ["griffin-lim", "mini"]
    assert page["recordings"] == 3
    assert all(row["frechet"]["clips"] == row["score"]["items"] == 3 for row in page["vocoders"])
    assert len(list((tmp_path / "out").glob("*.wav"))) >= 6
    code, said = clipsonic_command(*words)
    assert (code, "--embedding mini works offline" in said) == (2, True), said
