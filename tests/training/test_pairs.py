"""Fine-tuning of a model on sounds with captions, without pictures."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from clipsonic.bridges.training_free import MeanShift
from clipsonic.data.sound_pairs import SoundPairs, read_pairs
from clipsonic.diffusion.unet import build_unet
from clipsonic.errors import UserError
from clipsonic.model_folder import resolve
from clipsonic.pipeline import CLIPSonicPipeline
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS
from clipsonic.training.loop import train
from clipsonic.training.pairs import DRAWS, PairsRecipe, with_captions
from clipsonic.training.spectrogram import begin_with
from clipsonic.training.starting import settings_of
from tests.labelled_sounds import tone

DOG, RAIN = "a dog barks", "rain on a roof"


def changed(settings, **training):
    return settings.model_copy(update={"training": settings.training.model_copy(update=training)})


@pytest.fixture
def pairs(tmp_path) -> Path:
    for name, hertz, seconds in (("dog", 900, 3.0), ("rain", 300, 1.0), ("later", 310, 2.5)):
        soundfile.write(tmp_path / f"{name}.wav", tone(hertz, seconds), 16_000)
    path = tmp_path / "pairs.csv"
    path.write_text(f'path,caption,split\ndog.wav,"{DOG}",\nrain.wav,{RAIN},train\nlater.wav,{RAIN},test\n')
    return path


@pytest.fixture(scope="module")
def start(tiny_pipeline, tmp_path_factory) -> Path:
    """The tiny model with labels and a bridge of its own choice."""
    dim = tiny_pipeline.encoder.embedding_dim
    random = torch.Generator().manual_seed(0)
    text, image = (torch.nn.functional.normalize(torch.randn(8, dim, generator=random)) for _ in range(2))
    shift = MeanShift.fit(text, image, tiny_pipeline.encoder.id)
    changes = {"shift": shift, "bridge": "shift", "labels": ["dog"], "familiar_cosine": 0.4}
    folder = tmp_path_factory.mktemp("start") / "model"
    CLIPSonicPipeline(**{**tiny_pipeline.components, **changes}).save(folder)
    return folder


def test_captions_are_embedded_as_the_model_is_asked(pairs, start, tiny_settings) -> None:
    recipe = PairsRecipe(tiny_settings, pairs, start)
    assert (recipe.examples, recipe.bridge) == (2, "shift")
    model = CLIPSonicPipeline.from_pretrained(start)
    asked, bare = model.embed([DOG, RAIN]), model.embed([DOG, RAIN], bridge="zs")
    assert (asked - bare).abs().max() > 0.01
    batch = next(recipe.batches(0, 0, 1))
    assert batch.wave.shape == (2, 32_768)
    quiet = (batch.wave[:, -16_000:].abs().amax(1) == 0).tolist()  # rain lasts 1 s: zeros follow
    assert sorted(quiet) == [False, True]
    wanted = torch.stack([asked[1 if rain else 0] for rain in quiet])
    torch.testing.assert_close(batch.embedding, wanted)
    assert recipe.embedded[DOG].shape == (DRAWS, 384)


def test_tuning_lowers_the_loss_on_the_pairs(pairs, start, tiny_settings, tmp_path) -> None:
    settings = changed(tiny_settings, steps=40, learning_rate=2e-3, checkpoint_every=40, ema_decay=0.9)
    still = settings.model_copy(update={"condition_noise": 0.0, "condition_stray": 0.0, "filter_db": 0.0})
    recipe = PairsRecipe(still, pairs, start)
    before = recipe.validation_loss(recipe.unet)
    list(train(recipe, tmp_path / "run"))
    assert recipe.validation_loss(recipe.unet) < 0.85 * before


def test_the_tuned_model_keeps_its_parts_and_says_what_it_heard(
    pairs, start, tiny_settings, tmp_path
) -> None:
    list(
        train(
            PairsRecipe(changed(tiny_settings, steps=2, checkpoint_every=1), pairs, start), tmp_path / "run"
        )
    )
    tuned = CLIPSonicPipeline.from_pretrained(tmp_path / "run/model")
    model = CLIPSonicPipeline.from_pretrained(start)
    assert (tuned.config.bridge, tuned.encoder.id) == ("shift", model.encoder.id)
    assert type(tuned.vocoder) is type(model.vocoder)
    assert torch.equal(tuned.embed([DOG]), model.embed([DOG]))
    assert not torch.equal(next(tuned.unet.parameters()), next(model.unet.parameters()))
    page = json.loads((tmp_path / "run/model/model_index.json").read_bytes())
    assert (page["labels"], page["familiar_cosine"]) == (["dog", RAIN], 0.4)
    about = page["tuned_on"]
    assert (about["pairs"], about["captions"], about["bridge"]) == (2, 2, "shift")
    assert tuned.config.tuned_on == about
    assert model.config.tuned_on is None
    assert tuned.understand([RAIN])[0].familiar


def test_resuming_gives_the_same_weights(pairs, start, tiny_settings, tmp_path) -> None:
    settings = changed(tiny_settings, steps=4)
    list(train(PairsRecipe(settings, pairs, start), tmp_path / "whole"))
    stopped = train(PairsRecipe(settings, pairs, start), tmp_path / "stopped")
    for _ in range(3):
        next(stopped)
    stopped.close()
    assert [state.step for state in train(PairsRecipe(settings, pairs, start), tmp_path / "stopped")] == [4]
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "stopped"))
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name
    pairs.write_text(pairs.read_text().replace(DOG, "a cat purrs"))
    with pytest.raises(UserError, match="another data"):
        next(train(PairsRecipe(settings, pairs, start), tmp_path / "stopped"))


def test_what_cannot_be_read_is_named_and_left_out_with_its_caption(pairs, tmp_path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    rows = f"text.wav,text,train\nsilent.wav,silence,train\ndog.wav,{DOG},train\n"
    pairs.write_text("path,caption,split\n" + rows)
    embedded = {text: np.full((1, 2), n, "f4") for n, text in enumerate(("text", "silence", DOG))}
    sounds = SoundPairs(read_pairs(pairs), False, embedded)
    found = [sounds[number, 0] for number in range(3)]
    assert [example.embedding[0] for example in found] == [2, 2, 2]
    assert ["text.wav" in line or "silent.wav" in line for line in found[0].notes.values()] == [True, True]
    assert not found[1].notes


def test_recordings_left_out_are_told_once(pairs, start, tiny_settings, tmp_path) -> None:
    (tmp_path / "rain.wav").write_text("no sound")
    told: list[str] = []
    list(train(PairsRecipe(changed(tiny_settings, steps=3), pairs, start, told.append), tmp_path / "run"))
    assert [line for line in told if "left out" in line and "rain.wav" in line] == told
    assert len(told) == 1


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("path,caption,label\na.wav,x,y\n", "unknown column 'label'"),
        ("path\na.wav\n", "'caption'"),
        ("path,caption\ndog.wav,\n", "'caption' is missing"),
        ("path,caption\n", "no pairs"),
        ("path,caption,split\ndog.wav,x,test\n", "split train"),
        ("path,caption\nmissing.wav,x\n", "none of the 1 recordings"),
    ],
)
def test_a_wrong_list_is_refused(text, match, pairs, start, tiny_settings) -> None:
    pairs.write_text(text)
    with pytest.raises(UserError, match=match):
        PairsRecipe(tiny_settings, pairs, start)


def test_other_settings_than_the_models_are_refused(pairs, start, tiny_settings) -> None:
    for change, match in (
        ({"condition": "text"}, "condition must be image"),
        (
            {"diffusion": tiny_settings.diffusion.model_copy(update={"timesteps": 7})},
            "timesteps must be 1000",
        ),
    ):
        with pytest.raises(UserError, match=match):
            PairsRecipe(tiny_settings.model_copy(update=change), pairs, start)


def test_a_network_is_trained_on_as_it_was_made(start, tiny_settings, tmp_path) -> None:
    """Its shape and noise process are the model's, whatever the preset has: mini was made before middle_norm."""
    for name in ("paper", "mini"):
        preset = SPECTROGRAM_PRESETS[name]
        found = settings_of(start, preset, condition=True)
        kept = {"sampler": preset.diffusion.sampler, "sampling_steps": preset.diffusion.sampling_steps}
        zero = {"zero_init": preset.unet.zero_init}
        assert found.unet == tiny_settings.unet.model_copy(update=zero)
        assert found.diffusion == tiny_settings.diffusion.model_copy(update=kept)
        assert found.training == preset.training
    mini = settings_of(resolve("mini"), SPECTROGRAM_PRESETS["mini"], condition=False)
    begin_with(build_unet(mini.unet, mini.diffusion, 384), resolve("mini"))
    damaged = shutil.copytree(start, tmp_path / "damaged")
    (damaged / "unet/config.json").write_text("{}")
    with pytest.raises(UserError, match="settings of model"):
        settings_of(damaged, SPECTROGRAM_PRESETS["mini"], condition=False)


