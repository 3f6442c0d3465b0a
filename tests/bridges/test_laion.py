"""LAION's prior: equal to DALLE2-pytorch's numbers, strict and safe about its files."""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from benchmarks.parity.laion_prior import FIXTURE, SMALL, inputs, ours
from benchmarks.parity.weights import noise, seeded
from safetensors.torch import load_file

from clipsonic.bridges.base import nearest
from clipsonic.bridges.laion import LAIONPrior, cosine_beta, load_laion
from clipsonic.bridges.load import load_bridge
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError

CONFIG = {  # as published, with the sizes of the test
    "prior": {
        "clip": {"make": "openai", "model": "ViT-L/14"},
        "net": {
            "dim": 48,
            "depth": 2,
            "num_timesteps": 1000,
            "max_text_len": 12,
            "num_time_embeds": 1,
            "num_image_embeds": 1,
            "num_text_embeds": 1,
            "dim_head": 16,
            "heads": 3,
            "ff_mult": 2,
            "norm_out": True,
            "attn_dropout": 0.05,
            "ff_dropout": 0.05,
            "final_proj": True,
            "normformer": True,
            "rotary_emb": True,
        },
        "image_embed_dim": 48,
        "timesteps": 1000,
        "predict_x_start": True,
        "beta_schedule": "cosine",
        "condition_on_text_encodings": True,
    }
}


@pytest.fixture(scope="module")
def prior() -> LAIONPrior:
    made = LAIONPrior(**SMALL).eval()
    own = made.net.state_dict()
    weights = {name: own[name] if name.endswith("freqs") else value for name, value in seeded(own).items()}
    made.net.load_state_dict(weights)
    return made


@pytest.fixture
def published(prior, tmp_path) -> Path:
    """The files as on the hub: the whole DiffusionPrior, its schedule's tables and a CLIP included."""
    state = {f"net.{name}": value for name, value in prior.net.state_dict().items()}
    state |= {"noise_scheduler.betas": cosine_beta(1000).float(), "clip.clip.logit_scale": torch.tensor(4.6)}
    (tmp_path / "prior").mkdir()
    torch.save(state, tmp_path / "prior/best.pth")
    (tmp_path / "prior/prior_config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def text(rows: int = 4) -> TextEncoding:
    given = inputs(48, 12)
    return TextEncoding(given["text"][:rows] * 9, given["tokens"][:rows], given["mask"][:rows])


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_equal_to_the_published_code(prior) -> None:
    expected = load_file(FIXTURE)
    found = ours(prior, inputs(48, 12))
    assert set(found) == {"once", "dropped", "sampled"}
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], atol=1e-4, rtol=0)
    assert (expected["once"] - expected["dropped"]).abs().max() > 0.1  # the text has its part


def test_loads_what_was_published(prior, published) -> None:
    loaded = load_bridge(str(published))
    found = loaded.sample(text(), text(1), generators(1, 2, 3, 4))
    torch.testing.assert_close(found, prior.sample(text(), text(1), generators(1, 2, 3, 4)))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(4))


def test_loads_a_trainers_checkpoint_and_prefers_its_average(prior, published) -> None:
    state = torch.load(published / "prior/best.pth", weights_only=True)
    old = {name: torch.zeros_like(value) for name, value in state.items()}
    torch.save({"model": old, "ema_model": state, "step": 7}, published / "prior/best.pth")
    loaded = load_bridge(str(published))
    torch.testing.assert_close(loaded.state_dict(), prior.state_dict())


def test_saved_and_loaded_as_a_component(prior, tmp_path) -> None:
    prior.save_pretrained(tmp_path)
    assert [file.suffix for file in sorted(tmp_path.iterdir())] == [".json", ".safetensors"]
    torch.testing.assert_close(load_bridge(str(tmp_path)).state_dict(), prior.state_dict())


