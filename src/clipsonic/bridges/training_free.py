"""Bridges that are computed, not trained: a few lines on arrays of paired text and image embeddings each."""

from collections.abc import Sequence

import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from clipsonic.bridges.base import Bridge
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError


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

    Where the keys are image embeddings, pictures can be taken over it as well: what a model has never seen comes
    nearer to what it was trained with.

    Args:
        pairs: how many are stored.
        pictures: whether the keys are image embeddings.
    """

    @register_to_config
    def __init__(
        self,
        dim: int,
        pairs: int,
        k: int = 32,
        temperature: float = 0.05,
        pictures: bool = False,
        encoder_id: str | None = None,
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
        pictures: bool = False,
    ) -> "Retrieval":
        """Pairs => the bridge.

        Args:
            keys: the pairs' unit text embeddings, or their image embeddings again: then `pictures`.
            image: their unit image embeddings.
        """
        bridge = cls(keys.shape[1], len(keys), min(k, len(keys)), temperature, pictures, encoder_id)
        bridge.stored_keys.copy_(keys)
        bridge.stored_images.copy_(image)
        return bridge

    @torch.no_grad()
    def sample(
        self, text: TextEncoding, empty: TextEncoding, generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "b d"]:
        """Texts => unit embeddings; nothing is drawn."""
        self.check_text(text)
        return self.over(text.embedding)

    @torch.no_grad()
    def over(self, rows: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Unit embeddings of what the keys are of => unit image embeddings among those that are stored."""
        cosine, chosen = (rows @ self.stored_keys.T).topk(self.config.k, dim=1)
        weight = (cosine / self.config.temperature).softmax(dim=1)
        return normalize((weight[..., None] * self.stored_images[chosen]).sum(1), dim=-1)


def among_pictures(bridge: Bridge) -> Retrieval:
    """The same, if pictures can be taken over it.

    Raises:
        UserError: it is from words only.
    """
    if not (isinstance(bridge, Retrieval) and bridge.config.pictures):
        raise UserError(
            "the bridge is from words, not from pictures; train bridge retrieval --keys image makes one"
        )
    return bridge


def centres(
    image: Float[Tensor, "n d"], count: int, rounds: int = 50, seed: int = 0
) -> Float[Tensor, "count d"]:
    """Unit embeddings => the directions that they gather around (spherical k-means, Dhillon and Modha 2001)."""
    random = torch.Generator().manual_seed(seed)
    found = image[torch.randperm(len(image), generator=random)[:count]].clone()
    for _ in range(rounds):
        nearest = (image @ found.T).argmax(dim=1)
        sums = torch.zeros_like(found).index_add_(0, nearest, image)
        taken = torch.bincount(nearest, minlength=len(found)) > 0  # one that lost all its members stays
        found[taken] = normalize(sums[taken], dim=1)
    return found
