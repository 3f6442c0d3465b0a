"""A language-audio encoder for tests that understands one kind of sentence: "the sound of 440 Hz"."""

import re
from collections.abc import Sequence

import numpy as np
import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor
from torch.nn.functional import normalize, pad

from clipsonic.audio import EDGE, log_mel
from clipsonic.config import N_MELS, SAMPLE_RATE
from clipsonic.encoders.base import AudioEncoder


def tone(hertz: float, seconds: float = 1.5, seed: int = 0, noise: float = 0.01) -> Tensor:
    """16 kHz, with a little noise of its own."""
    random = torch.Generator().manual_seed(seed)
    time = torch.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return 0.3 * (2 * torch.pi * hertz * time).sin() + noise * torch.randn(len(time), generator=random)


class ToneEncoder(AudioEncoder):
    """Hears the mean log-mel spectrum; a text is the spectrum of the tone that it names."""

    @register_to_config
    def __init__(self) -> None:
        super().__init__()
        self.heard = 0  # sounds

    @property
    def id(self) -> str:
        return "tones@0"

    @property
    def embedding_dim(self) -> int:
        return N_MELS

    def encode_audio(self, waves: Sequence[np.ndarray], sample_rate: int) -> Tensor:
        assert sample_rate == SAMPLE_RATE
        self.heard += len(waves)
        filled = [pad(torch.from_numpy(wave), (0, max(0, EDGE + 1 - len(wave)))) for wave in waves]
        rows = [log_mel(wave[None])[0].mean(1) for wave in filled]
        return normalize(torch.stack([row - row.mean() for row in rows]), dim=-1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        tones = [tone(float(re.findall(r"\d+", text)[0])).numpy() for text in texts]
        rows = self.encode_audio(tones, SAMPLE_RATE)
        self.heard -= len(tones)
        return rows
