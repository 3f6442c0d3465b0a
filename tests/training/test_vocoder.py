"""Training a vocoder: against discriminators, to the bit the same after a stop, and better than it began."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from clipsonic.audio import log_mel
from clipsonic.data.waves import Waves
from clipsonic.settings.vocoder import (
    VOCODER_PRESETS,
    BigVGANSettings,
    FourierVocoderSettings,
    VocoderSettings,
)
from clipsonic.training.loop import train
from clipsonic.training.vocoder import VocoderRecipe, WaveBatch, with_weight_norm, without_weight_norm
from clipsonic.vocoder.bigvgan import BigVGAN
from clipsonic.vocoder.fourier import FourierVocoder
from clipsonic.vocoder.load import load_vocoder

BIGVGAN = BigVGANSettings(
    channels=16,
    upsample_rates=(8, 8, 8),
    upsample_kernels=(16, 16, 16),
    block_kernels=(3,),
    block_dilations=((1, 3),),
)
FOURIER = FourierVocoderSettings(width=48, blocks=2)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    lines = ["path,split"]
    for number in range(6):
        seconds = np.arange(16_000) / 16_000
        wave = 0.3 * np.sin(2 * np.pi * 200 * (number + 1) * seconds) + 0.01 * random.standard_normal(16_000)
        soundfile.write(tmp_path / f"{number}.wav", wave.astype(np.float32), 16_000)
        lines.append(f"{number}.wav,{'test' if number == 5 else 'train'}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    return tmp_path / "list.csv"


def settings(generator, after: int = 0, **training) -> VocoderSettings:
    page = VocoderSettings().model_dump() | {"generator": generator.model_dump(), "adversarial_after": after}
    page |= {
        "segment": 4096,
        "discriminator_width": 1 / 32,
        "periods": (2, 3),
        "resolutions": ((512, 50, 240),),
    }
    page["training"] |= {"steps": 4, "batch_size": 2, "workers": 0, "log_every": 1, "validate_every": 4}
    page["training"] |= training
    return VocoderSettings.model_validate(page)


@pytest.mark.parametrize(("generator", "kind"), [(BIGVGAN, BigVGAN), (FOURIER, FourierVocoder)])
def test_trains_and_leaves_a_vocoder(sounds, tmp_path, generator, kind) -> None:
    recipe = VocoderRecipe(settings(generator, after=2), [sounds])
    states = list(train(recipe, tmp_path / "run"))
    assert set(states[1].losses) == {"mel"}
    assert set(states[2].losses) == {"critic", "mel", "adversarial", "features"}
    assert states[-1].validation_loss > 0
    made = kind.from_pretrained(tmp_path / "run/model", use_safetensors=True).eval()
    with torch.no_grad():
        mel = log_mel(recipe.held_out)
        torch.testing.assert_close(made(mel), recipe.vocoder.eval()(mel), atol=1e-4, rtol=0)


@pytest.mark.parametrize("generator", [BIGVGAN, FOURIER])
def test_resuming_gives_the_same_weights(sounds, tmp_path, generator) -> None:
    def recipe() -> VocoderRecipe:
        return VocoderRecipe(settings(generator, after=1), [sounds])

    list(train(recipe(), tmp_path / "whole"))
    stopped = train(recipe(), tmp_path / "stopped")
    for _ in range(2):
        next(stopped)
    stopped.close()
    list(train(recipe(), tmp_path / "stopped"))
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "stopped"))
    assert any(name.startswith("critic.optimizer.") for name in one)
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_learns(sounds, tmp_path) -> None:
    page = settings(FOURIER, after=1000, steps=60, validate_every=20, learning_rate=3e-3, batch_size=4)
    recipe = VocoderRecipe(page.model_copy(update={"stft_weight": 1.0}), [sounds])
    with torch.no_grad():
        before = recipe.validation_loss(recipe.model)
    losses = [state.validation_loss for state in train(recipe, tmp_path / "run") if state.validation_loss]
    assert losses[-1] < 0.7 * before
    assert list((tmp_path / "run/logs").iterdir())


def test_the_critic_and_the_vocoder_pull_apart(sounds) -> None:
    """The critic's loss has no gradient on the vocoder, and the vocoder's none on the critic."""
    recipe = VocoderRecipe(settings(FOURIER), [sounds])
    batch = next(recipe.batches(0, 0, 1))
    sum(recipe.critic_losses(recipe.critic, recipe.model, batch).values()).backward()
    assert all(weight.grad is None for weight in recipe.model.parameters())
    assert any(weight.grad is not None for weight in recipe.critic.parameters())
    recipe.critic.zero_grad(set_to_none=True)
    sum(recipe.losses(recipe.model, batch, torch.Generator()).values()).backward()
    assert all(weight.grad is None for weight in recipe.critic.parameters())
    assert all(weight.grad is not None for weight in recipe.model.parameters())


@torch.no_grad()
def test_weight_norm_keeps_the_first_weights() -> None:
    """PyTorch's, as in the published code: uniform, so of deviation 1 / sqrt(3 fan-in)."""
    torch.manual_seed(0)
    vocoder = BigVGAN(**BIGVGAN.model_dump())
    with_weight_norm(vocoder)
    layers = [
        layer for layer in vocoder.modules() if isinstance(layer, torch.nn.Conv1d | torch.nn.ConvTranspose1d)
    ]
    scaled = torch.cat([layer.weight.flatten() * layer.weight[0].numel() ** 0.5 for layer in layers])
    assert len(layers) == 17
    assert float(scaled.std()) == pytest.approx(3**-0.5, rel=0.02)


