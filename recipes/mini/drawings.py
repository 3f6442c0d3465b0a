"""Captioned pictures from drawings: icons, openclipart, tuxpaint's stamps and GCompris.

Drawings are rendered by ``rsvg-convert`` in two threads; one that fails or is too slow is skipped for good.
"""

from __future__ import annotations

import functools
import html
import io
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from concepts import CONCEPTS, Concept
from pictures import SIDE, Picture, find_concept, matcher, phrases, save_on_white
from PIL import Image
from rcc import read_rcc

MOST_ALIKE = 20  # of 1,400 numbered stars, these are enough
SECONDS = 5.0  # a drawing that renders longer is skipped
SAME_HAND = {  # sets that draw the same shapes in another style share their families
    "fluent-emoji-flat": "fluent",
    "fluent-emoji-high-contrast": "fluent",
    "emojione-monotone": "emojione",
    "ic": "material",
    "material-symbols": "material",
    "streamline-ultimate-color": "streamline-ultimate",
}
STYLE = (
    re.compile(  # how a set names one shape drawn in another style; such shapes share their family as well
        r"^(baseline|outline|round|sharp|twotone)-|"
        r"-(bold|fill|filled|solid|duotone|duo|light|thin|line|linear|outlined?|rounded|remix|negative|flat)$"
    )
)
GCOMPRIS = {  # archive: licence of its drawings
    "instruments": "GPL-3",
    "explore_farm_animals": "GPL-3",
    "babymatch": "GPL-3",
    "chronos": "GPL-3",
    "lang": "CC-BY-SA-3.0",
}
DULL = {
    "",
    "hash",
    "11",
    "theme",
    "icon",
    "icons",
    "openclipart",
    "clip art",
    "clipart",
    "signs_and_symbols",
    "unsorted",
    "computer",
    "action",
    "application",
    "filesystem",
    "lemon_theme_icon",
    "appicon",
    "shape",
    "mapsym",
    "special",
    "public domain",
    "media",
    "object",
    "objects",
    "image",
    "png",
    "svg",
    "transportation",
    "people",
    "recreation",
}


@dataclass(frozen=True)
class Drawing:
    """A vector picture to render: its text, its place, and what is known of it."""

    svg: bytes
    target: Path
    words: tuple[str, ...]
    concept: Concept | None
    licence: str
    family: str


def rasterise(svg: bytes, side: int) -> Image.Image:
    """Draw ``svg`` so that it fits into a square of ``side`` pixels."""
    command = ["rsvg-convert", "-f", "png", "-w", str(side), "-h", str(side), "--keep-aspect-ratio"]
    done = subprocess.run(command, input=svg, capture_output=True, timeout=SECONDS, check=True)
    return Image.open(io.BytesIO(done.stdout)).convert("RGBA")


def drawn_part(image: Image.Image) -> tuple[int, int, int, int]:
    """Return the box around everything that is not transparent."""
    box = image.getchannel("A").getbbox()
    if box is None:
        raise ValueError("nothing is drawn")
    return box


def render(drawing: Drawing) -> bool:
    """Render one drawing unless that was done or given up before; return whether the picture exists."""
    given_up = drawing.target.with_suffix(".skip")
    if drawing.target.exists() or given_up.exists():
        return drawing.target.exists()
    drawing.target.parent.mkdir(parents=True, exist_ok=True)
    try:
        image = rasterise(drawing.svg, SIDE)
        left, top, right, bottom = drawn_part(image)
        share = max(right - left, bottom - top) / SIDE
        if share < 0.7:  # a small drawing on a large page
            image = rasterise(drawing.svg, round(SIDE / max(share, 0.1)))
            image = image.crop(drawn_part(image))
        save_on_white(image, drawing.target)
    except (subprocess.SubprocessError, OSError, ValueError):
        given_up.touch()
        return False
    return True


def render_all(drawings: list[Drawing], work: Path, source: str) -> Iterator[Picture]:
    """Render the drawings that have a name and yield those that could be drawn."""
    drawings = [drawing for drawing in drawings if phrases(drawing.words, drawing.concept)]
    with ThreadPoolExecutor(2) as pool:
        for drawing, done in zip(drawings, pool.map(render, drawings), strict=True):
            if done:
                concept = drawing.concept
                yield Picture(
                    str(drawing.target.relative_to(work)),
                    phrases(drawing.words, concept),
                    concept.label if concept else None,
                    source,
                    drawing.licence,
                    drawing.family,
                )


