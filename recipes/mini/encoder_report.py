"""What the mini encoder knows: zero-shot naming, synonyms, and the gap between pictures and words.

Only pictures of the test split are used. Top-1 picks among prompts "a photo of [label]".
"""

from collections.abc import Sequence
from typing import TypedDict

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from clipsonic.encoders.mini import MiniEncoder

TEN = (
    "dog", "rooster", "rain", "sea waves", "baby crying",
    "clock", "sneezing", "helicopter", "chainsaw", "fire",
)  # fmt: skip
SOUNDING = (
    "dog", "cat", "bird", "cow", "horse", "sheep", "pig", "goat", "lion", "frog", "monkey", "bee", "cricket",
    "duck", "car", "train", "bus", "boat", "airplane", "motorcycle", "guitar", "drum", "violin", "piano",
    "trumpet", "saxophone", "flute", "organ", "bell", "telephone", "clock", "fire", "rain",
    "sea waves", "fountain",
)  # fmt: skip
SYNONYMS = {
    "dog": ("a barking puppy", "a hound", "a labrador", "a dog barking in the yard"),
    "rooster": ("a crowing cockerel", "a rooster crowing at dawn", "a chicken on a farm"),
    "rain": ("a downpour", "heavy rainfall", "raindrops on a window", "a rainy day"),
    "sea waves": ("waves on a beach", "the ocean", "surf breaking on the shore", "the sea"),
    "baby crying": ("a wailing infant", "a crying newborn", "a baby in tears", "a toddler sobbing"),
    "clock": ("a ticking clock", "an alarm clock", "a wristwatch", "a grandfather clock"),
    "sneezing": ("achoo", "a man who sneezes", "a sneeze", "someone with a cold"),
    "helicopter": ("a chopper", "a helicopter flying overhead", "rotor blades"),
    "chainsaw": ("a power saw", "a chain saw cutting a tree", "a lumberjack at work"),
    "fire": ("a crackling campfire", "flames", "a bonfire", "a burning log"),
}  # fmt: skip


class Row(TypedDict):
    """A line of pictures.jsonl, as far as this recipe reads it."""

    path: str
    captions: list[str]
    concept: str | None
    source: str
    split: str


def report(encoder: MiniEncoder, rows: Sequence[Row], pictures: Float[Tensor, "n 1280"]) -> dict[str, float]:
    """Every figure of one encoder: shares of right answers, mean cosines, and the pictures they rest on."""
    with torch.no_grad():
        images = encoder.project_image(pictures)
    figures: dict[str, float] = {}

    ten = [row["concept"] for row in rows]
    figures |= _named(encoder, images, ten, TEN, "ten")
    for source in sorted({row["source"] for row in rows}):
        here = [label if row["source"] == source else None for label, row in zip(ten, rows, strict=True)]
        figures |= _named(encoder, images, here, TEN, f"ten, {source}")
    sounding = [_only(row, SOUNDING) for row in rows]
    figures |= _named(encoder, images, sounding, SOUNDING, "sounding")
    photos = [
        label if "imagenet" in row["source"] else None for label, row in zip(sounding, rows, strict=True)
    ]
    figures |= _named(encoder, images, photos, SOUNDING, "sounding, photos")

    labels = encoder.encode_text([f"a photo of {label}" for label in TEN])
    asked = [(text, TEN.index(label)) for label, texts in SYNONYMS.items() for text in texts]
    right = torch.tensor([index for _, index in asked])
    queries = encoder.encode_text([text for text, _ in asked])
    photo_queries = encoder.encode_text([f"a photo of {text}" for text, _ in asked])
    centres = F.normalize(
        torch.stack([images[torch.tensor([label == name for label in ten])].mean(dim=0) for name in TEN]),
        dim=1,
    )
    figures["synonyms => label"] = _share(queries @ labels.T, right)
    figures["labels => mean picture"] = _share(labels @ centres.T, torch.arange(len(TEN)))
    figures["synonyms => mean picture"] = _share(queries @ centres.T, right)
    figures["'a photo of [synonym]' => mean picture"] = _share(photo_queries @ centres.T, right)
    figures["synonyms asked"] = len(asked)

    prompts = encoder.encode_text([f"a photo of {row['captions'][0]}" for row in rows])
    cosine = images @ prompts.T
    same = torch.tensor([[a["captions"][0] == b["captions"][0] for a in rows] for b in rows])
    figures["cosine of true pairs"] = cosine.diagonal().mean().item()
    figures["cosine of wrong pairs"] = cosine[~same].mean().item()
    figures["distance of the two means"] = (images.mean(dim=0) - prompts.mean(dim=0)).norm().item()
    return figures


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
