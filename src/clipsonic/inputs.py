"""What a caller of the pipeline may pass: one or several prompts, pictures or embeddings => lists and tensors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from clipsonic.data.pictures import open_picture
from clipsonic.errors import UserError

Texts = str | Sequence[str] | NDArray[Any]
Picture = Image.Image | str | Path | NDArray[Any] | Tensor
Pictures = Picture | Sequence[Picture]

UNIT = 1e-3  # a norm that differs from 1 by less is rounding


def as_texts(texts: Any, name: str = "prompt") -> list[str]:
    """Return one string or several (a sequence or an array) as a list.

    Raises:
        UserError: there is none, or something is not a string.
    """
    each = [texts] if isinstance(texts, str) else _several(texts)
    if each is None:
        raise UserError(f"{name} must be a string or a list of strings, got {type(texts).__name__}")
    if not each:
        raise UserError(f"{name} is an empty list; give at least one string")
    for place, text in enumerate(each):
        if not isinstance(text, str):
            raise UserError(f"{name}[{place}] must be a string, got {type(text).__name__}")
    return [str(text) for text in each]


def as_pictures(pictures: Any, name: str = "image") -> list[Image.Image]:
    """Return one picture or several as a list of PIL images; files are opened.

    Args:
        pictures: PIL images, paths, or arrays: (h, w), (h, w, 3) or (h, w, 4), tensors (c, h, w), uint8 or floats
            of 0 to 1. An array with four axes is several.

    Raises:
        UserError: there is none, a file cannot be read, or something is not a picture.
    """
    if isinstance(pictures, (Image.Image, str, Path)):
        pictures = [pictures]
    elif isinstance(pictures, (np.ndarray, Tensor)):
        pictures = list(pictures) if pictures.ndim == 4 else [pictures]
    elif not isinstance(pictures, Sequence):
        raise UserError(f"{name} must be a picture or a list of pictures, got {type(pictures).__name__}")
    if not len(pictures):
        raise UserError(f"{name} is an empty list; give at least one picture")
    return [_picture(each, name if len(pictures) == 1 else f"{name}[{n}]") for n, each in enumerate(pictures)]


def as_unit_rows(rows: Any, width: int, name: str = "embedding") -> Float[Tensor, "b d"]:
    """Return one embedding or several as rows of norm 1 in single precision.

    Args:
        rows: array, tensor or list of tensors, (d,) or (b, d), of any norm but 0.
        width: d, as the model's encoder gives it.

    Raises:
        UserError: another shape, no rows, a row of zeros, or values that are not finite.
    """
    try:
        if isinstance(rows, Sequence) and all(isinstance(row, Tensor) for row in rows):
            rows = torch.stack(list(rows))
        found = torch.as_tensor(rows).to(torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{name} must be an array of numbers, got {type(rows).__name__}") from error
    found = found[None] if found.dim() == 1 else found
    if found.dim() != 2 or not len(found) or found.shape[1] != width:
        raise UserError(f"{name} must have the shape ({width},) or (n, {width}), got {tuple(found.shape)}")
    norms = found.norm(dim=1, keepdim=True)
    if not (norms.isfinite().all() and (norms > 0).all()):
        raise UserError(f"{name} must hold finite numbers, and no row of zeros alone")
    return torch.where((norms - 1).abs() < UNIT, found, normalize(found, dim=1))


def _several(items: Any) -> list[Any] | None:
    """A sequence, or an array of any library => a list; None for anything else."""
    if hasattr(items, "tolist"):
        items = items.tolist()
        return items if isinstance(items, list) else [items]
    return list(items) if isinstance(items, Sequence) and not isinstance(items, (str, bytes)) else None


def _picture(picture: Any, name: str) -> Image.Image:
    if isinstance(picture, Image.Image):
        return picture
    if isinstance(picture, (str, Path)):
        return open_picture(Path(picture))
    if isinstance(picture, Tensor):
        picture = picture.detach().cpu()
        picture = (picture.float() if picture.is_floating_point() else picture).numpy()
        picture = picture.transpose(1, 2, 0) if picture.ndim == 3 else picture
    if not isinstance(picture, np.ndarray):
        raise UserError(f"{name} must be a PIL image, a path or an array, got {type(picture).__name__}")
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    if 0 in picture.shape or not (picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in (3, 4))):
        raise UserError(f"{name} must have the shape (height, width, 3), got {picture.shape}")
    if np.issubdtype(picture.dtype, np.floating):
        if not (np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1):
            raise UserError(f"{name} must hold numbers from 0 to 1 where they are floats, or be uint8")
        picture = np.round(picture.astype(np.float32) * 255).astype(np.uint8)
    if picture.dtype != np.uint8:
        raise UserError(f"{name} must be uint8, or floats from 0 to 1, got {picture.dtype}")
    return Image.fromarray(np.ascontiguousarray(picture))
