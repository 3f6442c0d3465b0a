"""Training the prior: it learns, resumes to the bit, and says what it cannot do."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import normalize

from clipsonic.bridges.load import load_bridge
from clipsonic.data.pairs import Pairs, labelled_pairs
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError
from clipsonic.settings.prior import PRIOR_PRESETS, PriorSettings
from clipsonic.training.loop import train
from clipsonic.training.prior import PriorRecipe, encode

D, N = 32, 4


class Words:
    """An encoder of words alone: each text has its own place and tokens."""

    width = D

    def encode_tokens(self, texts: list[str]) -> TextEncoding:
        random = [torch.Generator().manual_seed(sum(text.encode())) for text in texts]
        place = torch.stack([torch.randn(D, generator=each) for each in random])
        tokens = torch.stack([torch.randn(N, self.width, generator=each) for each in random])
        return TextEncoding(place, tokens, torch.ones(len(texts), N, dtype=torch.bool))


def settings(**training: int) -> PriorSettings:
    page = PRIOR_PRESETS["mini"].model_dump()
    page |= {"depth": 2, "heads": 2, "head_dim": 16, "sampling_steps": 16, "dropout": 0.1}
    page["training"] |= {"batch_size": 16, "precision": "no", "warmup_steps": 10, "log_every": 1}
    page["training"] |= {"learning_rate": 2e-3, "ema_decay": 0.9} | training
    return PriorSettings.model_validate(page)


def pairs(texts: list[str], per_text: int = 20) -> Pairs:
    """Images of a text lie around a centre of its own, far from the text's place."""
    random = torch.Generator().manual_seed(1)
    centres = normalize(torch.randn(len(texts), D, generator=random), dim=-1)
    text = torch.arange(len(texts)).repeat_interleave(per_text)
    rows = centres[text] + 0.1 * torch.randn(len(text), D, generator=random)
    links = torch.stack([text, torch.arange(len(text))], dim=1)
    return Pairs("words@0", texts, normalize(rows, dim=-1), links, links[:, 1])


def test_learns_where_the_images_of_a_text_lie(tmp_path: Path) -> None:
    texts = ["dog", "rain", "a long freight train"]
    data = pairs(texts)
    recipe = PriorRecipe(settings(steps=200, validate_every=100, checkpoint_every=200), data, data, Words())
    states = list(train(recipe, tmp_path / "run"))
    held_out = [state.validation_loss for state in states if state.validation_loss is not None]
    assert held_out[-1] < held_out[0]
    bridge = load_bridge(str(tmp_path / "run/model"))
    said = Words().encode_tokens(texts)
    made = bridge.sample(said, said[:1], [torch.Generator().manual_seed(seed) for seed in range(3)])
    centres = torch.stack([data.images[data.links[:, 0] == text].mean(0) for text in range(3)])
    cosine = made @ normalize(centres, dim=-1).T
    assert cosine.argmax(1).tolist() == [0, 1, 2]
    assert cosine.diagonal().min() > 0.8
    assert ((said.embedding * centres).sum(1)).max() < 0.5  # the words alone are far off
    assert bridge.config.encoder_id == "words@0"


def test_resuming_gives_the_same_weights(tmp_path: Path) -> None:
    def recipe() -> PriorRecipe:
        return PriorRecipe(settings(steps=6, validate_every=3), pairs(["dog", "rain"]), None, Words())

    list(train(recipe(), tmp_path / "whole"))
    stopped = train(recipe(), tmp_path / "stopped")
    for _ in range(4):
        next(stopped)
    stopped.close()
    list(train(recipe(), tmp_path / "stopped"))
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "stopped"))
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_bf16(tmp_path: Path) -> None:
    recipe = PriorRecipe(settings(steps=2).model_copy(), pairs(["dog"]), None, Words())
    recipe.training = recipe.training.model_copy(update={"precision": "bf16"})
    states = list(train(recipe, tmp_path / "run"))
    assert all(0 < state.losses["mse"] < 10 for state in states)


def test_tokens_of_another_width_are_refused() -> None:
    wide = Words()
    wide.width = 48
    with pytest.raises(UserError, match="tokens have 48 numbers and its embeddings 32"):
        PriorRecipe(settings(), pairs(["dog"]), None, wide)


def test_too_many_captions_are_refused_before_they_are_read(monkeypatch) -> None:
    monkeypatch.setattr("clipsonic.training.prior.MEMORY", 1000)
    with pytest.raises(UserError, match="train on fewer captions"):
        encode(Words(), ["a", "b", "c", "d"])


def test_on_a_prepared_data_set(labelled, mini_encoder, tmp_path) -> None:
    small = settings(steps=2).model_copy(update={"heads": 2})
    held_out = labelled_pairs(labelled, {"test"})
    recipe = PriorRecipe(small, labelled_pairs(labelled, {"train"}), held_out, mini_encoder)
    states = list(train(recipe, tmp_path / "run"))
    assert states[-1].validation_loss is not None
