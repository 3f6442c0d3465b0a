"""BigVGAN's activation beside diffusers' own."""

import diffusers
import pytest
import torch
from benchmarks.parity.weights import noise
from torch import nn

from clipsonic.vocoder import antialiased
from clipsonic.vocoder.antialiased import AntiAliased, Snake

CHANNELS = 3
LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 13, 64, 501)


def theirs() -> nn.Module:
    """The activation of the generator's end, its scales other than where they start."""
    narrow = {"upsample_initial_channel": 2 * CHANNELS, "upsample_rates": (2,), "upsample_kernel_sizes": (4,)}
    activation = diffusers.MMAudioVocoder(num_mels=1, **narrow).activation_post
    activation.act.alpha.data = 0.5 * noise("alpha", CHANNELS)
    activation.act.beta.data = 0.5 * noise("beta", CHANNELS)
    return activation


def ours(like: nn.Module) -> AntiAliased:
    made = AntiAliased(Snake(CHANNELS, beta=True, log_scale=True), like.upsample, like.downsample)
    made.load_state_dict(like.state_dict())
    return made


def sounds(length: int) -> torch.Tensor:
    return 2 * noise("activated", 2, CHANNELS, length) + 1


@pytest.mark.parametrize("tile", [1, 200, antialiased.TILE])
@pytest.mark.parametrize("length", LENGTHS)
@torch.no_grad()
def test_is_diffusers_activation(length, tile, monkeypatch) -> None:
    monkeypatch.setattr(antialiased, "TILE", tile)  # a row at a time, some, all
    expected, x = theirs(), sounds(length)
    given = x.clone()
    torch.testing.assert_close(ours(expected)(x), expected(given), atol=2e-6, rtol=2e-6)
    assert torch.equal(x, given)


@torch.no_grad()
def test_the_filters_are_those_of_the_weights() -> None:
    """Whatever they are: no tap is taken for another, nor for its mirror image."""
    expected = theirs()
    expected.upsample.filter.copy_(noise("up", 1, 1, 12))
    expected.downsample.lowpass.filter.copy_(noise("down", 1, 1, 12))
    torch.testing.assert_close(ours(expected)(sounds(40)), expected(sounds(40)), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("length", LENGTHS)
def test_gradients_are_diffusers_and_those_of_what_is_heard(length) -> None:
    expected, x = theirs(), sounds(length)
    made, weights = ours(expected), noise("loss", 2, CHANNELS, length)

    def gradients(module: nn.Module) -> dict[str, torch.Tensor]:
        given = x.clone().requires_grad_()
        (module(given) * weights).sum().backward()
        return {"x": given.grad} | {name: weight.grad for name, weight in module.named_parameters()}

    found, right = gradients(made), gradients(expected)
    assert found.keys() == right.keys() == {"x", "act.alpha", "act.beta"}
    for name, gradient in right.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-5)
    # Of the way that is taken without gradients, by finite differences.
    step = 1e-2 * noise("step", *x.shape)
    with torch.no_grad():
        slope = ((made(x + step) - made(x - step)) * weights).sum() / 2
    torch.testing.assert_close(slope, (step * found["x"]).sum(), atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
@torch.no_grad()
def test_half_precision_is_rounded_once(precision) -> None:
    activation, x = ours(theirs()), sounds(40).to(precision)
    given, made = activation(x.float()), activation(x)
    assert made.dtype == precision
    assert torch.equal(made, given.to(precision))


@torch.no_grad()
def test_a_layout_other_than_row_by_row() -> None:
    activation, x = ours(theirs()), sounds(40)
    turned = x.transpose(1, 2).contiguous().transpose(1, 2)
    assert not turned.is_contiguous()
    assert torch.equal(activation(turned), activation(x))
    assert torch.equal(activation(x[..., ::2]), activation(x[..., ::2].contiguous()))
