"""Training the small language-audio encoder: its loss, that it learns, and that a stop changes nothing."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clipsonic.encoders.load import load_audio_encoder
from clipsonic.settings.audio_encoder import AUDIO_ENCODER_PRESETS, AudioEncoderSettings
from clipsonic.training.audio_encoder import (
    AudioEncoderRecipe,
    accuracy,
    contrastive_losses,
    zero_shot,
)
from clipsonic.training.loop import train
from tests.labelled_sounds import made, tone

TINY = {
    "steps": 4,
    "batch_size": 4,
    "precision": "no",
    "validate_every": 2,
    "log_every": 1,
    "warmup_steps": 0,
}


def settings(**training) -> AudioEncoderSettings:
    page = AUDIO_ENCODER_PRESETS["mini"].model_dump()
    page |= {"channels": (8, 16), "embedding_dim": 16, "longest_crop": 40}
    page["training"] |= TINY | training
    return AudioEncoderSettings.model_validate(page)


@pytest.fixture
def sounds(tmp_path) -> Path:
    """High dogs and low rain; one dog is held out."""
    clips = [("dog", "train", tone(2000 + 50 * number, 2.1)) for number in range(3)]
    clips += [("rain", "train", tone(200 + 5 * number, 2.1)) for number in range(3)]
    return made(tmp_path / "sounds", [*clips, ("dog", "test", tone(2070, 2.5))])


def rows(count: int, seed: int) -> torch.Tensor:
    return torch.nn.functional.normalize(
        torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def test_one_sound_a_text_is_clips_loss() -> None:
    sound, text, scale = rows(5, 0), rows(5, 1), torch.tensor(3.0)
    logits, truth = scale * sound @ text.T, torch.arange(5)
    both = (
        torch.nn.functional.cross_entropy(logits, truth),
        torch.nn.functional.cross_entropy(logits.T, truth),
    )
    losses = contrastive_losses(sound, text, truth, scale)
    torch.testing.assert_close(sum(losses.values()), sum(both) / 2)


def test_several_sounds_of_a_text_share_it() -> None:
    """By hand: from each text, the mean over its sounds of -log softmax over all sounds."""
    sound, text, label = rows(5, 0), rows(2, 1), torch.tensor([0, 1, 0, 0, 1])
    logits = (7.0 * sound @ text.T).tolist()
    wanted = 0.0
    for row in range(2):
        column = torch.tensor([each[row] for each in logits])
        own = [float(column[place] - column.exp().sum().log()) for place in range(5) if label[place] == row]
        wanted -= sum(own) / len(own) / 2
    found = contrastive_losses(sound, text, label, torch.tensor(7.0))["from_text"]
    assert found.item() == pytest.approx(wanted / 2, rel=1e-4)


def test_trains_and_leaves_an_encoder(clipsonic_command, sounds, tmp_path) -> None:
    """Through the command line."""
    changes = ["channels=[8,16]", "embedding_dim=16", "longest_crop=40", "training.precision=no"]
    changes += [
        "training.steps=30",
        "training.batch_size=8",
        "training.warmup_steps=1",
        "training.ema_decay=0.5",
    ]
    words = [word for change in changes for word in ("--set", change)]
    run = tmp_path / "run"
    code, said = clipsonic_command(
        "train", "audio-encoder", "--data", sounds, "--out", run, *words, "--dry-run"
    )
    assert (code, "training clips of 2 labels" in said, run.exists()) == (0, True, False), said
    code, said = clipsonic_command("train", "audio-encoder", "--data", sounds, "--out", run, *words)
    assert code == 0, said
    assert "held out" in said
    encoder = load_audio_encoder(str(run / "model"))
    page = json.loads((run / "model/config.json").read_bytes())
    assert page["held_out_clips"] == 1
    recipe = AudioEncoderRecipe(settings(), sounds)
    assert page["held_out_accuracy"] == accuracy(*zero_shot(encoder, recipe._held_out))
    assert accuracy(*zero_shot(encoder, recipe.crops)) == 1.0


def test_resuming_gives_the_same_weights(sounds, tmp_path) -> None:
    list(train(AudioEncoderRecipe(settings(), sounds), tmp_path / "whole"))
    stopped = train(AudioEncoderRecipe(settings(), sounds), tmp_path / "stopped")
    for _ in range(2):
        next(stopped)
    stopped.close()
    states = list(train(AudioEncoderRecipe(settings(), sounds), tmp_path / "stopped"))
    assert [state.step for state in states] == [3, 4]
    assert states[-1].validation_loss > 0
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "stopped"))
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_every_weight_is_trained(sounds) -> None:
    recipe = AudioEncoderRecipe(settings(), sounds)
    batch = next(recipe.batches(0, 0, 1))
    sum(recipe.losses(recipe.model, batch, torch.Generator().manual_seed(0)).values()).backward()
    assert all(weight.grad is not None for weight in recipe.model.parameters())
    assert not list(recipe.model.buffers())  # a checkpoint keeps parameters only
