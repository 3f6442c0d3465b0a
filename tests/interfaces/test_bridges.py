"""`train prior`, `train bridge`, `evaluate gap` and mixed queries, as a user asks for them."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from clipsonic.bridges.laion import LAIONPrior
from clipsonic.bridges.training_free import LinearMap
from clipsonic.files import only_one
from clipsonic.model_folder import add_part
from clipsonic.parts import bridges_of
from clipsonic.pipeline import CLIPSonicPipeline

TINY = ["--set", "depth=1", "--set", "heads=2", "--set", "sampling_steps=4", "--set", "training.steps=2",
        "--set", "training.batch_size=4", "--set", "training.precision=no"]  # fmt: skip


def test_from_videos_to_a_gap_report(clipsonic_command, labelled, tiny_model, tmp_path) -> None:
    prior = tmp_path / "sd"
    code, said = clipsonic_command("train", "prior", "--data", labelled, "--out", prior, *TINY)
    assert (code, "held out" in said) == (0, True), said
    code, said = clipsonic_command(
        "train", "bridge", "shift", "--data", labelled, "--out", tmp_path / "shift"
    )
    assert code == 0, said
    report = tmp_path / "gap"
    code, said = clipsonic_command(
        "evaluate", "gap", "--model", tiny_model, "--data", labelled, "--out", report,
        "--with", f"sd={prior / 'model'}", "--with", f"shift={tmp_path / 'shift'}", "--condition-noise", "1.5",
    )  # fmt: skip
    assert code == 0, said
    page = json.loads((report / "gap.json").read_bytes())
    assert [row["bridge"] for row in page["bridges"]] == ["zs", "sd", "shift"]
    assert page["splits"] == ["test"]
    assert all(-1 <= row["cosine"]["value"] <= 1 for row in page["bridges"])
    assert 0.5 < page["condition_noise"]["cosine"] < 1
    with Image.open(report / "gap.png") as picture:
        assert picture.width > 1000
    out = tmp_path / "a.wav"
    code, said = clipsonic_command(
        "generate", "dog", "--model", tiny_model, "--bridge", prior / "model", "--seed", "1", "-o", out
    )
    assert code == 0, said
    assert json.loads(out.with_suffix(".json").read_bytes())["bridge"] == str(prior / "model")


def test_a_prior_on_captioned_pictures(clipsonic_command, tiny_model, tmp_path) -> None:
    Image.effect_noise((64, 64), 50).save(tmp_path / "a.png")
    Image.new("RGB", (64, 64), "red").save(tmp_path / "b.png")
    (tmp_path / "list.csv").write_text("path,caption,split\na.png,noise,train\nb.png,a red wall,test\n")
    words = ["--captions", tmp_path / "list.csv", "--encoder", tiny_model, "--out", tmp_path / "pd"]
    code, said = clipsonic_command("train", "prior", *words, *TINY, "--dry-run")
    assert (code, "1 pairs of 1 texts, 1 held out" in said) == (0, True), said
    code, said = clipsonic_command("train", "prior", *words, *TINY)
    assert code == 0, said
    assert (tmp_path / "pd/model/config.json").exists()


def test_mixtures_negatives_and_ways(clipsonic_command, tiny_model, tmp_path) -> None:
    Image.effect_noise((64, 64), 50).save(tmp_path / "street.jpg")
    common = ["--model", tiny_model, "--seed", "3", "--seconds", "0.5"]

    def made(*words: str) -> np.ndarray:
        out = tmp_path / "made" / "x.wav"
        out.parent.mkdir(exist_ok=True)
        code, said = clipsonic_command("generate", *words, *common, "-o", out, "--overwrite")
        assert code == 0, said
        return soundfile.read(out)[0]

    street = str(tmp_path / "street.jpg")
    dog, mixed = made("a dog"), made("a dog", "--image", street, "--weights", "0.7", "0.3")
    assert np.abs(dog - mixed).max() > 1e-3
    assert np.array_equal(dog, made("a dog", "--image", street, "--weights", "1", "0"))
    assert np.array_equal(made("--image", street), made("a dog", "--image", street, "--weights", "0", "1"))
    assert np.abs(dog - made("a dog", "--negative", "rain")).max() > 1e-3
    page = json.loads((tmp_path / "made/x.json").read_bytes())
    assert (page["texts"], page["negative"]) == (["a dog"], "rain")

    out = tmp_path / "way.wav"
    code, said = clipsonic_command(
        "generate", "a dog", "--to", "a cat", "--interpolate", "3", *common, "-o", out
    )
    assert code == 0, said
    names = ["way-1.wav", "way-2.wav", "way-3.wav"]
    way = [soundfile.read(tmp_path / name)[0] for name in names]
    # Three in a batch are not equal to the bit to one alone.
    assert np.abs(way[0] - dog).mean() < 1e-2
    assert np.abs(way[2] - made("a cat")).mean() < 1e-2
    assert np.abs(way[1] - dog).mean() > 2e-2
    assert [json.loads((tmp_path / name).with_suffix(".json").read_bytes())["share"] for name in names] == [
        0,
        0.5,
        1,
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "prior", "--out", "{out}"], "name a prepared data set with --data"),
        (["train", "prior", "--out", "{out}", "--captions", "{out}/x.csv"], "no list of captioned pictures"),
        (["train", "prior", "--out", "{out}", "--data", "{data}", "--preset", "huge"], "no preset 'huge'"),
        (["train", "bridge", "magic", "--out", "{out}", "--data", "{data}"], "no bridge 'magic' to compute"),
        (["train", "bridge", "retrieval", "--out", "{out}", "--data", "{data}", "--keys", "x"], "choose text or"),
        (["train", "bridge", "shift", "--out", "{data}", "--data", "{data}"], "holds something else"),
        (["evaluate", "gap", "--data", "{out}", "--out", "{out}"], "no prepared data set"),
        (["evaluate", "gap", "--data", "{data}", "--out", "{out}", "--model", "{model}", "--bridge", "pd"],
         "the model has no bridge 'pd'; it has zs"),
        (["evaluate", "gap", "--data", "{data}", "--out", "{out}", "--model", "{model}", "--with", "sd"],
         "write it as NAME=FOLDER"),
    ],
)  # fmt: skip
def test_wrong_input_gets_one_line(clipsonic_command, labelled, tiny_model, tmp_path, words, said) -> None:
    filled = [word.format(out=tmp_path / "out", data=labelled, model=tiny_model) for word in words]
    code, printed = clipsonic_command(*filled)
    assert code == 2, printed
    assert said in printed
    assert len(printed.strip().splitlines()) == 1, printed
    assert not (tmp_path / "out").exists()


def test_a_bridge_joins_a_model(clipsonic_command, labelled, tiny_model, tmp_path) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    clipsonic_command("train", "bridge", "linear", "--data", labelled, "--out", tmp_path / "linear")
    code, said = clipsonic_command("models", "add-bridge", model, "linear", tmp_path / "linear", "--default")
    assert (code, "bridges zs, linear; linear unless told" in said) == (0, True), said
    assert str(tmp_path) not in (model / "linear/config.json").read_text()
    pipeline = CLIPSonicPipeline.from_pretrained(model)
    assert (pipeline.bridges, pipeline.config.bridge) == (["zs", "linear"], "linear")
    torch.testing.assert_close(pipeline.embed(["a dog"]), pipeline.embed(["a dog"], bridge="linear"))
    assert (pipeline.embed(["a dog"]) - pipeline.embed(["a dog"], bridge="zs")).abs().max() > 1e-4
    pipeline.save(tmp_path / "again")
    assert CLIPSonicPipeline.from_pretrained(tmp_path / "again").bridges == ["zs", "linear"]
    with only_one(model):
        code, said = clipsonic_command("models", "add-bridge", model, "sd", tmp_path / "linear")
    assert (code, "is being written by another clipsonic" in said) == (2, True), said
    code, said = clipsonic_command("models", "add-bridge", model, "magic", tmp_path / "linear")
    assert (code, "no bridge 'magic'; a model may have pd, sd" in said) == (2, True), said
    LinearMap.fit(torch.eye(384), torch.eye(384), "mini@other").save_pretrained(tmp_path / "foreign")
    code, said = clipsonic_command("models", "add-bridge", model, "sd", tmp_path / "foreign")
    assert (code, "was trained with encoder mini@other" in said) == (2, True), said


def test_pictures_are_taken_over_centres(clipsonic_command, labelled, tiny_model, tmp_path) -> None:
    model, fitted = tmp_path / "model", tmp_path / "centres"
    shutil.copytree(tiny_model, model)
    made = ("train", "bridge", "retrieval", "--data", labelled)
    code, said = clipsonic_command(*made, "--out", fitted, "--keys", "image", "--centres", "2")
    assert code == 0, said
    code, said = clipsonic_command("models", "add-bridge", model, "retrieval", fitted, "--pictures")
    assert code == 0, said
    pipeline = CLIPSonicPipeline.from_pretrained(model)
    assert pipeline.config.picture_bridge == "retrieval"
    picture = Image.new("RGB", (64, 64), "green")
    as_it_is = pipeline.encoder.encode_image([picture])
    torch.testing.assert_close(pipeline.embed(image=[picture], bridge="zs"), as_it_is)
    torch.testing.assert_close(pipeline.embed(image=[picture]), pipeline.retrieval.over(as_it_is))
    assert (pipeline.embed(image=[picture]) - as_it_is).abs().max() > 1e-4
    pipeline.save(tmp_path / "again", half=True)
    assert bridges_of(tmp_path / "again")["picture_bridge"] == "retrieval"

    picture.save(tmp_path / "green.png")
    for bridge, over in (("zs", "zs"), ("retrieval", "retrieval")):
        asked = ("--image", tmp_path / "green.png", "--bridge", bridge, "--steps", "1", "--model", model)
        code, said = clipsonic_command("generate", *asked, "-o", tmp_path / "sound.wav", "--overwrite")
        assert code == 0, said
        assert json.loads((tmp_path / "sound.json").read_text())["picture_bridge"] == over

    for more, why in (
        (("--out", tmp_path / "words", "--centres", "2"), "retrieval with --keys image"),
        (("--out", tmp_path / "words"), None),
    ):
        code, said = clipsonic_command(*made, *more)
        assert (code, str(why or "") in said) == (2 if why else 0, True), said
    code, said = clipsonic_command(
        "models", "add-bridge", model, "retrieval", tmp_path / "words", "--pictures"
    )
    assert (code, "from words, not from pictures" in said) == (2, True), said


def test_training_on_keeps_the_bridges_that_joined(tiny_pipeline, tmp_path) -> None:
    tiny_pipeline.save(tmp_path / "model")
    linear = LinearMap.fit(torch.eye(384), torch.eye(384), tiny_pipeline.encoder.id)
    add_part(tmp_path / "model", "linear", linear, {"bridge": "linear"})
    kept = bridges_of(tmp_path / "model")
    assert (sorted(kept), kept["bridge"]) == (["bridge", "linear", "picture_bridge"], "linear")
    assert bridges_of(tmp_path / "none") == {}


def test_a_prior_for_other_embeddings_does_not_join(clipsonic_command, tiny_model, tmp_path) -> None:
    LAIONPrior(dim=64, depth=1, heads=1, head_dim=64, text_tokens=8, ff_mult=1).save_pretrained(
        tmp_path / "prior"
    )
    code, said = clipsonic_command("models", "add-bridge", tiny_model, "pd", tmp_path / "prior")
    assert (code, "embeddings of 64 numbers" in said) == (2, True), said
