"""Bridges that are computed, not trained: a few lines on arrays of paired text and image embeddings each."""

from collections.abc import Sequence

import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from clipsonic.bridges.base import Bridge
from clipsonic.encoding import TextEncoding


class MeanShift(Bridge):
    """Adds the mean difference of image and text embeddings: the modality gap as one vector (Liang et al. 2022)."""

    @register_to_config
    def __init__(self, dim: int, encoder_id: str | None = None) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(dim))

    @classmethod
    def fit(cls, text: Float[Tensor, "n d"], image: Float[Tensor, "n d"], encoder_id: str) -> "MeanShift":
        """Unit embeddings of pairs => the bridge."""
        bridge = cls(text.shape[1], encoder_id)
        bridge.shift.copy_((image - text).mean(0))
        return bridge

    @torch.no_grad()
    def sample(
        self, text: TextEncoding, empty: TextEncoding, generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "b d"]:
        """Texts => unit embeddings; nothing is drawn."""
        self.check_text(text)
        return normalize(text.embedding + self.shift, dim=-1)


class LinearMap(Bridge):
    """The least-squares map from text to image embeddings, with a constant and a ridge."""

    @register_to_config
    def __init__(self, dim: int, encoder_id: str | None = None) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.zeros(dim + 1, dim))

    @classmethod
    def fit(
        cls, text: Float[Tensor, "n d"], image: Float[Tensor, "n d"], encoder_id: str, ridge: float = 1e-2
    ) -> "LinearMap":
        """Unit embeddings of pairs => the bridge.

        Args:
            ridge: penalty on the distance to the identity, as a share of the text's mean square: what the pairs
                say nothing of stays as it is.
        """
        dim = text.shape[1]
        bridge = cls(dim, encoder_id)
        rows = torch.cat([text, torch.ones(len(text), 1)], dim=1).double()
        known = torch.eye(dim + 1, dim, dtype=torch.float64)  # the identity, and no constant
        gram = rows.T @ rows
        penalty = ridge * len(rows) / dim * torch.eye(dim + 1, dtype=torch.float64)
        penalty[-1, -1] = 1e-9 * len(rows)  # the constant is free
        change = torch.linalg.solve(gram + penalty, rows.T @ (image.double() - rows @ known))
        bridge.matrix.copy_(known + change)
        return bridge

    @torch.no_grad()
    def sample(
        self, text: TextEncoding, empty: TextEncoding, generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "b d"]:
        """Texts => unit embeddings; nothing is drawn."""
        self.check_text(text)
        return normalize(text.embedding @ self.matrix[:-1] + self.matrix[-1], dim=-1)


class Retrieval(Bridge):
    """The mean of the k stored image embeddings whose keys are nearest, weighted by softmax(cosine / temperature).

    Args:
        pairs: how many are stored.
    """

    @register_to_config
    def __init__(
        self, dim: int, pairs: int, k: int = 32, temperature: float = 0.05, encoder_id: str | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("stored_keys", torch.zeros(pairs, dim))
        self.register_buffer("stored_images", torch.zeros(pairs, dim))

    @classmethod
    def fit(
        cls,
        keys: Float[Tensor, "n d"],
        image: Float[Tensor, "n d"],
        encoder_id: str,
        k: int = 32,
        temperature: float = 0.05,
    ) -> "Retrieval":
        """Pairs => the bridge.

        Args:
            keys: the pairs' unit text embeddings, or their image embeddings again.
            image: their unit image embeddings.
        """
        bridge = cls(keys.shape[1], len(keys), min(k, len(keys)), temperature, encoder_id)
        bridge.stored_keys.copy_(keys)
        bridge.stored_images.copy_(image)
        return bridge

    @torch.no_grad()
    def sample(
        self, text: TextEncoding, empty: TextEncoding, generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "b d"]:
        """Texts => unit embeddings; nothing is drawn."""
        self.check_text(text)
        cosine, chosen = (text.embedding @ self.stored_keys.T).topk(self.config.k, dim=1)
        weight = (cosine / self.config.temperature).softmax(dim=1)
        return normalize((weight[..., None] * self.stored_images[chosen]).sum(1), dim=-1)
