import copy

import numpy as np
import pytest
import torch
from benchmarks.parity import sampler as parity
from diffusers.models.attention_processor import Attention
from safetensors.torch import load_file

from clipsonic.diffusion.objective import Objective, noise_process
from clipsonic.diffusion.prediction import Prediction
from clipsonic.diffusion.sampling import SOLVERS, denoiser, guided, sample, solver
from clipsonic.diffusion.unet import build_unet, frame_multiple, predict
from clipsonic.errors import UserError
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS, DiffusionSettings

X0 = torch.rand(2, 1, 64, 16, generator=torch.Generator().manual_seed(0)) * 1.8 - 0.9


def seeds(*numbers: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(number) for number in numbers]


def perfect(objective: Objective, x0: torch.Tensor):
    """A denoiser that knows the answer."""

    def denoise(x, t, embedding=None):
        clean = x0.repeat(len(x) // len(x0), 1, 1, 1)
        a = objective.alpha_bar[t].view(-1, 1, 1, 1)
        noise = ((x.double() - a.sqrt() * clean) / (1 - a).sqrt()).float()
        variance = torch.zeros_like(x) if objective.learned_variance else None
        return Prediction(objective.target(clean, noise, t), variance)

    return denoise


@pytest.mark.parametrize("name", list(SOLVERS))
@pytest.mark.parametrize("steps", [5, 50])
@pytest.mark.parametrize("preset", list(SPECTROGRAM_PRESETS))
def test_a_perfect_denoiser_gives_the_data(name, steps, preset) -> None:
    process = noise_process(SPECTROGRAM_PRESETS[preset].diffusion)
    denoise = perfect(Objective(process), X0)
    denoise = guided(denoise, torch.zeros(2, 4), 1.5)
    found = sample(denoise, solver(name, process), X0.shape[1:], steps, seeds(1, 2))
    # diffusers keeps its schedule in single precision: 2e-4 is what that costs where almost all is noise.
    torch.testing.assert_close(found, X0, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", list(SOLVERS))
@pytest.mark.parametrize("preset", list(SPECTROGRAM_PRESETS))
def test_a_slightly_wrong_denoiser_stays_near_the_data(name, preset) -> None:
    """Where almost all is noise, a small error in it is a huge one in the mel: that must be clamped."""
    process = noise_process(SPECTROGRAM_PRESETS[preset].diffusion)
    right = perfect(Objective(process), X0)
    random = torch.Generator().manual_seed(9)

    def denoise(x, t):
        output, variance = right(x, t)
        return Prediction(output + 0.01 * torch.randn(output.shape, generator=random), variance)

    found = sample(denoise, solver(name, process), X0.shape[1:], 30, seeds(1, 2))
    assert (found - X0).abs().mean() < 0.02


def test_the_papers_steps_are_strides_of_4_and_5() -> None:
    process = noise_process(DiffusionSettings())
    process.set_timesteps(1000)
    stride = (4000 - 1) / (1000 - 1)  # improved diffusion's space_timesteps with one section
    published = [round(stride * step) for step in range(1000)][::-1]
    times = process.timesteps.tolist()
    assert times == published
    assert set(-np.diff(times)) == {4, 5} or set(-np.diff(times)) == {4}
    assert (times[0], times[-1]) == (3999, 0)


@pytest.mark.parametrize("step", [0, 1, 500, 998])
def test_an_ancestral_step_is_the_respaced_posterior(step) -> None:
    """Ho et al. 2020, eq. 6 and 7 with the kept times' betas: beta = 1 - alpha_bar / alpha_bar_before."""
    process = noise_process(DiffusionSettings())
    objective = Objective(process)
    process.set_timesteps(1000)
    t, before = process.timesteps[step].item(), process.timesteps[step + 1].item()
    a, b = objective.alpha_bar[t], objective.alpha_bar[before]
    beta = 1 - a / b
    random = torch.Generator().manual_seed(0)
    x0 = torch.rand(1, 1, 8, 8, generator=random, dtype=torch.float64) * 1.8 - 0.9
    noise = torch.randn(1, 1, 8, 8, generator=random, dtype=torch.float64)
    xt = a.sqrt() * x0 + (1 - a).sqrt() * noise
    share = torch.rand(1, 1, 8, 8, generator=random, dtype=torch.float64) * 2 - 1
    mean = b.sqrt() * beta / (1 - a) * x0 + (1 - beta).sqrt() * (1 - b) / (1 - a) * xt
    low = (beta * (1 - b) / (1 - a)).log()
    deviation = (0.5 * ((share + 1) / 2 * beta.log() + (1 - share) / 2 * low)).exp()

    output = torch.cat([noise, share], dim=1)
    one = process.step(output, t, xt, generator=torch.Generator().manual_seed(5)).prev_sample
    drawn = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    torch.testing.assert_close(one, mean + deviation * drawn, rtol=2e-3, atol=2e-4)


def test_respaced_ancestral_steps_end_where_the_published_codes_do() -> None:
    torch.testing.assert_close(parity.ours(50), load_file(parity.FIXTURE)["50"], atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def unet():
    settings = SPECTROGRAM_PRESETS["mini"]
    torch.manual_seed(0)
    shape = settings.unet.model_copy(update={"channels": (32, 32), "blocks": 1, "attention_levels": (1,)})
    return build_unet(shape, settings.diffusion, 8).eval()


def embeddings(count: int) -> torch.Tensor:
    return torch.nn.functional.normalize(
        torch.randn(count, 8, generator=torch.Generator().manual_seed(3)), dim=-1
    )


@torch.no_grad()
def test_guidance_of_one_is_the_conditional_model(unet) -> None:
    x, t, e = torch.randn(2, 1, 64, 16), torch.tensor([900, 10]), embeddings(2)
    denoise = denoiser(unet, 1000)
    conditional = denoise(x, t, e).output
    unconditional = denoise(x, t, torch.zeros_like(e)).output
    assert torch.equal(guided(denoise, e, 1.0)(x, t).output, conditional)
    # Both passes in one batch, at w near 1: the formula, not the shortcut.
    torch.testing.assert_close(guided(denoise, e, 1.0 + 1e-6)(x, t).output, conditional, atol=1e-5, rtol=0)
    torch.testing.assert_close(guided(denoise, e, 0.0)(x, t).output, unconditional, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        guided(denoise, e, 3.0)(x, t).output, -2 * unconditional + 3 * conditional, atol=1e-4, rtol=0
    )
    assert (conditional - unconditional).abs().max() > 1e-3


@torch.no_grad()
def test_outside_of_its_interval_guidance_takes_one_pass(unet) -> None:
    passes: list[int] = []

    def denoise(x, t, e):
        passes.append(len(x))
        return denoiser(unet, 1000)(x, t, e)

    x, e = torch.randn(2, 1, 64, 16), embeddings(2)
    within = guided(denoise, e, 3.0, interval=(300.0, 800.0))
    for time, guides in ((299, False), (300, True), (800, True), (801, False)):
        t = torch.full((2,), time)
        output = within(x, t).output
        assert passes.pop() == (4 if guides else 2)
        assert torch.equal(output, guided(denoiser(unet, 1000), e, 3.0 if guides else 1.0)(x, t).output)


@torch.no_grad()
@pytest.mark.parametrize("name", ["ddpm", "dpm++", "unipc"])
def test_a_seed_gives_the_same_clip_in_any_batch(unet, name) -> None:
    scheduler = solver(name, noise_process(SPECTROGRAM_PRESETS["mini"].diffusion))
    e = embeddings(8)
    together = sample(guided(denoiser(unet, 1000), e, 1.5), scheduler, (1, 64, 16), 6, seeds(*range(8)))
    alone = sample(guided(denoiser(unet, 1000), e[5:6], 1.5), scheduler, (1, 64, 16), 6, seeds(5))
    torch.testing.assert_close(alone[0], together[5], atol=1e-3, rtol=0)
    assert (together[5] - together[4]).abs().mean() > 0.05


@torch.no_grad()
def test_any_length_and_learned_variance() -> None:
    torch.manual_seed(0)
    settings = SPECTROGRAM_PRESETS["paper"]
    shape = settings.unet.model_copy(update={"channels": (32, 32, 32, 32), "blocks": 1})
    unet = build_unet(shape, settings.diffusion, 8).eval()
    assert frame_multiple(unet) == 8
    for frames in (64, 128, 24):
        prediction = predict(unet, torch.randn(1, 1, 64, frames), torch.tensor([3999]), embeddings(1), 4000)
        assert prediction.output.shape == (1, 1, 64, frames)
        assert prediction.variance is not None
        assert prediction.variance.shape == (1, 1, 64, frames)
    denoise = guided(denoiser(unet, 4000), embeddings(1), 1.5)
    mel = sample(denoise, noise_process(settings.diffusion), (1, 64, 16), 3, seeds(0))
    assert mel.shape == (1, 1, 64, 16)
    fast = sample(denoise, solver("dpm++", noise_process(settings.diffusion)), (1, 64, 16), 3, seeds(0))
    assert fast.shape == (1, 1, 64, 16)


@pytest.mark.parametrize("preset", list(SPECTROGRAM_PRESETS))
def test_four_heads_everywhere(preset) -> None:
    settings = SPECTROGRAM_PRESETS[preset]
    with torch.device("meta"):
        unet = build_unet(settings.unet, settings.diffusion, 768)
    attentions = [module for module in unet.modules() if isinstance(module, Attention)]
    assert len(attentions) == len(settings.unet.attention_levels) * (2 * settings.unet.blocks + 1) + 1
    for attention in attentions:
        assert attention.heads == 4
        assert attention.scale == (attention.inner_dim // 4) ** -0.5


@torch.no_grad()
def test_half_precision(unet) -> None:
    e, t = embeddings(1), torch.tensor([500])
    x = torch.randn(1, 1, 64, 16, generator=torch.Generator().manual_seed(0))
    exact = predict(unet, x, t, e, 1000).output
    short = predict(copy.deepcopy(unet).to(torch.bfloat16), x, t, e, 1000).output
    assert short.dtype == torch.float32
    assert (short - exact).abs().mean() < 0.05 * exact.std()


def test_unknown_solver_is_refused() -> None:
    with pytest.raises(UserError, match="ddpm, ddim"):
        solver("euler?", noise_process(DiffusionSettings()))
