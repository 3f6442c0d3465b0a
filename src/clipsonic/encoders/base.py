"""What every frozen encoder is: pictures or sounds, and words => unit vectors of one space."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
import torch
from diffusers import ConfigMixin, ModelMixin
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from clipsonic.audio import as_waveform
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError
from clipsonic.pixels import eight_bit

PROMPT = "a photo of {}"  # the paper's, around a label
SOUND_PROMPT = "the sound of {}"  # the paper's, where a language-audio encoder reads it


@dataclass(frozen=True)
class Unread:
    """What of a text an encoder does not see."""

    cut: str = ""  # the end of it, past the encoder's last token
    unknown: tuple[str, ...] = ()  # words and signs that have no token


class TextEncoder(ModelMixin, ConfigMixin, ABC):
    """What all frozen encoders share; saved and loaded as a component of a diffusers pipeline.

    Rows of every `encode_` method have norm 1. `id` names the encoder and its weights: data sets and models record
    it, and embeddings of encoders with different ids are never mixed.
    """

    config_name = "config.json"

    @property
    @abstractmethod
    def id(self) -> str:
        """Name and fingerprint, such as `mini@3f2a90c1d4e5`."""

    @property
    @abstractmethod
    def embedding_dim(self) -> int:
        """Length D of an embedding."""

    @abstractmethod
    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "b d"]:
        """Texts => unit embeddings."""

    def unread(self, text: str) -> Unread:
        """Return what of a text does not reach the embedding; nothing, where the encoder cannot tell."""
        return Unread()


class Encoder(TextEncoder):
    """A language-vision encoder: pictures and words in one space."""

    @abstractmethod
    def encode_image(self, images: Sequence[Image.Image]) -> Float[Tensor, "b d"]:
        """RGB pictures of any size => unit embeddings."""

    @abstractmethod
    def encode_tokens(self, texts: Sequence[str]) -> TextEncoding:
        """One or more texts => what a prior reads of them: projections, token states and their mask."""


class AudioEncoder(TextEncoder):
    """A language-audio encoder: sounds and words in one space."""

    @abstractmethod
    def encode_audio(
        self, waves: Sequence[Float[np.ndarray, "samples"]], sample_rate: int
    ) -> Float[Tensor, "b d"]:
        """Mono waves in [-1, 1], each of its own length => unit embeddings; a row depends on its wave alone."""


def unread(tokenizer: Any, text: str, room: int) -> Unread:
    """Return what a fast tokenizer of transformers leaves out of a text.

    Args:
        room: tokens that the encoder reads, start and end marks included.
    """
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    places, ids = encoded["offset_mapping"], encoded["input_ids"]
    room -= tokenizer.num_special_tokens_to_add()
    cut = text[places[room][0] :] if len(places) > room else ""
    unknown = (
        text[slice(*place)]
        for place, token in zip(places, ids, strict=True)
        if token == tokenizer.unk_token_id
    )
    # A byte-level tokenizer has a token for every byte; its "unknown" is also its end mark, which no text gives.
    return Unread(cut.strip(), tuple(dict.fromkeys(unknown)))


def fingerprint(parameters: Iterable[tuple[str, Tensor]]) -> str:
    """Named weights => 12 hex digits that change with training.

    Hashes each name and shape and the first 1,024 values, so that it takes milliseconds for any size of model.
    """
    digest = hashlib.sha256()
    for name, weight in sorted(parameters, key=lambda item: item[0]):
        digest.update(f"{name}{tuple(weight.shape)}".encode())
        head = weight.detach().flatten()[:1024].to("cpu", torch.float32)
        digest.update(head.contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def resampled(
    wave: Float[np.ndarray, "samples"], sample_rate: int, wanted: int
) -> Float[Tensor, "resampled"]:
    """Resample a wave, taken as `as_waveform` takes it.

    Raises:
        UserError: it has no samples, or `as_waveform` refuses it.
    """
    if len(wave) == 0:
        raise UserError("a sound to embed is empty")
    mono = as_waveform(wave, "a sound to embed").wave
    if sample_rate == wanted:
        return mono
    made = soxr.resample(mono.numpy(), sample_rate, wanted)
    if len(made) == 0:
        raise UserError(f"a sound to embed is shorter than one sample at {wanted} Hz")
    return torch.from_numpy(np.ascontiguousarray(made, dtype=np.float32))


def on_white(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to RGB; transparent parts become white, as on paper.

    Raises:
        UserError: its pixels have no certain scale (see `eight_bit`).
    """
    try:
        image = eight_bit(image)
    except UserError as error:
        raise UserError(f"a picture cannot be used: {error}") from error
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured)
    return image.convert("RGB")
