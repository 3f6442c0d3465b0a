"""Image files of every pixel format and container => the picture a viewer shows."""

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsonic.data.pictures import COMMON, NotAPicture, TooManyPixels, decode_picture, open_picture
from clipsonic.encoders.base import on_white
from clipsonic.errors import UserError

RAMP = np.linspace(0, 1, 64 * 64).reshape(64, 64)


def grey(array: np.ndarray, path: Path) -> Path:
    Image.fromarray(array).save(path)
    return path


@pytest.mark.parametrize(
    ("name", "scale", "kind"),
    [
        ("a.png", 2**8 - 1, "u1"),
        ("a.png", 2**16 - 1, "u2"),
        ("a.tif", 2**16 - 1, "u2"),
        ("a.pgm", 2**16 - 1, "i4"),
        ("a.tif", 2**16 - 1, "i4"),
        ("a.tif", 2**31 - 1, "i4"),
    ],
)
def test_grey_of_any_depth_is_as_bright(tmp_path, name, scale, kind) -> None:
    path = grey((RAMP * scale).astype(kind), tmp_path / name)
    shown = np.asarray(on_white(open_picture(path)))
    assert shown.mean() == pytest.approx(127.5, abs=1)
    assert (shown.min(), shown.max()) == (0, 255)
    with Image.open(path) as opened:  # as a user of the library hands it over
        np.testing.assert_array_equal(np.asarray(on_white(opened)), shown)


def test_unsigned_32_bit_grey(tmp_path) -> None:
    path = tmp_path / "a.tif"
    samples = (RAMP * (2**32 - 1)).astype(np.uint32)
    Image.fromarray(samples.view(np.int32)).save(path)
    signed, unsigned = (struct.pack("<HHIH", 339, 3, 1, kind) for kind in (2, 1))  # the tag SampleFormat
    assert signed in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(signed, unsigned))
    assert np.asarray(open_picture(path)).mean() == pytest.approx(127.5, abs=1)


def test_16_bit_grey_is_turned_upright(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray((RAMP[:32] * 65535).astype("u2")).save(tmp_path / "a.png", exif=exif)
    assert open_picture(tmp_path / "a.png").size == (32, 64)


@pytest.mark.parametrize("array", [RAMP.astype("f4"), (RAMP * 255).astype("f4"), (RAMP * -9).astype("i4")])
def test_pictures_of_no_certain_scale_are_refused(tmp_path, array) -> None:
    path = grey(array, tmp_path / "a.tif")
    with pytest.raises(UserError, match=r"a\.tif.*(floating-point|negative)"):
        open_picture(path)
    with pytest.raises(UserError, match=r"floating-point|negative"):
        on_white(Image.fromarray(array))


def test_lab_is_refused(tmp_path) -> None:
    Image.new("LAB", (8, 8)).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match="Lab"):
        open_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["AVIF", "WEBP", "PNG", "GIF", "BMP", "JPEG"])
def test_common_formats_are_read_from_strangers_too(tmp_path, kind) -> None:
    path = tmp_path / "picture"
    Image.new("RGB", (40, 30), (200, 30, 30)).save(path, kind)
    for picture in (open_picture(path), decode_picture(path, COMMON)):
        assert np.abs(np.array(on_white(picture).getpixel((20, 15))) - (200, 30, 30)).max() < 12


def test_heic_is_read_or_named(tmp_path, monkeypatch) -> None:
    heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "photo.heic"
    heif.from_pillow(Image.new("RGB", (64, 64), (200, 30, 30))).save(path)
    assert np.abs(np.array(on_white(open_picture(path)).getpixel((20, 15))) - (200, 30, 30)).max() < 12
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF")
    with pytest.raises(UserError, match=r"photo\.heic.*pillow-heif.*JPEG"):
        open_picture(path)


def test_an_animation_is_its_first_picture(tmp_path) -> None:
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert on_white(open_picture(tmp_path / "a.gif")).getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize(("name", "mode"), [("a.jpg", "L"), ("a.png", "1")])
def test_99_megapixels_are_shrunk(tmp_path, name, mode) -> None:
    Image.new(mode, (11_500, 8_610), 255).save(tmp_path / name)
    picture = open_picture(tmp_path / name)
    assert picture.size == (1024, 767)
    assert on_white(picture).getpixel((500, 500)) == (255, 255, 255)


def test_transparency_survives_shrinking(tmp_path) -> None:
    Image.new("RGB", (2000, 100)).quantize().save(tmp_path / "a.gif", transparency=0)
    assert on_white(open_picture(tmp_path / "a.gif")).getpixel((3, 3)) == (255, 255, 255)


def test_what_is_no_picture_or_too_large(tmp_path) -> None:
    (tmp_path / "words.png").write_bytes(b"these are words")
    with pytest.raises(UserError, match=r"words\.png.*none of JPEG, PNG, .* TIFF"):
        open_picture(tmp_path / "words.png")
    with pytest.raises(NotAPicture, match=r"none of JPEG.*AVIF"):
        decode_picture(tmp_path / "words.png", COMMON)
    Image.new("1", (300, 300)).save(tmp_path / "a.png")
    with pytest.raises(TooManyPixels, match=r"0\.01 million"):
        decode_picture(tmp_path / "a.png", most_pixels=10_000)
