"""What the mini encoder knows: zero-shot naming, words it was not trained on, the gap between pictures and words.

Only pictures of the test split are used. Top-1 picks among prompts "a photo of [label]".
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import torch
from concept_sounds import CONCEPT_SOUNDS
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from words import MORE_WORDS, WORDS, unseen

from clipsonic.encoders.mini import MiniEncoder

TEN = (
    "dog", "rooster", "rain", "sea waves", "baby crying",
    "clock", "sneezing", "helicopter", "chainsaw", "fire",
)  # fmt: skip
CONCEPTS = tuple(concept.label for concept in CONCEPT_SOUNDS)
# Everyday things that make a sound and of which there are test photos.
EVERYDAY = (
    "dog", "cat", "cow", "horse", "sheep", "pig", "goat", "lion", "frog", "elephant", "rooster", "hen", "bird",
    "owl", "seagull", "bee", "cricket", "car", "train", "bus", "boat", "airplane", "ambulance", "guitar",
    "drum kit", "violin", "cello", "piano", "trumpet", "saxophone", "flute", "accordion", "harp", "banjo",
    "bell", "clock", "typewriter", "keyboard", "washing machine", "hammer", "axe", "chainsaw", "sea waves",
    "fountain", "lawn mower", "vacuum cleaner",
)  # fmt: skip


class Row(TypedDict):
    """A line of pictures.jsonl, as far as this recipe reads it."""

    path: str
    captions: list[str]
    concept: str | None
    source: str
    split: str


def embed(encoder: MiniEncoder, rows: Sequence[Row], work: Path) -> Float[Tensor, "n d"]:
    """Embeddings of the rows' pictures, few of which are open at a time."""
    parts = [
        encoder.encode_image([Image.open(work / row["path"]) for row in rows[at : at + 64]])
        for at in range(0, len(rows), 64)
    ]
    return torch.cat(parts)


def report(
    encoder: MiniEncoder,
    rows: Sequence[Row],
    images: Float[Tensor, "n d"],
    captions: Sequence[str],
) -> dict[str, float]:
    """Every figure of one encoder: shares of right answers, mean cosines, and what they rest on.

    Args:
        images: embeddings of the rows' pictures.
        captions: what the encoder was trained with.
    """
    figures: dict[str, float] = {}
    photo = ["imagenet" in row["source"] for row in rows]
    truth = [row["concept"] for row in rows]
    everyday = [_only(row, EVERYDAY) if is_photo else None for row, is_photo in zip(rows, photo, strict=True)]
    figures |= _named(encoder, images, everyday, EVERYDAY, "everyday photos")
    for title, labels in (("concepts", CONCEPTS), ("ten", TEN)):
        here = [label if label in labels else None for label in truth]
        drawn = [None if is_photo else label for label, is_photo in zip(here, photo, strict=True)]
        figures |= _named(encoder, images, here, labels, f"{title}, all pictures")
        figures |= _named(encoder, images, drawn, labels, f"{title}, open pictures")

    prompts = encoder.encode_text([f"a photo of {label}" for label in CONCEPTS])
    shown = torch.tensor([label in truth for label in CONCEPTS])
    centres = F.normalize(
        torch.stack(
            [
                images[torch.tensor([label == name for label in truth])].mean(dim=0)
                if there
                else images[0] * 0
                for name, there in zip(CONCEPTS, shown, strict=True)
            ]
        ),
        dim=1,
    )
    for title, table in (("first", WORDS), ("second", MORE_WORDS)):
        asked = unseen(captions, table)
        right = torch.tensor([CONCEPTS.index(label) for _, label in asked])
        bare = encoder.encode_text([text for text, _ in asked])
        wrapped = encoder.encode_text([f"a photo of {text}" for text, _ in asked])
        figures[f"words not trained on, {title} list"] = len(asked)
        figures[f"{title} list => label"] = _share(bare @ prompts.T, right)
        figures[f"{title} list, 'a photo of [word]' => label"] = _share(wrapped @ prompts.T, right)
        figures[f"{title} list, the same => mean picture"] = _share(wrapped @ centres.T, right)
    figures["labels => mean picture"] = _share(prompts @ centres.T, torch.arange(len(CONCEPTS)))

    captioned = encoder.encode_text([f"a photo of {row['captions'][0]}" for row in rows])
    cosine = images @ captioned.T
    same = torch.tensor([[a["captions"][0] == b["captions"][0] for a in rows] for b in rows])
    figures["cosine of true pairs"] = cosine.diagonal().mean().item()
    figures["cosine of wrong pairs"] = cosine[~same].mean().item()
    figures["distance of the two means"] = (images.mean(dim=0) - captioned.mean(dim=0)).norm().item()
    return figures


def confusions(encoder: MiniEncoder, rows: Sequence[Row], images: Float[Tensor, "n d"]) -> list[str]:
    """Which concepts are taken for which others, the most frequent first."""
    prompts = encoder.encode_text([f"a photo of {label}" for label in CONCEPTS])
    said = (images @ prompts.T).argmax(dim=1).tolist()
    pairs = Counter(
        (str(row["concept"]), CONCEPTS[guess])
        for row, guess in zip(rows, said, strict=True)
        if row["concept"] in CONCEPTS and row["concept"] != CONCEPTS[guess]
    )
    return [f"{true} taken for {other}: {count}" for (true, other), count in pairs.most_common(15)]


def _only(row: Row, labels: Sequence[str]) -> str | None:
    """The one label among the captions and the concept of a row; None if there is none or more than one."""
    found = {*row["captions"], row["concept"]} & set(labels)
    return found.pop() if len(found) == 1 else None


def _named(
    encoder: MiniEncoder,
    images: Float[Tensor, "n d"],
    truth: Sequence[str | None],
    labels: Sequence[str],
    title: str,
) -> dict[str, float]:
    """Top-1 over all pictures that have a label, and the mean of each label's own top-1."""
    kept = torch.tensor([label is not None for label in truth])
    if not kept.any():
        return {}
    right = torch.tensor([labels.index(label) for label in truth if label is not None])
    prompts = encoder.encode_text([f"a photo of {label}" for label in labels])
    hit = ((images[kept] @ prompts.T).argmax(dim=1) == right).double()
    by_label = [hit[right == index].mean().item() for index in right.unique().tolist()]
    return {
        f"{title}: top-1": hit.mean().item(),
        f"{title}: top-1, mean of labels": sum(by_label) / len(by_label),
        f"{title}: pictures": len(right),
        f"{title}: labels": len(by_label),
    }


def _share(similarity: Float[Tensor, "n labels"], right: Tensor) -> float:
    return (similarity.argmax(dim=1) == right).double().mean().item()


def print_report(measured: dict[str, dict[str, float]]) -> None:
    """One line a figure, one column a system."""
    systems = list(measured)
    print(f"{'':44}" + "".join(f"{name:>16}" for name in systems))
    for figure in measured[systems[0]]:
        values = (measured[name][figure] for name in systems)
        print(
            f"{figure:44}" + "".join(f"{value:16.0f}" if value > 2 else f"{value:16.3f}" for value in values)
        )
