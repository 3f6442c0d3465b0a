"""FID of mel spectrograms, seen as pictures.

Features are a language-vision encoder's image embeddings, as Kynkäänniemi et al. 2023 (arXiv 2203.06026) argue for:
CLIP's, or those of mini offline. The Inception network of the first FIDs has no published safetensors, so these
numbers are comparable with each other for the same encoder, and with no FID of Inception.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from clipsonic.audio import log_mel, to_model_range
from clipsonic.config import CLIP_FRAMES, HOP_LENGTH, SAMPLE_RATE
from clipsonic.encoders.base import Encoder, resampled
from clipsonic.evaluation.embeddings import SoundEmbedding

CLIP_SAMPLES = CLIP_FRAMES * HOP_LENGTH  # in a picture: 4.096 s


class MelImageEmbedding(SoundEmbedding):
    """Sees a sound picture by picture, 128 frames each; a shorter clip ends in silence."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    @property
    def name(self) -> str:
        """The encoder's id and what it sees."""
        return f"{self.encoder.id} (grey pictures of log-mels, {CLIP_FRAMES} frames each)"

    @property
    def dimension(self) -> int:
        """The encoder's."""
        return self.encoder.embedding_dim

    def windows(self, wave: Float[Tensor, "samples"], sample_rate: int) -> Float[Tensor, "n d"]:
        """Mono wave => unit embeddings of its pictures."""
        sound = resampled(wave.numpy(), sample_rate, SAMPLE_RATE)
        pictures = max(1, len(sound) // CLIP_SAMPLES)
        sound = pad(sound, (0, max(0, CLIP_SAMPLES - len(sound))))[: pictures * CLIP_SAMPLES]
        mels = log_mel(sound[None])[0].unfold(1, CLIP_FRAMES, CLIP_FRAMES).permute(1, 0, 2)
        return self.encoder.encode_image(mel_images(mels)).cpu()


def mel_images(mels: Float[Tensor, "n mels frames"]) -> Sequence[Image.Image]:
    """Log-mels => grey RGB pictures: low notes below, black the floor of -11.5, white 3.5; each band two rows high.

    So 64 bands and 128 frames fill a square, which encoders see whole.
    """
    grey = ((to_model_range(mels) + 1) * 127.5).clamp(0, 255).round().to(torch.uint8)
    rows = grey.flip(1).repeat_interleave(2, dim=1).numpy()
    return [Image.fromarray(np.repeat(picture[..., None], 3, axis=2)) for picture in rows]