def icons(npm: Path, work: Path) -> Iterator[Picture]:
    """Yield the icons of installed iconify sets which show one of the concepts."""
    drawings = []
    for folder in sorted((npm / "@iconify-json").glob("*")):
        book = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
        licence = json.loads((folder / "info.json").read_text(encoding="utf-8"))["license"]["spdx"]
        artist = SAME_HAND.get(folder.name, folder.name)
        for name, icon in book["icons"].items():
            concept = find_concept("icons", f"{folder.name}:{name}")
            if concept is None:
                continue
            box = [
                icon.get(key, book.get(key, 16 if key in ("width", "height") else 0))
                for key in ("left", "top", "width", "height")
            ]
            svg = (
                f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
                f'width="{box[2]}" height="{box[3]}" viewBox="{" ".join(map(str, box))}">{icon["body"]}</svg>'
            )
            plain = re.sub(r"-(light|medium|dark|medium-light|medium-dark)(-skin-tone)?$|-?\d+", "", name)
            while (without_style := STYLE.sub("", plain)) not in (plain, ""):
                plain = without_style
            family = re.sub(r"^(man|woman|person)-|^(three|ten)-(?=oclock)", "", plain).replace("-", " ")
            target = work / "pictures" / "icons" / f"{folder.name}--{name}.png"
            drawings.append(
                Drawing(
                    svg.encode(),
                    target,
                    (plain.replace("-", " "),),
                    concept,
                    licence,
                    f"{artist}/{family}",
                )
            )
    yield from render_all(drawings, work, "icons")


def stamps(folder: Path, work: Path) -> Iterator[Picture]:
    """Yield tuxpaint's stamps, captioned by name and by the English sentence that comes with each."""
    drawings = []
    for file in sorted([*folder.rglob("*.png"), *folder.rglob("*.svg")]):
        name = file.relative_to(folder)
        sentence_file = file.with_suffix(".txt")
        if name.stem.endswith("_mirror") or not sentence_file.exists():
            continue
        sentence = sentence_file.read_text(encoding="utf-8").splitlines()[0]
        first = re.split(r"(?<=[.!?])\s|—", sentence)[0]
        short = re.sub(r"^(A|An|The) ", "", first)
        target = (
            work / "pictures" / "tuxpaint" / ("--".join(name.parts[:-1]) + f"--{name.stem}{name.suffix}.png")
        )
        plain = re.sub(r"[\d_-]+", " ", name.stem).strip()
        concept = find_concept("stamps", name.as_posix())
        words = (short, plain) if len(plain) > 2 else (short,)
        drawing = Drawing(
            file.read_bytes() if file.suffix == ".svg" else b"",
            target,
            words,
            concept,
            "GPL-2",
            f"tuxpaint/{name.parent}/{plain}",
        )
        if file.suffix == ".png" and not target.exists():
            save_on_white(Image.open(file), target)
        drawings.append(drawing)
    yield from render_all(drawings, work, "tuxpaint")


def gcompris(folder: Path, work: Path) -> Iterator[Picture]:
    """Yield those drawings of GCompris which show one of the concepts."""
    drawings = []
    for archive, licence in GCOMPRIS.items():
        if not (folder / f"{archive}.rcc").exists():
            continue
        for path, content in read_rcc(folder / f"{archive}.rcc"):
            name = Path(path)
            concept = find_concept("gcompris", f"{archive}/{name.name}")
            if concept is None:
                continue
            target = work / "pictures" / "gcompris" / f"{archive}--{name.name}.png"
            plain = re.sub(r"[\d_-]+", " ", name.stem).strip()
            if name.suffix != ".svg" and not target.exists():
                save_on_white(Image.open(io.BytesIO(content)), target)
            drawings.append(
                Drawing(content, target, (plain,), concept, licence, f"gcompris/{archive}/{plain}")
            )
    yield from render_all(drawings, work, "gcompris")


@functools.cache
def metadata(folder: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Read title and keywords of every openclipart drawing."""
    table = {}
    for file in sorted(folder.rglob("*.svg")):
        text = file.read_text(encoding="utf-8", errors="replace")
        title = re.search(r"<dc:title>([^<]*)</dc:title>", text) or re.search(r"<title[^>]*>([^<]*)<", text)
        keywords = tuple(
            html.unescape(word).strip() for word in re.findall(r"<rdf:li[^>]*>([^<]*)</rdf:li>", text)
        )
        clean = html.unescape(html.unescape(title.group(1))).strip() if title else ""
        table[file.relative_to(folder).as_posix()] = (clean, keywords)
    return table


def openclipart(folder: Path, work: Path, concepts_only: bool) -> Iterator[Picture]:
    """Yield openclipart's drawings, all of them or only those that show one of the concepts."""
    table = metadata(folder)
    times = Counter(title for title, _ in table.values())
    wanted = matcher(tuple(p for concept in CONCEPTS for p in concept.drawings))
    drawings = []
    alike: Counter[str] = Counter()
    for name, (title, keywords) in table.items():
        if concepts_only != wanted(name):
            continue
        place = Path(name)
        stem = re.sub(r"[\d_.-]+", " ", place.stem).strip()
        alike[stem] += 1
        if alike[stem] > MOST_ALIKE:
            continue
        # many drawings carry the title of their collection; the name of the file says more then
        shared = times[title] > 3 or not title or " - " in title or "(" in title
        words = [stem if shared else title, *(f"flag of {stem}" for part in place.parts if part == "flags")]
        words += [word for word in keywords if word.lower() not in DULL]
        if place.parent.name.lower() not in DULL:
            words.append(place.parent.name)
        target = work / "pictures" / "openclipart" / (name.removesuffix(".svg").replace("/", "--") + ".png")
        drawings.append(
            Drawing(
                (folder / name).read_bytes(),
                target,
                tuple(words),
                find_concept("drawings", name),
                "CC0 / public domain",
                f"openclipart/{stem}",
            )
        )
    yield from render_all(drawings, work, "openclipart")
