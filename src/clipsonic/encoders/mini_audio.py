"""The small language-audio encoder that works offline: what CLAP is, in a thousandth of its size.

Words are read by the frozen all-MiniLM-L6-v2 of the mini encoder and a learned linear map; sounds are heard by a
small convolutional network on the project's own log-mel. Trained by `training/audio_encoder.py` as CLAP is
(Elizalde et al. 2022, arXiv 2206.04769; Wu et al. 2023, arXiv 2211.06687).
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from clipsonic.audio import log_mel
from clipsonic.config import HOP_LENGTH, N_MELS, SAMPLE_RATE
from clipsonic.encoders.base import AudioEncoder, Unread, fingerprint, resampled
from clipsonic.encoders.mini import TEXT_FEATURES, text_features, text_unread

LEVEL = 0.1  # root mean square that every sound is brought to: loudness tells nothing
QUIETEST = 1e-5  # root mean square, a third of a 16-bit step: what is quieter is not raised further
FLOOR = -7.0  # log-mel after that; what is 60 dB below a loud clip's peak is silence
SHORTEST = 16 * HOP_LENGTH  # samples; shorter sounds end in silence
AT_ONCE = 2**22  # samples in memory at once: four minutes
MAX_LOG_SCALE = math.log(100)  # CLIP's bound on its temperature (Radford et al. 2021, section 2.5)


class Convolution(nn.Module):
    """3 x 3, normed over the channels at each place: no number depends on another clip, nor on the length."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k i j"]:
        """(b, inputs, h, w) => (b, outputs, h / stride, w / stride), rounded up."""
        y: Tensor = self.norm(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return F.gelu(y)


class SoundNetwork(nn.Module):
    """Log-mel of any length => one vector: convolutions, all bands seen together, mean and largest over time."""

    def __init__(self, channels: Sequence[int], embedding_dim: int) -> None:
        super().__init__()
        self.stem = Convolution(1, channels[0], kernel=5, stride=2)
        self.blocks = nn.ModuleList(Convolution(inputs, outputs) for inputs, outputs in pairwise(channels))
        bands = N_MELS // 2 ** len(channels)
        self.bands = nn.Conv2d(channels[-1], channels[-1], (bands, 1))
        self.out = nn.Sequential(
            nn.LayerNorm(2 * channels[-1]), nn.Dropout(0.2), nn.Linear(2 * channels[-1], embedding_dim)
        )

    def forward(self, mel: Float[Tensor, "b mels frames"]) -> Float[Tensor, "b d"]:
        """Not yet of norm 1."""
        x = (mel[:, None].clamp(min=FLOOR) - FLOOR / 2) * (-2 / FLOOR)
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = F.max_pool2d(block(x), 2, ceil_mode=True)
        x = F.gelu(self.bands(x))[:, :, 0]
        vector: Tensor = self.out(torch.cat([x.mean(dim=-1), x.amax(dim=-1)], dim=1))
        return vector


class MiniAudioEncoder(AudioEncoder):
    """CLAP's part in mini.

    Args:
        embedding_dim: length of an embedding.
        channels: of the sound network's convolutions; each halves bands and frames.
        held_out_accuracy: share of held-out clips whose label it finds, as measured by its training; None if there
            were none. To be told beside every score that it gives.
        held_out_clips: how many there were.
    """

    @register_to_config
    def __init__(
        self,
        embedding_dim: int = 128,
        channels: tuple[int, ...] = (32, 64, 128, 256),
        held_out_accuracy: float | None = None,
        held_out_clips: int = 0,
    ) -> None:
        super().__init__()
        self.sound = SoundNetwork(channels, embedding_dim)
        self.text_projection = nn.Linear(TEXT_FEATURES, embedding_dim)
        nn.init.orthogonal_(self.text_projection.weight)  # words never heard of keep some of MiniLM's meaning
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))  # CLIP's start

    @property
    def id(self) -> str:
        """`mini-audio@` and the fingerprint of the weights."""
        return f"mini-audio@{fingerprint(self.named_parameters())}"

    @property
    def embedding_dim(self) -> int:
        """Length D of an embedding."""
        return int(self.config.embedding_dim)

    @property
    def logit_scale(self) -> Float[Tensor, ""]:
        """The learned inverse temperature: softmax(logit_scale * cosines) over some labels are probabilities."""
        return self.log_scale.float().clamp(max=MAX_LOG_SCALE).exp()

    def forward(
        self, mel: Float[Tensor, "b mels frames"], features: Float[Tensor, "n 384"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "n d"], Float[Tensor, ""]]:
        """What is trained: log-mels of `even` waves and MiniLM's features => unit rows of both, and the scale."""
        text = self.text_projection(features)
        return (
            F.normalize(self.sound(mel).float(), dim=-1),
            F.normalize(text.float(), dim=-1),
            self.logit_scale,
        )

    @torch.no_grad()
    def encode_audio(
        self, waves: Sequence[Float[np.ndarray, "samples"]], sample_rate: int
    ) -> Float[Tensor, "b d"]:
        """Mono waves in [-1, 1], each of its own length => unit embeddings; a row depends on its wave alone.

        Raises:
            UserError: a wave is empty or holds values that are not numbers.
        """
        of_length = defaultdict(list)
        ready = [even(resampled(wave, sample_rate, SAMPLE_RATE)[None])[0] for wave in waves]
        for number, wave in enumerate(ready):
            of_length[len(wave)].append(number)
        rows = torch.zeros(len(ready), self.embedding_dim, device=self.device)
        for length, numbers in of_length.items():
            count = max(1, AT_ONCE // length)
            for start in range(0, len(numbers), count):
                part = numbers[start : start + count]
                batch = torch.stack([ready[number] for number in part]).to(self.device)
                rows[part] = self.sound(log_mel(batch).to(self.dtype)).float()
        return F.normalize(rows, dim=-1)

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "b d"]:
        """Texts => unit embeddings; only the first 128 tokens count."""
        rows = [torch.zeros(0, self.embedding_dim, device=self.device)]
        for start in range(0, len(texts), 64):
            features = text_features(texts[start : start + 64], self.device)
            rows.append(self.text_projection(features.to(self.dtype)).float())
        return F.normalize(torch.cat(rows), dim=-1)

    def unread(self, text: str) -> Unread:
        """Return what of a text is past MiniLM's 128 tokens or not in its vocabulary."""
        return text_unread(text)


def even(wave: Float[Tensor, "b samples"]) -> Float[Tensor, "b longer"]:
    """Waves at one level, with silence after those of less than half a second."""
    level = wave.square().mean(dim=-1, keepdim=True).sqrt().clamp(min=QUIETEST)
    return F.pad(wave * (LEVEL / level), (0, max(0, SHORTEST - wave.shape[-1])))
