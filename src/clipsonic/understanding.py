"""How well a model understands a prompt: what its encoder cannot read, and the training labels nearest to it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from jaxtyping import Float
from torch import Tensor

from clipsonic.encoders.base import PROMPT, SOUND_PROMPT, Encoder, TextEncoder

NEAREST = 3  # labels named
ALIKE = 0.82  # similarity of two spellings of a word, one of them wrong; "vioiln" and "violin" have 0.83
SHOWN = 60  # characters of what was cut off


@dataclass(frozen=True)
class Understanding:
    """What a model makes of one prompt."""

    prompt: str
    cut: str = ""  # the end of the prompt that the encoder does not read
    unknown: tuple[str, ...] = ()  # its words and signs that the encoder has no token for
    nearest: tuple[tuple[str, float], ...] = ()  # training labels and their cosine, the nearest first
    familiar: bool = True  # whether it lies near a training label; true where the model cannot tell
    spelling: str | None = None  # the prompt with words spelled as in the labels

    @property
    def notes(self) -> list[str]:
        """One line for each thing that the user should know; none for a prompt that is read and familiar."""
        lines = []
        if self.unknown:
            lines.append(
                f"the encoder cannot read {' '.join(self.unknown)!r} of the prompt {_short(self.prompt)!r}"
            )
        if self.cut:
            lines.append(f"the encoder does not read the end of the prompt: {_short(self.cut)!r} was cut off")
        if not self.familiar:
            nearest = ", ".join(f"{label} ({cosine:.2f})" for label, cosine in self.nearest)
            meant = f"; did you mean {self.spelling!r}?" if self.spelling else ""
            lines.append(
                f"the model was not trained on {_short(self.prompt)!r}; its nearest labels are {nearest}{meant}"
            )
        return lines

    @property
    def metadata(self) -> dict[str, Any]:
        """For the metadata file: what differs from a prompt that is read and familiar, and the nearest labels."""
        page: dict[str, Any] = {"prompt": self.prompt}
        if self.nearest:
            page |= {"nearest_labels": {label: round(cosine, 3) for label, cosine in self.nearest}}
            page |= {"familiar": self.familiar}
        told = {"spelling": self.spelling, "cut": self.cut, "unknown": list(self.unknown)}
        return page | {name: value for name, value in told.items() if value}


def understand(
    encoder: TextEncoder,
    prompts: Sequence[str],
    labels: Sequence[str],
    label_rows: Float[Tensor, "n d"],
    familiar_cosine: float | None,
) -> list[Understanding]:
    """Return what the encoder reads of each prompt, and which training labels are nearest to it.

    Args:
        labels, label_rows: what the model was trained on, and `embed_labels` of it; none where that is unknown.
        familiar_cosine: a prompt whose nearest label has less, and that names no label, is not familiar.
    """
    unread = [encoder.unread(text) for text in prompts]
    cosines = encoder.encode_text(list(prompts)).float().cpu() @ label_rows.T
    found = []
    for text, missing, row in zip(prompts, unread, cosines, strict=True):
        best = row.topk(min(NEAREST, len(labels)))
        nearest = tuple((labels[int(place)], float(value)) for value, place in zip(*best, strict=True))
        familiar = (
            not nearest
            or familiar_cosine is None
            or nearest[0][1] >= familiar_cosine
            or any(re.search(rf"\b{re.escape(label)}\b", text, re.IGNORECASE) for label in labels)
        )
        spelling = None if familiar else respelled(text, labels)
        found.append(Understanding(text, missing.cut, missing.unknown, nearest, familiar, spelling))
    return found


def embed_labels(encoder: TextEncoder, labels: Sequence[str]) -> Float[Tensor, "n d"]:
    """Return unit embeddings of the paper's words for labels: "a photo of [label]", or "the sound of [label]"."""
    prompt = PROMPT if isinstance(encoder, Encoder) else SOUND_PROMPT
    return encoder.encode_text([prompt.format(label) for label in labels]).float().cpu()


def respelled(text: str, labels: Sequence[str]) -> str | None:
    """Return the text with words spelled as the words of the labels that they resemble, or None if none does."""
    known = sorted({word for label in labels for word in re.findall(r"\w+", label.lower())})

    def better(match: re.Match[str]) -> str:
        word = match[0].lower()
        if len(word) < 3 or word in known:
            return match[0]
        found = [other for other in known if sorted(other) == sorted(word)]  # "dgo"
        alike = [
            (SequenceMatcher(None, word, other).ratio(), other) for other in known if other[0] == word[0]
        ]
        found += [other for ratio, other in sorted(alike, reverse=True) if ratio >= ALIKE]
        return found[0] if found else match[0]

    changed = re.sub(r"\w+", better, text)
    return None if changed == text else changed


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
