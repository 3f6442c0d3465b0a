"""Captioned pictures from emoji, icons, stamps, drawings and photos: one function a source.

Each source turns its raw material into small RGB files on white below ``WORK/pictures/SOURCE`` and yields one
``Picture`` a file. Files that are there already are not made again, so a stopped run can be repeated.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from fnmatch import translate
from pathlib import Path

from concepts import CONCEPTS, Concept
from everyday import everyday_words, is_dog_breed
from PIL import Image

SIDE = 224  # longest side in pixels
TEST_PER_CENT = 10
CLOSED = ("imagenet_sample", "tiny_imagenet")  # sources that may train the encoder but never enter a video
IMAGENET_LICENCE = "ImageNet terms: non-commercial research"


@dataclass(frozen=True)
class Picture:
    """One picture, its English phrases (most specific first), and where it comes from."""

    path: str
    captions: tuple[str, ...]
    concept: str | None
    source: str
    licence: str
    family: str  # pictures of one family show nearly the same and always share a split


@functools.cache
def matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Make a test for shell patterns that is quick: hundreds of thousands of names are held against them."""
    names = frozenset(p for p in patterns if not re.search(r"[*?[]", p))
    endings = frozenset(p[2:] for p in patterns if p.startswith("*:") and not re.search(r"[*?[]", p[2:]))
    others = [p for p in patterns if p not in names and not (p.startswith("*:") and p[2:] in endings)]
    rest = re.compile("|".join(map(translate, others)) or r"(?!)")
    return lambda name: name in names or name.partition(":")[2] in endings or rest.match(name) is not None


def find_concept(kind: str, *names: str) -> Concept | None:
    """Return the concept whose patterns of ``kind`` (a field of ``Concept``) match one of ``names``."""
    for concept in CONCEPTS:
        wanted = matcher(getattr(concept, kind))
        unwanted = matcher(concept.without)
        if any(wanted(name) and not unwanted(name) for name in names):
            return concept
    return None


def phrases(words: Iterable[str], concept: Concept | None) -> tuple[str, ...]:
    """Clean, deduplicate and cut captions to six; a concept's label is always among them."""
    label = (concept.label,) if concept else ()
    cleaned = (re.sub(r"\s+", " ", word.replace("_", " ")).strip(" .,!") for word in words)
    unique = tuple(dict.fromkeys(word for word in cleaned if 1 < len(word) < 80))
    if not label or label[0] in unique[:6]:
        return unique[:6]
    return unique[:5] + label


def save_on_white(image: Image.Image, path: Path) -> None:
    """Shrink ``image`` to at most ``SIDE`` pixels, put it on white and write it under its final name last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rgba = image.convert("RGBA")
    rgba.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    white = Image.new("RGBA", rgba.size, "white")
    partial = path.with_suffix(".part")
    Image.alpha_composite(white, rgba).convert("RGB").save(partial, format="PNG")
    partial.rename(path)


def emoji_names(npm: Path) -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Map each file stem to (label, tags, label without skin tone); toned ones for concepts alone."""
    table: dict[str, tuple[str, tuple[str, ...], str]] = {}
    for entry in json.loads((npm / "emojibase-data/en/data.json").read_text(encoding="utf-8")):
        for form in [entry, *entry.get("skins", [])]:
            if form is entry or find_concept("emoji", form["label"]):
                tags = tuple(entry.get("tags", ()))
                table[form["hexcode"].lower()] = (form["label"], tags, entry["label"])
    return table


def emoji(npm: Path, work: Path, source: str, folder: str, licence: str) -> Iterator[Picture]:
    """Yield the emoji of one package, named and tagged by emojibase."""
    names = emoji_names(npm)
    by_plain_code = {code.replace("-fe0f", ""): code for code in names}  # packages differ in writing FE0F
    for file in sorted((npm / folder).iterdir()):
        code = by_plain_code.get(file.stem.lower().replace("-fe0f", ""))
        if code is None:
            continue
        label, tags, plain = names[code]
        target = work / "pictures" / source / f"{file.stem}.png"
        if not target.exists():
            save_on_white(Image.open(file), target)
        concept = find_concept("emoji", label)
        family = "clock face" if plain.endswith("o’clock") or plain.endswith("-thirty") else plain
        family = re.sub(r"^(man|woman|person) ", "", family)
        words = (
            label.replace("flag:", "flag of").replace(":", ","),
            *(() if "flag:" in plain else (plain,)),
            *tags,
        )
        yield Picture(
            str(target.relative_to(work)),
            phrases(words, concept),
            concept.label if concept else None,
            source,
            licence,
            f"{source}/{family}",
        )


def imagenet(raw: Path, work: Path, source: str) -> Iterator[Picture]:
    """Yield the photos of one tar; the class is in the name of the file or of its folder."""
    with tarfile.open(raw / "images" / f"{source}.tar") as tar:
        for member in tar:
            if not member.isfile():
                continue
            name = Path(member.name)
            wnid, _, words = (name.parent.name or name.stem).partition("_")
            label = words.replace("_", " ")
            target = work / "pictures" / source / name.name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                data = tar.extractfile(member)
                assert data is not None
                partial = target.with_suffix(".part")
                Image.open(io.BytesIO(data.read())).convert("RGB").save(partial, format="JPEG", quality=92)
                partial.rename(target)
            concept = find_concept("photos", label, "dog-breed" if is_dog_breed(wnid) else label)
            yield Picture(
                str(target.relative_to(work)),
                phrases((label, *everyday_words(wnid, label)), concept),
                concept.label if concept else None,
                source,
                IMAGENET_LICENCE,
                str(target.name),
            )


def spread(pictures: Iterable[Picture]) -> dict[str, str]:
    """Give every family a split by its hash, and every concept some openly licensed test pictures."""
    families: dict[str, list[Picture]] = {}
    for picture in pictures:
        families.setdefault(picture.family, []).append(picture)
    order = sorted(families, key=_hash)
    split = {name: "test" if _hash(name) % 100 < TEST_PER_CENT else "train" for name in order}
    for name in order:  # one photo of a class teaches little, and there are no others to test with
        if any(p.source == "imagenet_sample" and p.concept for p in families[name]):
            split[name] = "test"
    for concept in CONCEPTS:
        mine = [
            f
            for f in order
            if any(p.concept == concept.label and p.source not in CLOSED for p in families[f])
        ]
        total = sum(len(families[f]) for f in mine)
        wanted = max(2 if total > 8 else 1, round(0.2 * total))
        for name in mine:
            split[name] = "train"
        # small families first: a family of twelve clocks in the test set would leave few for training
        for name in sorted(mine, key=lambda f: (len(families[f]) > max(1, total // 8), _hash(f))):
            if wanted > 0:
                split[name] = "test"
                wanted -= len(families[name])
    return split


def write_rows(pictures: list[Picture], work: Path) -> None:
    """Write ``pictures.jsonl`` in one step, so that a reader never sees half of it."""
    split = spread(pictures)
    partial = work / "pictures.jsonl.part"
    with partial.open("w", encoding="utf-8") as out:
        for picture in pictures:
            row = asdict(picture)
            row["split"] = split[row.pop("family")]
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    partial.rename(work / "pictures.jsonl")


def unique_pixels(pictures: Iterable[Picture], work: Path, seen: set[str]) -> Iterator[Picture]:
    """Drop pictures whose pixels were seen before: drawings lie in several folders at once."""
    for picture in pictures:
        digest = hashlib.sha256((work / picture.path).read_bytes()).hexdigest()
        if digest not in seen:
            seen.add(digest)
            yield picture


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


Source = Callable[[], Iterator[Picture]]
