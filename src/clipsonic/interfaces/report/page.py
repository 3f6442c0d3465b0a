"""What a report shows => one HTML page with everything in it: no other file, no network."""

import base64
import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from jaxtyping import Float
from jinja2 import Environment, PackageLoader, StrictUndefined

from clipsonic.config import SAMPLE_RATE
from clipsonic.evaluation.directions import Direction
from clipsonic.files import whole_file
from clipsonic.interfaces.report.charts import spectrogram
from clipsonic.loudness import within_full_scale


@dataclass(frozen=True)
class Row:
    """A system in Table 1, and in Table 5 if its windows were scored."""

    name: str
    trained_on: str
    asked_with: str
    paper: str  # its Fréchet audio distances there
    control: bool  # no system, but something that the measures must tell from one
    # clips, infinity: numbers; frechet, score, fid, agreement, nearest, apart: like `Mean`; windows: four such
    scores: dict[str, Any]  # None where nothing was measured


@dataclass(frozen=True)
class Clip:
    """A sound to play."""

    name: str
    picture: str  # data URI of its spectrogram
    sound: str


@dataclass(frozen=True)
class Players:
    """The grid of sounds: for each label one of each system."""

    names: list[str]
    rows: list[tuple[str, list[Clip | None]]]
    cut: str  # what is not shown, if anything


@dataclass(frozen=True)
class Confusion:
    """What was heard instead of what a system was asked for."""

    name: str
    chart: str | None  # SVG
    largest: list[tuple[str, str, int]]  # asked, heard, clips; in the place of a chart too large to read


@dataclass(frozen=True)
class Pair:
    """A generated clip and the training clip that it is nearest to."""

    name: str
    distance: float
    made: Clip
    training: Clip


@dataclass(frozen=True)
class Report:
    """Everything on the page."""

    title: str
    about: str
    table_note: str
    rows: list[Row]
    notes: list[str]
    directions: list[Direction]
    guidance: str | None  # SVG
    swept_clips: int
    gap: dict[str, Any] | None  # rows, picture
    window_seconds: float
    hop_seconds: float
    pictures: dict[str, Any] | None  # scores of the answers to ImageHear's pictures
    players: Players
    agreement_note: str
    confusions: list[Confusion]
    memory_note: str
    distances: str  # SVG
    pairs: list[Pair]
    times: list[tuple[str, float]]
    settings: str


def write_report(report: Report, path: Path) -> None:
    """Renders the page, whole or not at all."""
    pages = Environment(
        loader=PackageLoader("clipsonic.interfaces.report", "."), autoescape=True, undefined=StrictUndefined
    )
    shown = {field.name: getattr(report, field.name) for field in fields(report)}
    text = pages.get_template("page.html").render(shown)
    with whole_file(path) as file:
        file.write(text.encode())


def clip(name: str, wave: Float[np.ndarray, "samples"]) -> Clip:
    """A 16 kHz wave => something to look at and to play; Ogg Vorbis, a tenth of the bytes."""
    sound = io.BytesIO()
    soundfile.write(sound, within_full_scale(wave), SAMPLE_RATE, format="OGG", subtype="VORBIS")
    return Clip(name, data_uri("image/png", spectrogram(wave)), data_uri("audio/ogg", sound.getvalue()))


def data_uri(kind: str, content: bytes) -> str:
    """Bytes as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
