"""Pictures of any pixel format => 8 bits a channel."""

import numpy as np
from PIL import Image

from clipsonic.errors import UserError

SIGNED = 2  # what TIFF's tag SampleFormat says of integers with a sign
SAMPLE_FORMAT = 339


def eight_bit(image: Image.Image) -> Image.Image:
    """Return a picture with 8 bits a channel; grey of 16 or 32 bits is divided by its full scale, not cut off.

    Raises:
        UserError: its samples are floating-point or negative, or its colours are Lab: no scale is certain.
    """
    if image.mode == "F":
        raise UserError("its samples are floating-point numbers of unknown scale; save it with 8 or 16 bits")
    if image.mode == "LAB":
        raise UserError("its colours are Lab; save it as RGB")
    if image.mode != "I" and not image.mode.startswith("I;"):
        return image
    grey = np.asarray(image)
    if image.mode == "I":
        grey = grey.astype(np.int64)
        if getattr(image, "tag_v2", {}).get(SAMPLE_FORMAT, (SIGNED,))[0] != SIGNED:
            grey = grey % 2**32  # Pillow reads unsigned samples as signed ones
        if grey.min() < 0:
            raise UserError("it has negative samples; save it with 8 or 16 bits")
    scaled = (grey.astype(np.float32) * np.float32(255 / _full_scale(image, grey))).round().astype(np.uint8)
    return Image.fromarray(scaled)


def _full_scale(image: Image.Image, grey: "np.ndarray[tuple[int, ...], np.dtype[np.integer]]") -> int:
    """Return the value of white: of 16 bits, or of the 32 that its file has if a sample needs more than 16."""
    if image.mode != "I" or grey.max() < 2**16:
        return 2**16 - 1
    return 2**31 - 1 if grey.max() < 2**31 else 2**32 - 1
