"""`clipsonic listen demo`: systems' folders => a page of samples for any web server."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from jaxtyping import Float
from jinja2 import Environment, PackageLoader, StrictUndefined

from clipsonic.config import SAMPLE_RATE
from clipsonic.errors import UserError
from clipsonic.files import whole_folder
from clipsonic.interfaces import telling
from clipsonic.interfaces.listen import sounds
from clipsonic.interfaces.listen.folder import new_folder
from clipsonic.interfaces.listen.material import Material, gather
from clipsonic.interfaces.progress import bar
from clipsonic.interfaces.report.charts import spectrogram


@dataclass(frozen=True)
class Sample:
    """A sound on the page: addresses within the site."""

    sound: str
    picture: str  # its spectrogram


@dataclass(frozen=True)
class Row:
    """A prompt and what the systems made of it."""

    text: str | None
    image: str | None
    samples: list[Sample]


def run(
    site: Path,
    systems: Sequence[str],
    prompts: Path | None,
    most: int | None,
    seconds: float | None,
    lufs: float,
    title: str,
    text: Path | None,
    seed: int,
) -> None:
    """Writes the folder whole or not at all.

    Raises:
        UserError: whatever is wrong with what was asked for.
    """
    if seconds is not None and not 0.1 <= seconds <= 600:
        raise UserError(f"--seconds is {seconds}; it goes from 0.1 to 600")
    try:
        about = text.read_text("utf-8") if text is not None else ""
    except (OSError, ValueError) as error:
        raise UserError(f"{text} cannot be read as text: {error}") from error
    with new_folder(site, "choose another folder, or remove it"):
        material = gather(systems, prompts, most, seed)
        paths = [path for row in material.sounds for path in row]
        rate = sounds.common_rate(paths)
        with bar("clips") as progress:
            task = progress.add_task("measuring", total=len(paths), note="")
            levels = sounds.match(
                paths, rate, seconds, lufs, lambda done: progress.update(task, completed=done)
            )
        pages = Environment(
            loader=PackageLoader("clipsonic.interfaces.listen", "pages"),
            autoescape=True,
            undefined=StrictUndefined,
        )
        try:
            with whole_folder(site) as folder:
                rows = _write(folder, material, levels, rate, seconds)
                page = pages.get_template("demo.html").render(
                    title=title,
                    about=[part for part in re.split(r"\n\s*\n", about.strip()) if part],
                    systems=material.systems,
                    rows=rows,
                    lufs=levels.lufs,
                )
                (folder / "index.html").write_text(page, "utf-8")
        except OSError as error:
            raise UserError(f"cannot write to {site}: {error.strerror or error}") from error
    for note in levels.notes:
        telling.note(note)
    page_path = str(site / "index.html")
    telling.made({"page": page_path, "prompts": len(rows), "systems": material.systems}, page_path)


def _write(
    folder: Path, material: Material, levels: sounds.Levels, rate: int, seconds: float | None
) -> list[Row]:
    (folder / "sounds").mkdir()
    (folder / "pictures").mkdir()
    gains = iter(levels.decibels)
    rows = []
    for number, (prompt, paths) in enumerate(zip(material.prompts, material.sounds, strict=True)):
        image = None
        if prompt.image is not None:
            image = f"pictures/{number:03d}.jpg"
            sounds.write_picture(folder / image, prompt.image)
        samples = []
        for system, path in zip(material.systems, paths, strict=True):
            name = f"{number:03d}-{material.systems.index(system)}-{_plain(system)}"
            wave = sounds.raised(sounds.read_sound(path, rate, seconds), next(gains))
            sounds.write_clip(folder / "sounds" / f"{name}.flac", wave, rate)
            (folder / "pictures" / f"{name}.png").write_bytes(spectrogram(_at_ours(wave, rate)))
            samples.append(Sample(f"sounds/{name}.flac", f"pictures/{name}.png"))
        rows.append(Row(prompt.text, image, samples))
    return rows


def _at_ours(wave: Float[np.ndarray, "samples"], rate: int) -> Float[np.ndarray, "samples"]:
    return np.asarray(soxr.resample(wave, rate, SAMPLE_RATE), dtype=np.float32)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "system"
