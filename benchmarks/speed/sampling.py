"""A clip's mel from the U-Net, beside the published way: 1000 ancestral steps of two passes, single precision."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.speed.timing import Row, row
from clipsonic.config import CLIP_SECONDS, N_MELS
from clipsonic.diffusion.objective import noise_process
from clipsonic.diffusion.prediction import Prediction
from clipsonic.diffusion.sampling import Conditional, Denoiser, denoiser, guided, sample, solver
from clipsonic.diffusion.unet import MelUNet, build_unet
from clipsonic.errors import UserError
from clipsonic.pipeline import CLIPSonicPipeline
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS

SHAPE = (1, N_MELS, 128)
W = 1.5
PUBLISHED_STEPS = 1000
STEPS = 12
PEER = "1000 ancestral steps, two passes a step, float32"


def measure(runs: int, peers: Path | None) -> list[Row]:
    """Both presets, on torch and on OpenVINO, and a whole clip of mini."""
    made = []
    for preset, goal, taken in (("paper", "120 x", 2), ("mini", "80 x", 20)):
        settings = SPECTROGRAM_PRESETS[preset]
        unet = _random(preset)
        embedding = torch.randn(1, unet.config.projection_class_embeddings_input_dim)
        embedding /= embedding.norm()
        process = noise_process(settings.diffusion)
        learned = settings.diffusion.learned_variance
        trained = settings.diffusion.timesteps

        slow = _two_passes(denoiser(unet, trained), embedding)
        peer = partial(_clip, slow, solver("ddpm", process, learned), taken)
        for engine, network in _engines(unet):
            fast = guided(denoiser(network, trained), embedding, W)
            quality = (
                f"a guided pass differs by {_difference(fast, slow, trained):.0e} of the largest value; FAD: "
                f"benchmarks.heard; the peer's time is {PUBLISHED_STEPS // taken} x that of {taken} steps"
            )
            made.append(
                row(
                    f"a 4 s clip, {preset} U-Net, {STEPS} steps of UniPC, {engine}",
                    PEER,
                    partial(_clip, fast, solver("unipc", process), STEPS),
                    peer,
                    runs,
                    goal,
                    quality,
                    PUBLISHED_STEPS / taken,
                )
            )
    return [*made, _whole_clip(runs, torch.float32), _whole_clip(runs, torch.bfloat16)]


def _clip(denoise: Denoiser, scheduler: Any, steps: int) -> Tensor:
    return sample(denoise, scheduler, SHAPE, steps, [torch.Generator().manual_seed(0)])


def _random(preset: str) -> MelUNet:
    """The preset's U-Net; layers that start at zero are filled, so that outputs can be compared."""
    torch.manual_seed(0)
    settings = SPECTROGRAM_PRESETS[preset]
    unet = build_unet(settings.unet, settings.diffusion, 768 if preset == "paper" else 384).eval()
    for parameter in unet.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return unet


def _engines(unet: MelUNet) -> list[tuple[str, torch.nn.Module]]:
    last = [("torch, float32", _copy(unet, torch.float32)), ("torch, bfloat16", _copy(unet, torch.bfloat16))]
    try:
        from clipsonic.diffusion.openvino import compile_unet

        for dtype in (torch.float32, torch.bfloat16):
            last.append((f"OpenVINO, {str(dtype).removeprefix('torch.')}", compile_unet(unet, dtype)))
    except UserError:
        pass
    return last


def _copy(unet: MelUNet, dtype: torch.dtype) -> MelUNet:
    copy = MelUNet.from_config(unet.config)
    copy.load_state_dict(unet.state_dict())
    return copy.to(dtype=dtype).to(memory_format=torch.channels_last).eval()


def _two_passes(denoise: Conditional, embedding: Tensor) -> Denoiser:
    """Guidance as it is commonly written."""

    def both(x: Tensor, t: Tensor) -> Prediction:
        with_it, without = denoise(x, t, embedding), denoise(x, t, torch.zeros_like(embedding))
        return Prediction((1 - W) * without.output + W * with_it.output, with_it.variance)

    return both


@torch.no_grad()
def _difference(fast: Denoiser, slow: Denoiser, trained: int) -> float:
    x, t = torch.randn(1, *SHAPE), torch.tensor([trained // 2])
    true = slow(x, t).output
    return float((fast(x, t).output - true).abs().max() / true.abs().max())


def _whole_clip(runs: int, precision: torch.dtype) -> Row:
    """Words => wave with the shipped model."""
    pipeline = CLIPSonicPipeline.from_pretrained("mini", dtype=precision)

    def ask() -> object:
        return pipeline("a photo of a dog", generator=torch.Generator().manual_seed(0))

    name = f"4 s of sound, mini, words to wave, warm, {str(precision).removeprefix('torch.')}"
    made = row(name, "real time", ask, None, runs, "4 x")
    ratio = CLIP_SECONDS / made.ours
    return replace(made, theirs=CLIP_SECONDS, ratio=(ratio, ratio, ratio))