def test_a_row_does_not_depend_on_its_batch(prior) -> None:
    together = prior.sample(text(), text(1), generators(1, 2, 3, 4))
    alone = prior.sample(text()[2:3], text(1), generators(3))
    torch.testing.assert_close(alone, together[2:3], atol=1e-5, rtol=0)
    other = prior.sample(text()[2:3], text(1), generators(4))
    assert (other - alone).abs().max() > 1e-3


def test_what_stands_where_there_is_no_token_does_not_matter(prior) -> None:
    clean = text()
    dirty = TextEncoding(clean.projection, clean.tokens + 5.0 * ~clean.mask[..., None], clean.mask)
    torch.testing.assert_close(
        prior.sample(dirty, text(1), generators(1, 2, 3, 4)),
        prior.sample(clean, text(1), generators(1, 2, 3, 4)),
    )


def test_the_nearer_candidate_is_kept() -> None:
    candidates = torch.eye(4)[None].repeat(2, 1, 1)
    query = torch.tensor([[0.1, 0.9, 0.0, 0.2], [0.0, 0.0, 0.1, 0.7]])
    assert nearest(candidates, query).argmax(1).tolist() == [1, 3]


def test_published_names_and_sizes() -> None:
    with torch.device("meta"):
        net = LAIONPrior().net
    names = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert sum(value.numel() for value in net.parameters()) == 101_756_736
    assert names["null_text_encodings"] == (1, 77, 768)
    assert names["to_time_embeds.0.weight"] == (1000, 768)
    assert names["causal_transformer.layers.11.0.to_kv.weight"] == (128, 768)
    assert names["causal_transformer.layers.11.0.rotary_emb.freqs"] == (16,)
    assert names["causal_transformer.layers.11.1.3.g"] == (3072,)
    assert names["causal_transformer.rel_pos_bias.relative_attention_bias.weight"] == (32, 12)
    assert len(names) == 8 + 12 * 11


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.path),)


def test_a_hostile_pickle_is_refused_and_not_run(published, tmp_path) -> None:
    mark = tmp_path / "was-run"
    (published / "prior/best.pth").write_bytes(pickle.dumps(Hostile(mark)))
    with pytest.raises(UserError, match="no file of plain weights"):
        load_bridge(str(published))
    torch.save({"net.learned_query": Hostile(mark)}, published / "prior/best.pth")
    with pytest.raises(UserError, match="no file of plain weights"):
        load_bridge(str(published))
    assert not mark.exists()


def test_other_networks_are_refused(published, prior) -> None:
    state = {f"net.{name}": value for name, value in prior.net.state_dict().items()}
    weights = published / "prior/best.pth"
    torch.save({**state, "net.extra": torch.zeros(1)}, weights)
    with pytest.raises(UserError, match=r"does not fit LAION's prior"):
        load_bridge(str(published))
    torch.save([1, 2], weights)
    with pytest.raises(UserError, match=r"does not fit LAION's prior"):
        load_bridge(str(published))
    config = published / "prior/prior_config.json"
    for name, value in (("num_image_embeds", 2), ("normformer", False)):
        page = json.loads(json.dumps(CONFIG))
        page["prior"]["net"][name] = value
        config.write_text(json.dumps(page))
        with pytest.raises(UserError, match=name):
            load_laion(weights, config)
    config.write_text("{}")
    with pytest.raises(UserError, match=r"not the prior_config.json of a prior"):
        load_laion(weights, config)


def test_words_of_another_encoder_are_refused(prior) -> None:
    wide = TextEncoding(noise("w", 1, 64), noise("t", 1, 12, 64), torch.ones(1, 12, dtype=torch.bool))
    with pytest.raises(UserError, match="embeddings of 48 numbers and the encoder gives 64"):
        prior.sample(wide, wide, generators(0))


def test_nothing_there_is_said_in_one_line(tmp_path) -> None:
    with pytest.raises(UserError, match="no prior in"):
        load_bridge(str(tmp_path))
    with pytest.raises(UserError, match=r"best\.pth of laion/DALLE2-PyTorch is not here") as told:
        load_bridge("laion/DALLE2-PyTorch")
    assert "\n" not in str(told.value)
