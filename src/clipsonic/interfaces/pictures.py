"""Pictures in and out: the user's query, and the image of a mel spectrogram."""

import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageOps

from clipsonic.config import FRAMES_PER_SECOND, LOG_MEL_FLOOR, LOG_MEL_TOP, SAMPLE_RATE
from clipsonic.errors import UserError


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
            with Image.open(path) as image:
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


def save_mel(path: Path, mel: Float[np.ndarray, "mels frames"], title: str) -> None:
    """A log-mel spectrogram => a PNG with time, frequency and level."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    seconds = mel.shape[1] / FRAMES_PER_SECOND
    decibels = mel * (20 / np.log(10))
    low, high = LOG_MEL_FLOOR * (20 / np.log(10)), LOG_MEL_TOP * (20 / np.log(10))
    picture = axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=low,
        vmax=high,
        extent=(0, seconds, 0, len(mel)),
        interpolation="nearest",
    )
    hertz = [125, 500, 1000, 2000, 4000, 8000]
    axes.set_yticks([band_of(f, len(mel)) for f in hertz], [str(f) for f in hertz])
    axes.set(xlabel="seconds", ylabel="Hz")
    axes.set_title(title if len(title) <= 80 else f"{title[:79]}…", parse_math=False)
    figure.colorbar(picture, ax=axes, label="dB")
    figure.savefig(path, format="png")


def band_of(hertz: float, bands: int) -> float:
    """Frequency => its place on the axis of mel bands (Slaney's scale: linear to 1 kHz, then logarithmic)."""

    def mel(f: float) -> float:
        return f * 3 / 200 if f < 1000 else 15 + np.log(f / 1000) * 27 / np.log(6.4)

    return float(mel(hertz) / mel(SAMPLE_RATE / 2) * bands)
