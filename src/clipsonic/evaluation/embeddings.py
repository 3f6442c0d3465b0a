"""What a Fréchet distance hears with: a sound => features of its windows."""

from abc import ABC, abstractmethod

import numpy as np
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

from clipsonic.encoders.base import AudioEncoder, fingerprint
from clipsonic.encoders.clap import CLAPEncoder
from clipsonic.encoders.load import load_audio_encoder
from clipsonic.encoders.pe_av import PEAVAudioEncoder
from clipsonic.errors import UserError
from clipsonic.evaluation.vggish import VGGISH_RATE, VGGish, load_vggish
from clipsonic.published import require

# Windows as long as what a system generates: CLAP repeats what is shorter than its 10 s, and would else hear
# repetitions in generated clips alone.
CLAP_SECONDS = 4.0
MINI_SECONDS = 1.024  # 32 frames, the shortest crop the mini encoder was trained on


class SoundEmbedding(ABC):
    """Hears a sound window by window.

    A rest at the end of a clip that fills no window is left out, as in the original VGGish. A clip shorter than one
    window still gives one: no clip may vanish from the scores.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What makes the features, exactly: the network, its weights, and how a clip is cut."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length d of a feature."""

    @abstractmethod
    def windows(self, wave: Float[Tensor, "samples"], sample_rate: int) -> Float[Tensor, "n d"]:
        """Mono wave in [-1, 1] => a feature of each window, one at least.

        Raises:
            UserError: the wave is empty or holds values that are not numbers.
        """


class VGGishEmbedding(SoundEmbedding):
    """The usual ear of the Fréchet audio distance: 0.96 s windows, one after another; short clips end in zeros."""

    dimension = 128

    def __init__(self, vggish: VGGish) -> None:
        self.vggish = vggish

    @property
    def name(self) -> str:
        """With a fingerprint of the weights."""
        return f"vggish@{fingerprint(self.vggish.named_parameters())} (harritaylor/torchvggish, no ReLU)"

    def windows(self, wave: Float[Tensor, "samples"], sample_rate: int) -> Float[Tensor, "n 128"]:
        """Mono wave of any rate => its embeddings."""
        if sample_rate != VGGISH_RATE:
            wave = torch.from_numpy(soxr.resample(wave.numpy(), sample_rate, VGGISH_RATE))
        return self.vggish.embed(wave).cpu()


class AudioEncoderEmbedding(SoundEmbedding):
    """A language-audio encoder, such as CLAP (Gui et al. 2023, arXiv 2311.01616), on windows of any length.

    A clip shorter than a window is heard as it is: encoders fill short sounds in the way they were trained with.
    """

    def __init__(self, encoder: AudioEncoder, window_seconds: float, hop_seconds: float) -> None:
        self.encoder = encoder
        self.window_seconds = window_seconds
        self.hop_seconds = hop_seconds

    @property
    def name(self) -> str:
        """The encoder's id and the windows."""
        return f"{self.encoder.id} ({self.window_seconds:g} s windows every {self.hop_seconds:g} s)"

    @property
    def dimension(self) -> int:
        """The encoder's."""
        return self.encoder.embedding_dim

    def windows(self, wave: Float[Tensor, "samples"], sample_rate: int) -> Float[Tensor, "n d"]:
        """Mono wave => unit embeddings."""
        pieces = cut(wave.numpy(), sample_rate, self.window_seconds, self.hop_seconds)
        return self.encoder.encode_audio(pieces, sample_rate).cpu()


def cut(
    wave: Float[np.ndarray, "samples"], sample_rate: int, window_seconds: float, hop_seconds: float
) -> list[Float[np.ndarray, "window"]]:
    """A wave => its whole windows; a shorter wave is one as it is."""
    window, hop = round(window_seconds * sample_rate), round(hop_seconds * sample_rate)
    return [wave[start : start + window] for start in range(0, max(0, len(wave) - window) + 1, hop)]


def load_sound_embedding(name: str, device: str = "cpu") -> SoundEmbedding:
    """Load `vggish`, `clap`, `pe-av`, `mini`, or the folder of a language-audio encoder, onto a device.

    Raises:
        UserError: it is not here; says how to get it.
    """
    if name == "vggish":
        try:
            return VGGishEmbedding(load_vggish(require("vggish")).to(device))
        except UserError as error:
            raise UserError(f"{error}; --embedding mini works offline") from error
    encoder = load_audio_encoder(name).to(device)
    seconds = CLAP_SECONDS if isinstance(encoder, CLAPEncoder | PEAVAudioEncoder) else MINI_SECONDS
    return AudioEncoderEmbedding(encoder, seconds, seconds)
