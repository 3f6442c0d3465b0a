"""Karlo's and Kandinsky 2.1's priors: equal to diffusers' pipeline, and no other CLIP's."""

import json
from pathlib import Path

import pytest
import torch
from benchmarks.parity.clip import save_small_clip
from benchmarks.parity.unclip_prior import SMALL, ours, publish, theirs
from diffusers import DDPMScheduler, PriorTransformer, UnCLIPScheduler

from clipsonic.bridges.load import load_bridge
from clipsonic.encoders.clip import CLIPEncoder
from clipsonic.errors import UserError

TEXTS = ["dog", "a cat on a mat"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> CLIPEncoder:
    """A small CLIP whose embeddings and tokens are as long as ViT-L/14's."""
    folder = tmp_path_factory.mktemp("clip")
    save_small_clip(folder, dim=768, text_width=768)
    return CLIPEncoder(str(folder))


@pytest.fixture
def published(tmp_path: Path) -> Path:
    publish(tmp_path, full=False)
    return tmp_path


def test_equal_to_diffusers_pipeline(encoder, published) -> None:
    found = ours(load_bridge(str(published)), encoder, TEXTS, [7, 8])
    clip, tokenizer, _ = encoder._parts
    expected = torch.cat([theirs(published, clip, tokenizer, text, 7 + i) for i, text in enumerate(TEXTS)])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert (expected[0] - expected[1]).abs().max() > 0.01
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


def test_karlos_folders_and_a_bin_of_plain_weights(encoder, published) -> None:
    expected = ours(load_bridge(str(published)), encoder, TEXTS, [1, 2])
    (published / "scheduler").rename(published / "prior_scheduler")
    PriorTransformer.from_pretrained(published / "prior").save_pretrained(
        published / "prior", safe_serialization=False
    )
    (published / "prior/diffusion_pytorch_model.safetensors").unlink()
    karlo = load_bridge(str(published))
    assert karlo.config.clip_sample_range == 10  # its authors'; the folder says 5
    karlo.register_to_config(clip_sample_range=5.0)
    torch.testing.assert_close(ours(karlo, encoder, TEXTS, [1, 2]), expected)


def test_saved_and_loaded_as_a_component(encoder, published, tmp_path) -> None:
    prior = load_bridge(str(published))
    prior.save_pretrained(tmp_path / "own")
    again = load_bridge(str(tmp_path / "own"))
    torch.testing.assert_close(ours(again, encoder, TEXTS, [1, 2]), ours(prior, encoder, TEXTS, [1, 2]))


def test_the_steps_are_the_published_schedulers() -> None:
    theirs = UnCLIPScheduler(prediction_type="sample", clip_sample_range=5.0)
    ours = DDPMScheduler(
        1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="sample",
        variance_type="fixed_small",
        timestep_spacing="linspace",
        clip_sample_range=5.0,
    )
    theirs.set_timesteps(25)
    ours.set_timesteps(25)
    assert theirs.timesteps.tolist() == ours.timesteps.tolist()
    x, said = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
    for i, t in enumerate(theirs.timesteps):
        before = theirs.timesteps[i + 1] if i < 24 else None
        one = theirs.step(said, t, x, prev_timestep=before, generator=torch.Generator().manual_seed(i))
        other = ours.step(said, t, x, generator=torch.Generator().manual_seed(i))
        # Theirs takes 1 - (1 - r) of a small r in single precision: 5e-4 of the value is what that costs.
        torch.testing.assert_close(one.prev_sample, other.prev_sample, atol=2e-3, rtol=0)


def test_whitening_is_frozen(published) -> None:
    prior = load_bridge(str(published))
    frozen = {name for name, weight in prior.named_parameters() if not weight.requires_grad}
    assert frozen == {"net.clip_mean", "net.clip_std"}


def test_another_clips_prior_is_refused_with_the_reason(tmp_path) -> None:
    with pytest.raises(UserError, match="ViT-bigG/14"):
        load_bridge("kandinsky-community/kandinsky-2-2-prior")
    PriorTransformer(**SMALL, embedding_dim=1280).save_pretrained(tmp_path / "prior")
    UnCLIPScheduler(prediction_type="sample").save_pretrained(tmp_path / "scheduler")
    with pytest.raises(UserError, match="embeddings of 1280 numbers"):
        load_bridge(str(tmp_path))


def test_damaged_folders_are_told(published) -> None:
    (published / "scheduler/scheduler_config.json").write_text(json.dumps({"prediction_type": "epsilon"}))
    with pytest.raises(UserError, match="another noise process"):
        load_bridge(str(published))
    (published / "prior/config.json").write_text("{")
    with pytest.raises(UserError, match="no prior can be loaded"):
        load_bridge(str(published))