def test_recordings_are_brought_to_one_peak_before_they_are_cropped(sounds) -> None:
    plain, level = (Waves([sounds], held_out=False, crop=4096, peak=peak) for peak in (0.0, 0.95))
    whole = plain.wave(0).abs().max().item()
    assert np.allclose(level[0, 5].wave, plain[0, 5].wave * (0.95 / whole), atol=1e-6)
    recipe = VocoderRecipe(settings(FOURIER).model_copy(update={"peak": 0.95}), [sounds])
    assert 0.7 < recipe.held_out.abs().max() <= 0.951  # a crop of it; 0.3 as recorded
    assert {name: preset.peak for name, preset in VOCODER_PRESETS.items()} == {
        "paper-large": 0.95,
        "paper-base": 0.95,
        "mini": 0.0,
    }


@torch.no_grad()
def test_weight_norm_folds_away() -> None:
    vocoder = BigVGAN(**BIGVGAN.model_dump()).eval()
    with_weight_norm(vocoder)
    mel = torch.randn(1, 64, 4)
    torch.testing.assert_close(without_weight_norm(vocoder).eval()(mel), vocoder(mel), atol=1e-5, rtol=0)


def test_weights_are_stored_in_half_precision_if_wanted(sounds, tmp_path) -> None:
    chosen = settings(FOURIER, steps=1).model_copy(update={"weights": "float16"})
    recipe = VocoderRecipe(chosen, [sounds])
    list(train(recipe, tmp_path / "run"))
    stored = load_file(tmp_path / "run/model/diffusion_pytorch_model.safetensors")
    assert {weight.dtype for weight in stored.values()} == {torch.float16}
    assert next(recipe.vocoder.parameters()).dtype == torch.float32  # what goes on is not rounded
    assert load_vocoder(str(tmp_path / "run/model")).dtype == torch.float32


def test_discriminators_hear_every_crop_at_one_level(sounds) -> None:
    """However loud the recording is; without a level, as loud as it is."""
    heard: list[torch.Tensor] = []
    for level in (0.3, 0.0):
        chosen = settings(FOURIER).model_copy(update={"judged_level": level})
        recipe = VocoderRecipe(chosen, [sounds])
        recipe.critic.register_forward_pre_hook(lambda _, waves: heard.append(waves[0]))
        for gain in (1.0, 0.1):
            wave = gain * torch.from_numpy(recipe.waves[0, 0].wave)[None]
            recipe.critic_losses(recipe.critic, recipe.vocoder, WaveBatch(0, wave))
    levels = [float(wave.square().mean().sqrt()) for wave in heard]
    assert levels[0] == pytest.approx(0.3, rel=1e-4)
    assert levels[2] == pytest.approx(0.3, rel=1e-4)
    assert levels[4] == pytest.approx(10 * levels[6], rel=1e-3)


def test_broken_files_are_named_and_the_others_trained_on(sounds, tmp_path) -> None:
    (tmp_path / "0.wav").write_bytes(b"no sound")
    (tmp_path / "5.wav").write_bytes(b"")  # the only one that is held out
    told: list[str] = []
    recipe = VocoderRecipe(settings(FOURIER), [sounds], told.append)
    assert recipe.held_out is None
    batches = recipe.batches(0, 0, 1)
    assert all(next(batches).wave.abs().max() > 0.1 for _ in range(12))
    assert len(told) == 2
    assert "5.wav" in told[0] and "0.wav" in told[1]
