"""What every bridge is: texts as an encoder says them => unit image embeddings of the same space."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from diffusers import ConfigMixin, ModelMixin
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError


class Bridge(ModelMixin, ConfigMixin, ABC):
    """A way from words to pictures, a component of a diffusers pipeline: a diffusion prior, or simpler."""

    config_name = "config.json"

    @property
    def embedding_dim(self) -> int:
        """Length D of the embeddings it was made for: the setting `dim`, where a bridge has one."""
        return int(self.config.dim)

    @abstractmethod
    def sample(
        self, text: TextEncoding, empty: TextEncoding, generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "b d"]:
        """Texts => unit image embeddings.

        Args:
            empty: the encoding of the one text "", from which guidance steers away.
            generators: one a text; a row depends on its text and generator alone, not on its batch.

        Raises:
            UserError: the text comes from an encoder of another size.
        """

    def check_text(self, text: TextEncoding, tokens: int | None = None) -> None:
        """Refuses the words of another encoder than the bridge was made with, as far as sizes tell.

        Raises:
            UserError: the embeddings' length differs, or there are more tokens a text than `tokens`.
        """
        dim, given = text.projection.shape[-1], text.tokens.shape[1]
        if dim != self.embedding_dim:
            raise UserError(
                f"the bridge was made for embeddings of {self.embedding_dim} numbers and the encoder gives {dim}; "
                "use the encoder that it was trained with"
            )
        if tokens is not None and given > tokens:
            raise UserError(f"the bridge reads {tokens} tokens a text and the encoder gives {given}")


def draw(shape: Sequence[int], generators: Sequence[torch.Generator], like: Tensor) -> Tensor:
    """Standard normal noise, `shape` from each generator => (generators, *shape), where `like` is."""
    rows = [torch.randn(tuple(shape), generator=each, device=each.device) for each in generators]
    return torch.stack(rows).to(like.device, like.dtype)


def nearest(candidates: Float[Tensor, "b k d"], text: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    """Of each text's candidates, the one of largest cosine with it (Ramesh et al. 2022, section 2.2)."""
    best = cosine_similarity(candidates, text[:, None], dim=-1).argmax(dim=1)
    return candidates[torch.arange(len(candidates)), best]
