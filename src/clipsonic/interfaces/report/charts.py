"""The report's plots, as SVG, and its spectrograms, as PNG: text and bytes that go into the page itself."""

import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from clipsonic.audio import EDGE, log_mel
from clipsonic.config import LOG_MEL_FLOOR, LOG_MEL_TOP
from clipsonic.evaluation.directions import Measured

FRAME_PIXELS, BAND_PIXELS = 2, 1  # of a spectrogram


def guidance_chart(
    fads: Mapping[str, Sequence[tuple[float, Measured]]],
    scores: Mapping[str, Sequence[tuple[float, Measured]]],
    fad_levels: Mapping[str, float] = {},
    score_levels: Mapping[str, float] = {},
) -> str:
    """Draw Fig. 3: Fréchet distance and CLAP score over the guidance scale, a line a system.

    Args:
        fad_levels, score_levels: what no guidance changes, drawn as dashed lines.
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = ((fads, fad_levels, "Fréchet audio distance"), (scores, score_levels, "CLAP score"))
    for axes, (lines, levels, title) in zip(figure.subplots(1, 2), panels, strict=True):
        for name, points in lines.items():
            w = [at for at, _ in points]
            middle = np.array([value.value for _, value in points])
            low = np.array([value.low for _, value in points])
            high = np.array([value.high for _, value in points])
            (line,) = axes.plot(w, middle, marker="o", ms=4, label=name)
            axes.fill_between(w, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        for name, level in levels.items():
            axes.axhline(level, ls="--", color="black", lw=1, label=name)
        axes.set(xlabel="guidance scale w", title=title)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return svg(figure)


def confusion_chart(
    counts: Int[np.ndarray, "labels heard"], labels: Sequence[str], heard: Sequence[str]
) -> str:
    """What was asked, by row, and what was heard, by column, in shares of the row."""
    size = 1.6 + 0.32 * len(labels)
    figure = Figure(figsize=(size + 0.9, size), layout="constrained")
    axes = figure.subplots()
    shares = counts / counts.sum(1, keepdims=True).clip(min=1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts > 0):
        ink = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=7, color=ink)
    axes.set_xticks(range(len(heard)), heard, rotation=90, fontsize=8)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set(xlabel="heard", ylabel="asked")
    return svg(figure)


def largest_confusions(
    counts: Int[np.ndarray, "labels heard"], labels: Sequence[str], heard: Sequence[str], most: int = 15
) -> list[tuple[str, str, int]]:
    """What was asked, what was heard instead, and in how many clips; the most frequent first."""
    wrong = np.where(np.eye(*counts.shape) > 0, 0, counts)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    places = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return [
        (labels[row], heard[column], int(wrong[row, column])) for row, column in places if wrong[row, column]
    ]


def distance_chart(distances: Mapping[str, Sequence[float]]) -> str:
    """Distances to the nearest training clip, a step curve a system: how many clips are at least so near."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    for name, values in distances.items():
        near = np.sort(values)
        share = np.arange(1, len(near) + 1) / len(near)
        axes.step(near, share, where="post", label=name, lw=2.5 if name == "held-out" else 1.2)
    axes.set(
        xlabel="distance to the nearest training clip", ylabel="share of clips at most so far", xlim=(0, None)
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return svg(figure)


def svg(figure: Figure) -> str:
    """A figure => an SVG element; the same figure gives the same text."""
    FigureCanvasAgg(figure)
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "clipsonic", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def spectrogram(wave: Float[np.ndarray, "samples"]) -> bytes:
    """A wave's log-mel => a PNG without axes, low bands at the bottom; a very short wave ends in silence."""
    padded = np.pad(wave, (0, max(0, EDGE + 1 - len(wave))))
    mel = log_mel(torch.from_numpy(padded)[None].float())[0].numpy()
    level = ((mel - LOG_MEL_FLOOR) / (LOG_MEL_TOP - LOG_MEL_FLOOR)).clip(0, 1)
    colours = (matplotlib.colormaps["magma"](level[::-1])[..., :3] * 255).astype(np.uint8)
    picture = Image.fromarray(colours).resize(
        (mel.shape[1] * FRAME_PIXELS, len(mel) * BAND_PIXELS), Image.Resampling.NEAREST
    )
    png = io.BytesIO()
    picture.quantize(64).save(png, "PNG", optimize=True)
    return png.getvalue()
