"""An image file => the picture, or the reason why not."""

import warnings
from pathlib import Path

from PIL import Image, ImageOps

from clipsonic.errors import UserError

PROGRAMS = {"EPS", "WMF"}  # kinds that Pillow has another program draw, which runs what the file says


def open_picture(path: Path) -> Image.Image:
    """An image file => the picture, upright; its transparency is the encoder's to treat.

    Raises:
        UserError: it is missing, empty, cut off, no picture, or unreasonably large.
    """
    if not path.is_file():
        raise UserError(f"no picture {path}")
    if path.stat().st_size == 0:
        raise UserError(f"the picture {path} is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            Image.init()
            with Image.open(path, formats=[kind for kind in Image.ID if kind not in PROGRAMS]) as image:
                image.load()
                return ImageOps.exif_transpose(image)
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombWarning,
        Image.DecompressionBombError,
    ) as error:
        raise UserError(f"{path} cannot be read as a picture: {error}") from error
