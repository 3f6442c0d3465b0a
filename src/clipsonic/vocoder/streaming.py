"""Clips of any length through a vocoder in bounded memory: piece by piece, each with what it depends on."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from clipsonic.vocoder.base import Vocoder, readable

CHUNK_FRAMES = 512  # 16 s at a time


def stream(
    vocoder: Vocoder, mel: Float[Tensor, "b mels frames"], chunk_frames: int = CHUNK_FRAMES
) -> Iterator[Float[Tensor, "b samples"]]:
    """The wave in pieces of `chunk_frames` frames, the last one shorter.

    Every piece is made from its own frames and `vocoder.context_frames` on each side, on which alone its samples
    depend: joined, the pieces are what the whole mel gives, up to rounding, also where they meet and at the ends.

    Raises:
        UserError: there is no frame.
    """
    hop, context, frames = int(vocoder.mel["hop"]), vocoder.context_frames, readable(mel).shape[-1]
    for first in range(0, frames, chunk_frames):
        last = min(first + chunk_frames, frames)
        start = max(0, first - context)
        with torch.no_grad():
            wave = vocoder(mel[..., start : last + context])
        yield wave[:, (first - start) * hop : (last - start) * hop]


def vocode(
    vocoder: Vocoder, mel: Float[Tensor, "b mels frames"], chunk_frames: int = CHUNK_FRAMES
) -> Float[Tensor, "b samples"]:
    """The whole wave, made in pieces.

    Raises:
        UserError: there is no frame.
    """
    return torch.cat(list(stream(vocoder, mel, chunk_frames)), dim=1)
