"""CLIP and its like from transformers, by the name or folder they are published under."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from clipsonic.encoders.base import Encoder, fingerprint, on_white
from clipsonic.errors import UserError, first_line

BATCH = 64  # pictures or texts in memory at once


class CLIPEncoder(Encoder):
    """A frozen CLIP, loaded on first use from the hub's cache or a local folder.

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
        from transformers import AutoModel, AutoTokenizer, CLIPImageProcessorPil

        try:
            model = AutoModel.from_pretrained(self.name, revision=self.revision, use_safetensors=True)
            tokenizer = AutoTokenizer.from_pretrained(self.name, revision=self.revision)
            processor = CLIPImageProcessorPil.from_pretrained(self.name, revision=self.revision)
        except (OSError, ValueError) as error:
            raise UserError(
                f"encoder {self.name} cannot be loaded ({first_line(error)}); "
                "download it once with network, or name a local folder that holds it"
            ) from error
        return model.eval().requires_grad_(False), tokenizer, processor

    @property
    def id(self) -> str:
        """The published name and a fingerprint of the weights in use."""
        return f"{self.name.rstrip('/').split('/')[-1]}@{fingerprint(self._parts[0].named_parameters())}"

    @property
    def embedding_dim(self) -> int:
        """Length D of an embedding: 768 for ViT-L/14."""
        return int(self._parts[0].config.projection_dim)

    @torch.no_grad()
    def encode_image(self, images: Sequence[Image.Image]) -> Float[Tensor, "b d"]:
        """RGB pictures of any size => unit embeddings."""
        model, _, processor = self._parts
        device = self.device_marker.device
        rows = [torch.zeros(0, self.embedding_dim, device=device)]
        for start in range(0, len(images), BATCH):
            batch = [on_white(image) for image in images[start : start + BATCH]]
            pixels = processor(batch, return_tensors="pt")["pixel_values"].to(device)
            rows.append(model.to(device).get_image_features(pixel_values=pixels).pooler_output)
        return normalize(torch.cat(rows), dim=-1)

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "b d"]:
        """Texts, cut at 77 tokens => unit embeddings."""
        model, tokenizer, _ = self._parts
        device = self.device_marker.device
        rows = [torch.zeros(0, self.embedding_dim, device=device)]
        for start in range(0, len(texts), BATCH):
            tokens = tokenizer(
                list(texts[start : start + BATCH]),
                padding="max_length",
                max_length=77,
                truncation=True,
                return_tensors="pt",
            ).to(device)
            rows.append(model.to(device).get_text_features(**tokens).pooler_output)
        return normalize(torch.cat(rows), dim=-1)
