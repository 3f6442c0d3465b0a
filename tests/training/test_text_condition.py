"""CLIP-TTA and CLAP-TTA: the spectrogram model trained on the words of a clip's label."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.parity.clap import save_clap
from PIL import Image
from safetensors.torch import load_file

from clipsonic.bridges.training_free import MeanShift
from clipsonic.data.draws import Draws
from clipsonic.encoders.base import AudioEncoder
from clipsonic.encoders.clap import CLAPEncoder
from clipsonic.encoders.mini_audio import MiniAudioEncoder
from clipsonic.errors import UserError
from clipsonic.pipeline import CLIPSonicPipeline
from clipsonic.training.loop import train
from clipsonic.training.spectrogram import SpectrogramRecipe
from tests.labelled_sounds import made, tone


@pytest.fixture(scope="module")
def mini_audio() -> MiniAudioEncoder:
    torch.manual_seed(0)
    return MiniAudioEncoder(embedding_dim=24, channels=(8, 12)).eval()


@pytest.fixture(scope="module")
def clap(tmp_path_factory) -> CLAPEncoder:
    folder = tmp_path_factory.mktemp("clap")
    save_clap(folder, full=False)
    return CLAPEncoder(str(folder))


@pytest.fixture
def data(tmp_path, mini_encoder) -> Path:
    clips = [
        ("dog", "train", tone(900, 2.2)),
        ("rain", "train", tone(300, 2.2)),
        (None, "train", tone(70, 2.2)),
    ]
    clips += [("dog", "train", tone(1000, 2.2)), ("rain", "test", tone(310, 2.2))]
    folder = made(tmp_path / "data", clips, mini_encoder.id)
    mini_encoder.save_pretrained(folder / "encoder")
    return folder


@pytest.fixture
def settings(tiny_settings):
    training = tiny_settings.training.model_copy(update={"steps": 4, "checkpoint_every": 2})
    return tiny_settings.model_copy(update={"condition": "text", "training": training})


def seeds(*numbers: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(number) for number in numbers]


def labels_drawn(recipe: SpectrogramRecipe) -> list[str]:
    draws = Draws(len(recipe.clips), recipe.training.batch_size, recipe.training.seed)
    return [recipe.clips.clips[number][1].info.label for batch in islice(draws, 3) for number, _ in batch]


def test_a_batch_carries_the_words_of_its_labels(data, settings, mini_audio, mini_encoder) -> None:
    for encoder, prompt, dimension in ((mini_audio, "the sound of {}", 24), (None, "a photo of {}", 384)):
        recipe = SpectrogramRecipe(settings, data, encoder)
        assert len(recipe.clips) == 3  # one of the four has no label
        labels = labels_drawn(recipe)
        assert set(labels) == {"dog", "rain"}
        found = torch.cat([batch.embedding for batch in islice(recipe.batches(0, 0, 1), 3)])
        assert found.shape == (6, dimension)
        said = (encoder or mini_encoder).encode_text([prompt.format(label) for label in ("dog", "rain")])
        wanted = torch.stack([said[0 if label == "dog" else 1] for label in labels])
        assert torch.equal(found, wanted)
        torch.testing.assert_close(found.norm(dim=1), torch.ones(6))


def test_the_run_is_of_its_encoder_and_condition(data, settings, tiny_settings, mini_audio, tmp_path) -> None:
    own, other = SpectrogramRecipe(settings, data), SpectrogramRecipe(settings, data, mini_audio)
    assert own.data_id != other.data_id
    assert own.data_id == SpectrogramRecipe(tiny_settings, data).data_id
    list(train(own, tmp_path / "run"))
    with pytest.raises(UserError, match=r"condition \(text, not image\)"):
        next(
            train(
                SpectrogramRecipe(tiny_settings.model_copy(update={"training": own.training}), data),
                tmp_path / "run",
            )
        )


def check_model(folder: Path, encoder: AudioEncoder) -> None:
    """Text makes the sound it made before saving; pictures and bridges are refused."""
    page = json.loads((folder / "model_index.json").read_bytes())
    assert (page["condition"], page["encoder_id"]) == ("text", encoder.id)
    pipeline = CLIPSonicPipeline.from_pretrained(folder)
    assert type(pipeline.encoder) is type(encoder)
    words = "the sound of dog"
    made = pipeline(words, generator=seeds(0), audio_length_in_s=0.5).mels
    given = pipeline(embedding=encoder.encode_text([words]), generator=seeds(0), audio_length_in_s=0.5).mels
    np.testing.assert_allclose(made, given, atol=1e-3)
    other = pipeline("the sound of rain", generator=seeds(0), audio_length_in_s=0.5).mels
    assert np.abs(made - other).max() > 1e-2
    assert pipeline.bridges == ["zs"]
    with pytest.raises(UserError, match="knows no pictures; ask with a text"):
        pipeline(image=Image.new("RGB", (8, 8)))
    with pytest.raises(UserError, match="the model has no bridge 'linear'"):
        pipeline("dog", bridge="linear")
    rows = torch.nn.functional.normalize(torch.randn(4, encoder.embedding_dim))
    with pytest.raises(UserError, match="the bridge shift leads to pictures"):
        CLIPSonicPipeline.from_pretrained(folder, shift=MeanShift.fit(rows, rows, encoder.id))
    pipeline.save(folder.with_name("half"), half=True)
    half = CLIPSonicPipeline.from_pretrained(folder.with_name("half"))
    assert (half.config.condition, half.encoder.id) == ("text", encoder.id)


def test_trains_on_the_words_of_mini(data, settings, mini_audio, tmp_path) -> None:
    states = list(train(SpectrogramRecipe(settings, data, mini_audio), tmp_path / "run"))
    assert states[-1].validation_loss > 0
    check_model(tmp_path / "run/model", mini_audio)


def test_trains_on_the_words_of_clap(data, settings, clap, tmp_path) -> None:
    list(train(SpectrogramRecipe(settings, data, clap), tmp_path / "run"))
    check_model(tmp_path / "run/model", clap)
    files = list((tmp_path / "run/model/encoder").iterdir())
    assert sum(file.stat().st_size for file in files) < 2000  # its name, not its weights


def test_resuming_gives_the_same_weights(data, settings, mini_audio, tmp_path) -> None:
    list(train(SpectrogramRecipe(settings, data, mini_audio), tmp_path / "whole"))
    stopped = train(SpectrogramRecipe(settings, data, mini_audio), tmp_path / "stopped")
    for _ in range(3):
        next(stopped)
    stopped.close()
    list(train(SpectrogramRecipe(settings, data, mini_audio), tmp_path / "stopped"))
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "stopped"))
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_what_does_not_go_together_is_told(data, settings, tiny_settings, mini_audio, tmp_path) -> None:
    with pytest.raises(UserError, match="needs --set condition=text"):
        SpectrogramRecipe(tiny_settings, data, mini_audio)
    nameless = made(tmp_path / "nameless", [(None, "train", tone(70, 2.2)), (None, "test", tone(70, 2.2))])
    with pytest.raises(UserError, match="have no labels; prepare them from a CSV"):
        SpectrogramRecipe(settings, nameless, mini_audio)


def test_from_the_command_line(clipsonic_command, data, mini_audio, tmp_path) -> None:
    mini_audio.save_pretrained(tmp_path / "audio")
    tiny = ["unet.channels=[32]", "unet.blocks=1", "unet.attention_levels=[]", "training.batch_size=2"]
    tiny += ["training.steps=1", "diffusion.sampling_steps=2", "training.precision=no"]
    words = [
        "train",
        "spectrogram",
        "--data",
        data,
        "--out",
        tmp_path / "run",
        "--condition-encoder",
        tmp_path / "audio",
    ]
    words += [word for change in tiny for word in ("--set", change)]
    code, said = clipsonic_command(*words)
    assert (code, "needs --set condition=text" in said) == (2, True), said
    code, said = clipsonic_command(*words, "--set", "condition=text")
    assert code == 0, said
    model = ["--model", tmp_path / "run/model", "--seconds", "0.5"]
    code, said = clipsonic_command("generate", "the sound of dog", *model, "-o", tmp_path / "dog.wav")
    assert code == 0, said
    page = json.loads((tmp_path / "dog.json").read_bytes())
    assert (page["condition"], page["bridge"], page["encoder"]) == ("text", "zs", mini_audio.id)
    Image.new("RGB", (8, 8)).save(tmp_path / "dog-photo.png")
    code, said = clipsonic_command(
        "generate", "--image", tmp_path / "dog-photo.png", *model, "-o", tmp_path / "x.wav"
    )
    assert (code, said.count("\n"), "knows no pictures" in said) == (2, 1, True), said
    (tmp_path / "a.mp4").touch()
    code, said = clipsonic_command(
        "prepare", tmp_path, "--out", tmp_path / "new", "--encoder", tmp_path / "run/model"
    )
    assert (code, "knows no pictures" in said) == (2, True), said
    assert not (tmp_path / "x.wav").exists()
