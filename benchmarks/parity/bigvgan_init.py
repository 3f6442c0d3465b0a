"""BigVGAN's first weights beside those of the published class, and what equal first steps make of both."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from benchmarks.parity.bigvgan import BLOCKS, SNAKE, published_class
from benchmarks.parity.table import Row
from clipsonic.audio import log_mel
from clipsonic.config import N_MELS
from clipsonic.settings.vocoder import BigVGANSettings
from clipsonic.training.vocoder import with_weight_norm
from clipsonic.vocoder.bigvgan import BigVGAN

SMALL = {"channels": 32, "upsample_rates": (8, 8, 4, 2), "upsample_kernels": (16, 16, 8, 4)}
STEPS = 50
RATE = 1e-3
SAMPLES = 4096


def ours(**shape: Any) -> nn.Module:
    """Return our generator as training begins with it."""
    torch.manual_seed(0)
    vocoder = BigVGAN(**BigVGANSettings(**(SMALL | shape)).model_dump())
    with_weight_norm(vocoder)
    return vocoder


def theirs(reference: Path) -> nn.Module:
    """Return the published generator as it is constructed."""
    network, attributes = published_class(reference)
    torch.manual_seed(0)
    config = BLOCKS | SNAKE | {"num_mels": N_MELS, "upsample_initial_channel": SMALL["channels"]}
    config |= {"upsample_rates": SMALL["upsample_rates"], "upsample_kernel_sizes": SMALL["upsample_kernels"]}
    vocoder: nn.Module = network(attributes(config))
    return vocoder


def effective(vocoder: nn.Module) -> list[Tensor]:
    """Return the convolutions' weights as they are used, norm times direction."""
    convolutions = nn.Conv1d | nn.ConvTranspose1d
    for module in vocoder.modules():  # the older weight_norm computes them before a pass
        for hook in module._forward_pre_hooks.values():
            hook(module, ())
    return [module.weight.detach() for module in vocoder.modules() if isinstance(module, convolutions)]


def spread(vocoder: nn.Module) -> float:
    """Return the root mean square of all weights times the root of their fan-in: PyTorch's start has 0.577."""
    scaled = torch.cat([weight.flatten() * weight[0].numel() ** 0.5 for weight in effective(vocoder)])
    return float(scaled.square().mean().sqrt())


def first_steps(vocoder: nn.Module, generate: Callable[[Tensor], Tensor]) -> float:
    """Return the L1 of log-mels after equal steps down that loss on one batch of noise that swells."""
    random = torch.Generator().manual_seed(1)
    wave = 0.3 * torch.randn(2, SAMPLES, generator=random) * torch.linspace(0.01, 1, SAMPLES)
    mel = log_mel(wave)
    optimizer = torch.optim.AdamW(vocoder.parameters(), lr=RATE, betas=(0.8, 0.99))
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = l1_loss(log_mel(generate(mel)), mel)
        loss.backward()
        optimizer.step()
    return loss.item()


def compare(reference: Path, full: bool, keep: bool) -> list[Row]:
    """Return one row: the largest difference is that of the weights' spread."""
    mine, published = ours(), theirs(reference)
    spreads = spread(mine), spread(published)
    start = time.perf_counter()
    found = first_steps(mine, mine)
    seconds = (time.perf_counter() - start) / STEPS
    expected = first_steps(published, lambda mel: published(mel)[:, 0])
    note = f"spread {spreads[0]:.3f}, theirs {spreads[1]:.3f}; mel L1 after {STEPS} equal steps {found:.2f}"
    note += f", theirs {expected:.2f}; seconds a step"
    parameters = sum(weight.numel() for weight in mine.parameters())
    return [Row("BigVGAN's first weights", parameters, abs(spreads[0] - spreads[1]), seconds, note)]
