"""CLIP and its like from transformers, by the name or folder they are published under."""

import html
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from clipsonic.encoders.base import Encoder, Unread, fingerprint, on_white, unread
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError, first_line

BATCH = 64  # pictures or texts in memory at once
MAX_TOKENS = 77  # of a text, start and end marks included; some models have room for fewer


class CLIPEncoder(Encoder):
    """A frozen CLIP, SigLIP or other two-tower model, loaded on first use from the hub's cache or a local folder.

    A model folder that uses it keeps this name, not CLIP's 1.7 GB.

    Args:
        name: hub id or folder, such as `openai/clip-vit-large-patch14`.
        revision: a commit of the hub repository, for results that cannot drift.
    """

    @register_to_config
    def __init__(self, name: str = "openai/clip-vit-large-patch14", revision: str | None = None) -> None:
        super().__init__()
        self.name = name
        self.revision = revision
        self.register_buffer("device_marker", torch.zeros(1))

    @cached_property
    def _parts(self) -> tuple[Any, Any, Any]:
        """Network, tokenizer and picture processor; held in a tuple, so that they are no weights of ours."""
        from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

        try:
            model = AutoModel.from_pretrained(self.name, revision=self.revision, use_safetensors=True)
            tokenizer = AutoTokenizer.from_pretrained(self.name, revision=self.revision)
            processor = AutoImageProcessor.from_pretrained(self.name, revision=self.revision, backend="pil")
        except Exception as error:  # transformers, safetensors and tokenizers each have errors of their own
            raise UserError(
                f"encoder {self.name} cannot be loaded ({first_line(error)}); "
                "download it once with network, or name a local folder that holds it"
            ) from error
        if not hasattr(model, "get_image_features") or not hasattr(model, "get_text_features"):
            raise UserError(f"{self.name} is a {type(model).__name__}: no model of pictures and words")
        return model.eval().requires_grad_(False), tokenizer, processor

    @property
    def id(self) -> str:
        """The published name and a fingerprint of the weights in use."""
        return f"{self.name.rstrip('/').split('/')[-1]}@{fingerprint(self._parts[0].named_parameters())}"

    @cached_property
    def embedding_dim(self) -> int:  # kept, since it takes a pass to know
        """Length D of an embedding: 768 for ViT-L/14."""
        return int(self.encode_tokens([""]).projection.shape[1])

    @torch.no_grad()
    def encode_image(self, images: Sequence[Image.Image]) -> Float[Tensor, "b d"]:
        """RGB pictures of any size => unit embeddings."""
        model, _, processor = self._parts
        device = self.device_marker.device
        rows = [torch.zeros(0, self.embedding_dim, device=device)]
        for start in range(0, len(images), BATCH):
            batch = [on_white(image) for image in images[start : start + BATCH]]
            if getattr(processor, "do_center_crop", False):
                batch = [centre_crop(image, processor.crop_size["height"]) for image in batch]
            pixels = processor(batch, return_tensors="pt")["pixel_values"].to(device)
            rows.append(model.to(device).get_image_features(pixel_values=pixels).pooler_output)
        return normalize(torch.cat(rows), dim=-1)

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "b d"]:
        """Texts, cut at 77 tokens => unit embeddings."""
        rows = [torch.zeros(0, self.embedding_dim, device=self.device_marker.device)]
        return torch.cat([*rows, *(encoding.embedding for encoding in self._encodings(texts))])

    def encode_tokens(self, texts: Sequence[str]) -> TextEncoding:
        """Texts, cut at 77 tokens => embeddings before they are brought to norm 1, and the 77 encoded tokens."""
        parts = list(self._encodings(texts))
        return TextEncoding(
            torch.cat([part.projection for part in parts]),
            torch.cat([part.tokens for part in parts]),
            torch.cat([part.mask for part in parts]),
        )

    def unread(self, text: str) -> Unread:
        """Return what of a text is past the 77th token, or past fewer where the model has room for fewer."""
        return unread(self._parts[1], text, self._room)

    @property
    def _room(self) -> int:
        positions = getattr(self._parts[0].config.text_config, "max_position_embeddings", MAX_TOKENS)
        return min(int(positions), MAX_TOKENS)

    @torch.no_grad()
    def _encodings(self, texts: Sequence[str]) -> Iterator[TextEncoding]:
        from transformers import CLIPTokenizer

        model, tokenizer, _ = self._parts
        device = self.device_marker.device
        tidy = tidied if isinstance(tokenizer, CLIPTokenizer) else str
        for start in range(0, len(texts), BATCH):
            inputs = tokenizer(
                [tidy(text) for text in texts[start : start + BATCH]],
                padding="max_length",
                max_length=self._room,
                truncation=True,
                return_tensors="pt",
            ).to(device)
            said = model.to(device).get_text_features(**inputs)
            # SigLIP marks no padding: it was trained to read it.
            mask = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"])).bool()
            yield TextEncoding(said.pooler_output, said.last_hidden_state, mask)


def centre_crop(image: Image.Image, size: int) -> Image.Image:
    """The middle square of a picture whose shorter edge becomes `size` pixels, cut as OpenAI's CLIP cuts it.

    transformers' processor rounds the margin down; torchvision, which CLIP was trained with, rounds half to even.
    They are one column apart for every other odd margin.
    """
    width, height = image.size
    short = min(width, height)
    width, height = int(size * width / short), int(size * height / short)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def tidied(text: str) -> str:
    """A text as OpenAI's CLIP tidies it before its tokenizer: broken Unicode, curly quotes and HTML's marks mended.

    transformers leaves this out, so that "it’s" with a curly mark would be other tokens.
    """
    import ftfy

    return html.unescape(html.unescape(ftfy.fix_text(text)))
