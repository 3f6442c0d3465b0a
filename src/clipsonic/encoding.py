"""What an encoder says of a text, for the priors that read more of it than the embedding."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize


@dataclass(frozen=True)
class TextEncoding:
    """Texts as their encoder sees them; one row a text."""

    projection: Float[
        Tensor, "b d"
    ]  # the text's place in the joint space, of whatever length the encoder gives
    tokens: Float[Tensor, "b n w"]  # last hidden state of each token
    mask: Bool[Tensor, "b n"]  # true for the text's own tokens, from its start to its end mark

    @property
    def embedding(self) -> Float[Tensor, "b d"]:
        """The projection at norm 1: what `encode_text` returns."""
        return normalize(self.projection.float(), dim=-1)

    def __getitem__(self, rows: slice | Tensor) -> "TextEncoding":
        return TextEncoding(self.projection[rows], self.tokens[rows], self.mask[rows])

    def to(self, device: torch.device | str) -> "TextEncoding":
        """The same on another device."""
        return TextEncoding(self.projection.to(device), self.tokens.to(device), self.mask.to(device))

    def repeat(self, times: int) -> "TextEncoding":
        """Each text `times` over, its copies one after another."""
        return TextEncoding(
            self.projection.repeat_interleave(times, 0),
            self.tokens.repeat_interleave(times, 0),
            self.mask.repeat_interleave(times, 0),
        )
