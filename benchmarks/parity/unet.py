"""Our U-Net beside improved-diffusion's: same weights, same noisy mels, times and embeddings."""

import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.parity import improved_diffusion
from benchmarks.parity.table import Row
from benchmarks.parity.weights import noise, seeded
from clipsonic.diffusion.unet import MelUNet, build_unet, predict
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS

FIXTURE = Path(__file__).parents[2] / "tests" / "fixtures" / "unet.safetensors"
PAPER = SPECTROGRAM_PRESETS["paper"]
TIMESTEPS = PAPER.diffusion.timesteps
TIMES = (0, 3999)
SMALL = {"channels": (32, 64, 96, 128), "blocks": 1, "attention_heads": 2}


def ours(full: bool = False) -> MelUNet:
    """Return the paper's U-Net, or one of a quarter of its widths and a block a level, with seeded weights."""
    shape = PAPER.unet if full else PAPER.unet.model_copy(update=SMALL)
    unet = build_unet(shape, PAPER.diffusion, 768 if full else 24).eval()
    unet.load_state_dict(seeded(unet.state_dict()))
    return unet


def inputs(unet: MelUNet, frames: int = 16) -> tuple[Tensor, Tensor, Tensor]:
    """Return noisy mels (2, 1, 64, frames), times and unit embeddings."""
    dim = unet.config.projection_class_embeddings_input_dim
    embedding = normalize(noise("unet embedding", len(TIMES), dim), dim=-1)
    return noise("unet mel", len(TIMES), 1, 64, frames), torch.tensor(TIMES), embedding


@torch.no_grad()
def outputs(unet: MelUNet) -> Tensor:
    """Return noise and variance as our network predicts them, (2, 2, 64, frames)."""
    prediction = predict(unet, *inputs(unet), TIMESTEPS)
    assert prediction.variance is not None
    return torch.cat([prediction.output, prediction.variance], dim=1)


@torch.no_grad()
def theirs(reference: Path, unet: MelUNet, full: bool) -> tuple[Tensor, int]:
    """Return the same of their network with our weights, and the number of its parameters."""
    shape = PAPER.unet if full else PAPER.unet.model_copy(update=SMALL)
    x, t, embedding = inputs(unet)
    model = improved_diffusion.network(reference, shape, embedding.shape[1])
    model.load_state_dict(improved_diffusion.published_weights(unet, unet.state_dict()))
    model.label_emb.given = embedding * embedding.shape[1] ** 0.5  # the one choice of ours: of unit variance
    output: Tensor = model(x, t * (1000 / TIMESTEPS), torch.zeros(len(x), dtype=torch.long))
    return output, sum(weight.numel() for weight in model.parameters())


def compare(reference: Path, full: bool, keep: bool) -> list[Row]:
    """Return one row; both have the same number of parameters."""
    unet = ours(full)
    expected, count = theirs(reference, unet, full)
    if keep:
        save_file({"output": expected.contiguous()}, FIXTURE)
    start = time.perf_counter()
    found = outputs(unet)
    seconds = (time.perf_counter() - start) / len(TIMES)
    parameters = sum(weight.numel() for weight in unet.parameters())
    assert parameters == count, f"theirs has {count} parameters, ours {parameters}"
    note = (
        f"{'full size' if full else 'small'}; 2 mels of 16 frames, largest output {expected.abs().max():.2f}"
    )
    return [
        Row("U-Net", parameters, float((found - expected).abs().max()), seconds, f"{note}; weights mapped")
    ]
