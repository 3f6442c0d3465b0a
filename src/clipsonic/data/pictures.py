"""Image files => pictures as encoders take them: upright, 8 bits a channel, of bounded size."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from clipsonic.errors import UserError, first_line
from clipsonic.pixels import eight_bit

SIDE = 1024  # pixels of the longer side that is kept: encoders look at 224 to 336
MOST_PIXELS = 178_956_970  # where Pillow itself refuses; a picture of that size takes about 0.7 GB
# What strangers may send. Pillow reads more, and some of that runs programs or names other files.
COMMON = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "HEIF")
PROGRAMS = {"EPS", "WMF"}  # kinds that Pillow has another program draw, which runs what the file says
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


class NotAPicture(UserError):
    """A file that is none of the formats read."""


class TooManyPixels(UserError):
    """A picture that is too large to be decoded."""


def open_picture(path: Path) -> Image.Image:
    """Load an image file of any format that Pillow reads, as `decode_picture` does.

    Raises:
        UserError: it is missing, empty, cut off, no picture, of a pixel format without a scale, or larger than 178
            million pixels.
    """
    if not path.is_file():
        raise UserError(f"no picture {path}")
    if path.stat().st_size == 0:
        raise UserError(f"the picture {path} is empty (0 bytes)")
    try:
        return decode_picture(path)
    except UserError as error:
        raise UserError(f"{path} cannot be read as a picture: {error}") from error


def decode_picture(
    path: Path, formats: Sequence[str] | None = None, most_pixels: int = MOST_PIXELS
) -> Image.Image:
    """Decode a picture: the first of an animation, upright, its longer side at most 1024 pixels.

    Transparency is kept. JPEGs are decoded at no more than the resolution that is needed.

    Args:
        formats: names of Pillow's that are tried; all but those that run programs if None.
        most_pixels: told from the header, before anything is decoded.

    Raises:
        NotAPicture: it is none of the formats.
        TooManyPixels: it is larger than `most_pixels`.
        UserError: it is damaged or cut off, or its pixels have no certain scale.
    """
    Image.init()
    _register_heif()
    known = [kind for kind in formats or Image.ID if kind in Image.OPEN and kind not in PROGRAMS]
    too_many = f"it has more than {most_pixels / 1e6:.4g} million pixels; make it smaller"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `most_pixels` bounds it
            with Image.open(path, formats=known) as opened:
                if opened.width * opened.height > most_pixels:
                    raise TooManyPixels(too_many)
                return _shrunk(opened)
    except Image.DecompressionBombError as error:
        raise TooManyPixels(too_many) from error
    except UnidentifiedImageError as error:
        raise NotAPicture(_none_of(path, known)) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(f"it is damaged or cut off ({first_line(error)})") from error


def _shrunk(image: Image.Image) -> Image.Image:
    large = max(image.size) > SIDE
    if large:
        image.draft("RGB", (SIDE, SIDE))
    image.load()
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    plain = eight_bit(image)
    if plain is not image:
        plain.info = {name: value for name, value in image.info.items() if name != "transparency"}
    if large:
        if plain.mode in ("P", "PA", "1"):
            plain = plain.convert(
                "L" if plain.mode == "1" else "RGBA"
            )  # colours can be averaged, indices cannot
        plain.thumbnail((SIDE, SIDE))
    plain.getexif()[ExifTags.Base.Orientation] = orientation  # which is lost where the mode was changed
    return ImageOps.exif_transpose(plain)


def _register_heif() -> None:
    if "HEIF" not in Image.OPEN:
        try:
            import pillow_heif
        except ImportError:
            return
        pillow_heif.register_heif_opener()


def _none_of(path: Path, known: Sequence[str]) -> str:
    named = [kind for kind in (*COMMON, "TIFF") if kind in known]
    kinds = f"{', '.join(named[:-1])} or {named[-1]}"
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:] in HEIC_BRANDS and "HEIF" not in known:
        return f"HEIC needs the package pillow-heif (pip install 'clipsonic[heic]'); without it, save it as {kinds}"
    return f"it is none of {kinds}"
