"""The modality gap, Table 2 of the paper: how near a bridged text comes to the true image embedding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from clipsonic.bridges.base import Bridge
from clipsonic.data.pairs import Pairs
from clipsonic.encoders.base import Encoder
from clipsonic.evaluation.bootstrap import Mean, bootstrap_mean

BATCH = 64


@dataclass(frozen=True)
class GapRow:
    """One bridge's cosines with the true image embeddings."""

    bridge: str
    cosine: Mean
    by_label: dict[str, Mean]  # text => its items alone
    right: Mean  # share of texts' embeddings to which an image of the same text is nearest
    spread: float  # mean cosine between two embeddings of one text: 1 says always the same


@dataclass(frozen=True)
class Gap:
    """The report on one model and set."""

    rows: list[GapRow]
    cosines: dict[str, NDArray[np.float32]]  # bridge => one number a pair
    embeddings: dict[str, Float[Tensor, "n d"]]  # bridge => one embedding a pair
    images: Float[Tensor, "n d"]  # the true ones
    labels: list[str]  # the text of each pair


def one_frame_each(pairs: Pairs, clips: int | None = None, seed: int = 0) -> Pairs:
    """Return one random (text, image) pair of each clip, as a clip is conditioned on one random frame.

    Args:
        clips: draw at most so many clips, without replacement; None keeps all.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(pairs))
    _, first = np.unique(pairs.items.numpy()[order], return_index=True)
    chosen = torch.from_numpy(np.sort(random.permutation(order[first])[:clips]))
    return replace(pairs, links=pairs.links[chosen], items=pairs.items[chosen])


def measure_gap(
    pairs: Pairs,
    encoder: Encoder,
    bridges: Mapping[str, Bridge | None],
    seed: int = 0,
    on_pair: Callable[[int], None] = lambda done: None,
) -> Gap:
    """Takes each held-out text over each bridge, once for every image it belongs to.

    Args:
        pairs: held out: never those that a bridge was trained on.
        bridges: name => bridge; None asks with the text embedding as it is.
        on_pair: called with the number of embeddings made.
    """
    texts, items = pairs.links[:, 0], pairs.items.numpy()
    images = pairs.images[pairs.links[:, 1]]
    both = encoder.encode_tokens(["", *pairs.texts])
    labels = [pairs.texts[text] for text in texts]
    rows, cosines, embeddings = [], {}, {}
    for done, (name, bridge) in enumerate(bridges.items()):
        parts = []
        for first in range(0, len(pairs), BATCH):
            chosen = texts[first : first + BATCH]
            said = both[1:][chosen]
            seeds = [torch.Generator().manual_seed(seed * 2**32 + first + row) for row in range(len(chosen))]
            parts.append(said.embedding if bridge is None else bridge.sample(said, both[:1], seeds))
            on_pair(done * len(pairs) + first + len(chosen))
        made = torch.cat(parts).float().cpu()
        cosine = (made * images).sum(1).numpy()
        nearest = (made @ images.T).argmax(1)
        right = (texts[nearest] == texts).float().numpy()
        by_label = {
            text: bootstrap_mean(cosine[mask], items[mask])
            for number, text in enumerate(pairs.texts)
            if (mask := (texts == number).numpy()).any()
        }
        cosine_mean, right_mean = bootstrap_mean(cosine, items), bootstrap_mean(right, items)
        rows.append(GapRow(name, cosine_mean, by_label, right_mean, _spread(made, texts)))
        cosines[name], embeddings[name] = cosine, made
    return Gap(rows, cosines, embeddings, images, labels)


def _spread(rows: Float[Tensor, "n d"], texts: Tensor) -> float:
    """Mean cosine of two different rows of the same text."""
    sums, count = 0.0, 0
    for text in set(texts.tolist()):
        same = rows[texts == text]
        if len(same) > 1:
            n = len(same)
            sums += float(same.sum(0).square().sum() - n)  # of all ordered pairs
            count += n * (n - 1)
    return sums / count if count else 1.0


def noisy_cosine(images: Float[Tensor, "n d"], most: float) -> float:
    """Mean cosine of an embedding with itself under the noise a model was trained with (`condition_noise`).

    How far off its condition may be before the model has never seen the like.
    """
    random = torch.Generator().manual_seed(0)
    length = most * torch.rand(len(images), 1, generator=random)
    noise = normalize(torch.randn(images.shape, generator=random), dim=-1)
    return float((normalize(images + length * noise, dim=-1) * images).sum(1).mean())


def principal_plane(rows: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "d"], Float[Tensor, "d 2"]]:
    """Embeddings => their mean and the two directions of largest variance (principal component analysis)."""
    mean = rows.mean(0)
    _, _, directions = torch.linalg.svd(rows - mean, full_matrices=False)
    return mean, directions[:2].T