def test_captions_that_are_not_read_are_told(pairs, start, tiny_settings) -> None:
    pairs.write_text(f"path,caption\ndog.wav,{DOG}\nrain.wav,{'rain ' * 600}\n")
    told: list[str] = []
    PairsRecipe(tiny_settings, pairs, start, told.append)
    assert len(told) == 1
    assert "1 of 2 captions" in told[0]


def test_reader_processes_give_the_same_examples(pairs) -> None:
    """They are sent the pairs as a pickle."""
    embedded = {text: np.arange(8, dtype="f4").reshape(4, 2) + n for n, text in enumerate((DOG, RAIN))}
    here = SoundPairs(read_pairs(pairs), False, embedded, -20.0, 0.08)
    there = pickle.loads(pickle.dumps(here))
    for draw in ((0, 3), (1, 3), (0, 4)):
        assert np.array_equal(here[draw].wave, there[draw].wave)
        assert np.array_equal(here[draw].embedding, there[draw].embedding)
    assert not np.array_equal(here[0, 3].wave, here[0, 4].wave)


def test_captions_that_name_a_label_add_none() -> None:
    assert with_captions(["dog"], [RAIN, "A Dog barks", RAIN, "dogs"]) == ["dog", "dogs", RAIN]
    assert with_captions([], [RAIN]) == [RAIN]


def test_from_the_command_line(clipsonic_command, pairs, start, tmp_path) -> None:
    out = tmp_path / "run"
    words = ["train", "spectrogram", "--out", out]
    for given, match in (
        ([], "--data and --pairs"),
        (["--pairs", pairs, "--data", tmp_path, "--from", start], "--data and --pairs"),
        (["--pairs", pairs], "--from"),
        (["--pairs", tmp_path / "none.csv", "--from", start], "none.csv"),
        (["--pairs", pairs, "--from", start, "--condition-encoder", "mini"], "--condition-encoder"),
    ):
        code, said = clipsonic_command(*words, *given)
        assert (code, said.count("\n"), match in said) == (2, 1, True), said
    assert not out.exists()
    tiny = ["training.batch_size=2", "training.steps=1", "training.precision=no"]
    words += ["--pairs", pairs, "--from", start]
    code, said = clipsonic_command(*words, *(word for change in tiny for word in ("--set", change)))
    assert (code, "bridge shift" in said) == (0, True), said
    assert CLIPSonicPipeline.from_pretrained(out / "model").config.tuned_on["pairs"] == 2
