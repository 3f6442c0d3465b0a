"""Words and pictures that belong together => pairs of texts and image embeddings, for the bridges between them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from clipsonic.data.dataset import ClipDataset
from clipsonic.data.lists import read_rows
from clipsonic.data.pictures import open_picture
from clipsonic.encoders.base import PROMPT, Encoder
from clipsonic.errors import UserError
from clipsonic.files import whole_file

COLUMNS = ("path", "caption", "captions", "split")
CHUNK = 512  # pictures embedded between two saves
OPEN = 32  # pictures in memory at once, at their full size


@dataclass(frozen=True)
class Pairs:
    """Texts, each once, image embeddings, and which belong together."""

    encoder_id: str
    texts: list[str]
    images: Float[Tensor, "m d"]  # unit rows
    links: Int[Tensor, "n 2"]  # rows of (text, image)
    items: Int[Tensor, "n"]  # which clip or picture a pair is of: pairs of one item are not independent

    def __len__(self) -> int:
        return len(self.links)

    @property
    def id(self) -> str:
        """Changes when the pairs do."""
        digest = hashlib.sha256("\n".join([self.encoder_id, *self.texts]).encode())
        digest.update(self.links.numpy().tobytes())
        digest.update(self.images.numpy().tobytes())
        return digest.hexdigest()[:16]


def labelled_pairs(data: Path, splits: set[str]) -> Pairs:
    """Every kept frame of a prepared data set's clips, with "a photo of [label]".

    Raises:
        UserError: the folder is no data set, has no such split, or its clips have no labels.
    """
    clips = ClipDataset(data, splits)
    texts: dict[str, int] = {}
    images: list[NDArray[np.float32]] = []
    links, items = [], []
    for number, (_, clip) in enumerate(clips.clips):
        if clip.info.label is None:
            continue
        text = texts.setdefault(PROMPT.format(clip.info.label), len(texts))
        for image in clips.embeddings(number):
            links.append((text, len(images)))
            items.append(number)
            images.append(image)
    if not links:
        raise UserError(
            f"the clips in {data} have no labels; prepare them from a CSV with a column 'label', "
            "or train on captioned pictures with --captions"
        )
    stacked = torch.from_numpy(np.stack(images))
    return Pairs(clips.info.encoder_id, list(texts), stacked, torch.tensor(links), torch.tensor(items))


@dataclass(frozen=True)
class Captioned:
    """A picture and what is said of it."""

    path: Path
    captions: list[str]
    split: str


def read_captions(file: Path) -> list[Captioned]:
    """A list of captioned pictures, CSV or JSON lines, with `path` and `caption` (JSON also `captions`, a list).

    Paths are taken relative to the list; `split` is `train` unless given.

    Raises:
        UserError: there is no such list, a column is unknown, or a line lacks its path or caption.
    """
    if not file.is_file():
        raise UserError(f"no list of captioned pictures {file}")
    found = []
    for number, row in enumerate(read_rows(file, COLUMNS), 1):
        captions = row.get("captions") or row.get("caption")
        captions = captions if isinstance(captions, list) else [captions]
        captions = [text for text in captions if isinstance(text, str) and text.strip()]
        if not isinstance(row.get("path"), str) or not captions:
            raise UserError(f"{file}, entry {number}: it needs 'path' and 'caption'")
        found.append(Captioned(file.parent / row["path"], captions, row.get("split") or "train"))
    return found


def captioned_pairs(
    pictures: Sequence[Captioned],
    encoder: Encoder,
    cache: Path,
    on_picture: Callable[[int], None] = lambda done: None,
) -> Pairs:
    """Embeds captioned pictures; the same call goes on where it was stopped.

    Args:
        cache: folder for the embeddings, a file every 512 pictures.
        on_picture: called with the number of pictures done.

    Raises:
        UserError: a picture cannot be read.
    """
    names = "\n".join(f"{picture.path.resolve()} {picture.captions}" for picture in pictures)
    key = hashlib.sha256(f"{encoder.id}\n{names}".encode()).hexdigest()[:16]
    parts = []
    for first in range(0, len(pictures), CHUNK):
        chunk = pictures[first : first + CHUNK]
        path = cache / f"{key}-{first:07d}.safetensors"
        if not path.exists():
            cache.mkdir(parents=True, exist_ok=True)
            few = [chunk[start : start + OPEN] for start in range(0, len(chunk), OPEN)]
            rows = torch.cat(
                [encoder.encode_image([open_picture(p.path) for p in part]).cpu() for part in few]
            )
            with whole_file(path) as file:
                save_file({"images": rows.contiguous()}, file.name)
        parts.append(load_file(path)["images"])
        on_picture(first + len(chunk))
    texts: dict[str, int] = {}
    links = [
        (texts.setdefault(caption, len(texts)), number)
        for number, picture in enumerate(pictures)
        for caption in picture.captions
    ]
    table = torch.tensor(links)
    return Pairs(encoder.id, list(texts), torch.cat(parts), table, table[:, 1].clone())
