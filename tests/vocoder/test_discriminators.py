"""The discriminators and losses beside their authors' numbers, and what each of them is for."""

import math
from itertools import pairwise

import pytest
import torch
from benchmarks.parity.discriminators import FIXTURE, SMALL, load, ours, published_weights, sampled, waves
from safetensors.torch import load_file

from clipsonic.vocoder.discriminators import PERIODS, RESOLUTIONS, Discriminators, Verdict
from clipsonic.vocoder.losses import (
    discriminator_loss,
    feature_loss,
    generator_loss,
    mel_loss,
    multi_resolution_stft_distance,
)


@pytest.fixture(scope="module")
def small() -> Discriminators:
    return load(SMALL, published_weights(SMALL))


def verdicts(*scores: float) -> list[Verdict]:
    return [Verdict(torch.full((2, 3), float(score)), []) for score in scores]


def test_gives_the_numbers_of_its_authors(small) -> None:
    expected = load_file(FIXTURE)
    numbers = sampled(ours(small))
    assert numbers.keys() == expected.keys()
    for name, value in expected.items():
        near = 1e-2 if name == "gradient" else 1e-4  # its signs jump where features are nearly equal
        torch.testing.assert_close(numbers[name], value, rtol=near, atol=near * float(value.abs().mean()))


def test_published_weights_are_taken_whole() -> None:
    weights = published_weights(SMALL)
    with pytest.raises(RuntimeError, match="Missing key"):
        load(SMALL, dict(list(weights.items())[1:]))
    with pytest.raises(KeyError, match="more"):
        load(SMALL, weights | {"more": torch.zeros(1)})


@torch.no_grad()
def test_shapes(small) -> None:
    said = small(waves()[0][:, :4001])
    assert len(said) == len(PERIODS) + len(RESOLUTIONS)
    for period, (score, features) in zip(PERIODS, said, strict=False):
        rows = math.ceil(4001 / period)
        assert features[0].shape == (2, 2, math.ceil(rows / 3), period)
        assert score.shape == (2, math.ceil(rows / 81) * period)
    for (fft, hop, _), (score, features) in zip(RESOLUTIONS, said[len(PERIODS) :], strict=True):
        frames = (4001 - hop) // hop + 1
        assert features[0].shape == (2, 2, fft // 2 + 1, frames)
        assert score.shape == (2, (fft // 2 + 1) * math.ceil(frames / 8))
    for score, features in said:
        assert len(features) == 6
        assert torch.equal(features[-1].flatten(1), score)


def test_the_published_size_and_half_of_it() -> None:
    with torch.device("meta"):
        whole, half = Discriminators(), Discriminators(multiplier=0.5)
    assert sum(weight.numel() for weight in whole.parameters()) == 41_386_672
    for part, narrow in zip(whole.parts, half.parts, strict=True):
        for wide, conv in zip(part.convs[:-1], narrow.convs[:-1], strict=True):
            assert conv.out_channels * 2 == wide.out_channels
        assert narrow.convs[-1].out_channels == part.convs[-1].out_channels == 1


@torch.no_grad()
def test_a_wave_depends_only_on_itself(small) -> None:
    both = torch.cat(waves())
    for together, alone in zip(small(both), small(both[2:3]), strict=True):
        for rows, row in zip(together.features, alone.features, strict=True):
            torch.testing.assert_close(rows[2:3], row, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_half_precision_keeps_whole_losses(small) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        real, generated = map(small, waves())
        losses = [
            discriminator_loss(real, generated),
            generator_loss(generated),
            feature_loss(real, generated),
        ]
    expected = [load_file(FIXTURE)[name][0] for name in ("discriminator", "generator", "feature")]
    torch.testing.assert_close(losses, expected, rtol=0.01, atol=0)


def test_least_squares() -> None:
    assert discriminator_loss(verdicts(1, 1), verdicts(0, 0)) == 0
    assert generator_loss(verdicts(1, 1)) == 0
    # Summed over discriminators, averaged over places.
    assert discriminator_loss(verdicts(0, 3), verdicts(1, 2)) == 1 + 1 + 4 + 4
    assert generator_loss(verdicts(3, -1)) == 4 + 4


def test_feature_loss_is_its_formula(small) -> None:
    real, generated = waves()
    assert feature_loss(small(real), small(real)) == 0
    assert feature_loss(small(real), small(generated)) > 0
    zeros = [Verdict(torch.zeros(1, 2), [torch.zeros(1, 1, 1, 2), torch.zeros(1, 4, 1, 1)])] * 3
    threes = [Verdict(torch.zeros(1, 2), [torch.full((1, 1, 1, 2), 3.0), -torch.ones(1, 4, 1, 1)])] * 3
    assert feature_loss(zeros, threes) == 2 * 3 * (3 + 1)


def test_mel_loss_is_the_level_difference() -> None:
    real = waves()[0]
    assert mel_loss(real, real) == 0
    assert mel_loss(real, 0.5 * real) == pytest.approx(math.log(2), rel=1e-4)


@pytest.mark.parametrize("which", ["generator", "feature", "mel"])
def test_gradients_reach_the_generated_wave(small, which) -> None:
    real, generated = waves()
    losses = {"generator": generator_loss(small(generated)), "mel": mel_loss(real, generated)}
    losses["feature"] = feature_loss(small(real), small(generated))
    gradient = torch.autograd.grad(losses[which], generated)[0]
    assert gradient.isfinite().all()
    assert (gradient != 0).float().mean() > 0.99


def test_silence_has_finite_gradients(small) -> None:
    silence = torch.zeros(1, 4096, requires_grad=True)
    real = waves()[0][:1]
    said = small(silence)
    loss = generator_loss(said) + feature_loss(small(real), said) + mel_loss(real, silence)
    gradients = torch.autograd.grad(loss, [silence, *small.parameters()])
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_stft_distance_is_nothing_for_equal_waves_and_grows_with_noise() -> None:
    real, noise = waves()[0], torch.randn(2, 4096, generator=torch.Generator().manual_seed(0))
    assert torch.equal(multi_resolution_stft_distance(real, real), torch.zeros(2))
    rising = [multi_resolution_stft_distance(real, real + level * noise) for level in (0.01, 0.03, 0.1, 0.3)]
    assert all((low < high).all() for low, high in pairwise(rising))


def test_stft_distance_is_its_formula_clip_by_clip() -> None:
    real = waves()[0]
    other = torch.stack([0.5 * real[0], real[1]])
    distance = multi_resolution_stft_distance(real, other)
    assert distance.shape == (2,)
    assert distance[0] == pytest.approx(0.5 + math.log(2), rel=1e-3)  # convergence, logarithms
    assert distance[1] == 0
    assert multi_resolution_stft_distance(torch.zeros(1, 4096), real[:1]).isfinite().all()
