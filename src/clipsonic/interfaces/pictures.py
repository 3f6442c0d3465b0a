"""Pictures that are made: the image of a mel spectrogram."""

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from clipsonic.config import FRAMES_PER_SECOND, LOG_MEL_FLOOR, LOG_MEL_TOP, SAMPLE_RATE

if TYPE_CHECKING:
    from clipsonic.evaluation.gap import Gap


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
    axes.set_title(drawable(title if len(title) <= 80 else f"{title[:79]}…"), parse_math=False)
    figure.colorbar(picture, ax=axes, label="dB")
    figure.savefig(path, format="png")


def drawable(text: str) -> str:
    """Return the text with every sign that matplotlib's own font lacks as its name or number."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    glyphs = get_font(findfont(FontProperties())).get_charmap()
    return "".join(
        sign if ord(sign) in glyphs else f"[{unicodedata.name(sign, f'U+{ord(sign):04X}').lower()}]"
        for sign in text
    )


def save_gap(path: Path, gap: "Gap") -> None:
    """The modality gap => a PNG: all embeddings in the images' and texts' plane, and the cosines of each bridge."""
    import torch
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from clipsonic.evaluation.gap import principal_plane

    names = list(gap.embeddings)
    first = {
        label: row for row, label in reversed(list(enumerate(gap.labels)))
    }  # a text once, unless it is drawn
    mean, plane = principal_plane(torch.cat([gap.images, *gap.embeddings.values()]))
    figure = Figure(figsize=(11, 4.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    map_axes, cosine_axes = figure.subplots(1, 2)
    images = (gap.images - mean) @ plane
    map_axes.scatter(*images.T, s=10, c="0.75", label="images", linewidths=0)
    for number, name in enumerate(names):
        rows = gap.embeddings[name]
        points = ((rows[list(first.values())] if name == "zs" else rows) - mean) @ plane
        map_axes.scatter(
            *points.T,
            s=26 if name == "zs" else 10,
            color=f"C{number}",
            label=name,
            marker="^x+.1*"[number % 6],
        )
    map_axes.set(xlabel="first component", ylabel="second component", title="Embeddings (PCA)")
    map_axes.legend(fontsize=8)
    edges = np.linspace(min(cosine.min() for cosine in gap.cosines.values()), 1, 41)
    for number, name in enumerate(names):
        row = gap.rows[number]
        label = f"{name}: {row.cosine.value:.2f} [{row.cosine.low:.2f}, {row.cosine.high:.2f}]"
        cosine_axes.hist(
            gap.cosines[name], edges, histtype="step", color=f"C{number}", label=label, linewidth=1.5
        )
        cosine_axes.axvline(row.cosine.value, color=f"C{number}", linewidth=0.8, linestyle=":")
    cosine_axes.set_ylim(top=1.5 * cosine_axes.get_ylim()[1])  # room for the legend
    cosine_axes.set(xlabel="cosine with the true image embedding", ylabel="pairs", title="The gap")
    cosine_axes.legend(fontsize=8, loc="upper left")
    figure.savefig(path, format="png")


def band_of(hertz: float, bands: int) -> float:
    """Frequency => its place on the axis of mel bands (Slaney's scale: linear to 1 kHz, then logarithmic)."""
    from transformers.audio_utils import hertz_to_mel

    low, high = (hertz_to_mel(float(each), mel_scale="slaney") for each in (hertz, SAMPLE_RATE / 2))
    return float(low / high * bands)
