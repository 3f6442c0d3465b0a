"""What was published: the lists of VGGSound and MUSIC, and the pictures of ImageHear. Imports no torch."""

import csv
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from clipsonic.data.media_types import PICTURES, list_files
from clipsonic.data.pictures import open_picture
from clipsonic.errors import UserError

CLIP_SECONDS = 10  # of a VGGSound clip
# A YouTube id has eleven characters, `-` and `_` among them: only its length tells where it ends.
NAME = re.compile(r"([A-Za-z0-9_-]{11})(?:_([0-9]{1,9})(?:_([0-9]{1,9}))?)?")
Key = tuple[str, int | None]  # YouTube id, and the second at which a clip starts; None: the whole video

_IMAGEHEAR = """
    accordion bass bells bird bongo car cat chicken cow cricket dog drums duck flute frog guitar gun harmonica horse
    lion motorcycle people piano police rain saxophone sheep train trumpet waterfall
"""
IMAGEHEAR_CLASSES = frozenset(_IMAGEHEAR.split())


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a published list."""

    youtube_id: str
    label: str
    split: str
    start: int | None = None  # seconds; None: the whole video

    def names(self) -> list[str]:
        """The file names under which it is found, any video suffix in place of mp4."""
        if self.start is None:
            return [f"{self.youtube_id}.mp4"]
        start, end = self.start, self.start + CLIP_SECONDS
        times = [f"_{start:06d}", f"_{start}", f"_{start}_{end}", f"_{1000 * start}_{1000 * end}", ""]
        return [f"{self.youtube_id}{time}.mp4" for time in times]


def read_vggsound(file: Path, split: str = "test") -> list[Entry]:
    """VGGSound's clips, each once: rows `youtube_id,start_seconds,label,split` (Chen et al., ICASSP 2020).

    Also rows `ID_SSSSSS.mp4,label`, as in the published test list; these are of `split`.

    Raises:
        UserError: there is no such list, or a row is neither.
    """
    clips: dict[Key, Entry] = {}
    for number, row in enumerate(_rows(file), 1):
        clip = _vggsound_clip(row, split)
        if clip is not None:
            clips.setdefault((clip.youtube_id, clip.start), clip)
        elif row and (number > 1 or any(letter.isdigit() for cell in row for letter in cell)):  # no headline
            raise UserError(
                f"{file}, row {number}: {','.join(row)[:80]!r} is neither "
                "'youtube_id,start_seconds,label,train or test' nor 'ID_SSSSSS.mp4,label'"
            )
    if not clips:
        raise UserError(f"{file} lists no clip")
    return list(clips.values())


def _rows(file: Path) -> Iterator[list[str]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            yield from csv.reader(lines)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} is no CSV in UTF-8: {error}") from error


def _vggsound_clip(row: list[str], split: str) -> Entry | None:
    if len(row) == 4:
        name, label, split = f"{row[0]}_{row[1]}", row[2], row[3]
        if split not in ("train", "test"):
            return None
    elif len(row) == 2:
        name, label = row[0].rpartition(".")[0], row[1]
    else:
        return None
    key = key_of(name)
    return Entry(key[0], label, split, key[1]) if key and key[1] is not None and label.strip() else None


def read_music(files: Sequence[Path], seed: int = 0) -> list[Entry]:
    """MUSIC's videos (Zhao et al., ECCV 2018), each once, with a split of 9:1 as in the paper.

    A file's `videos` maps an instrument, or two with a space between, to YouTube ids. A video of two, listed so
    or twice, has the label "flute and violin".

    Raises:
        UserError: a file is missing or of another form.
    """
    heard: dict[str, set[str]] = {}  # id => instruments
    for file in files:
        for instruments, ids in _music_videos(file).items():
            for youtube_id in ids:
                heard.setdefault(youtube_id, set()).update(
                    name.replace("_", " ") for name in instruments.split()
                )
    test = held_out(heard, seed)
    return [
        Entry(youtube_id, " and ".join(sorted(names)), "test" if youtube_id in test else "train")
        for youtube_id, names in heard.items()
    ]


def _music_videos(file: Path) -> dict[str, list[str]]:
    try:
        page = json.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{file} is no JSON: {error}") from error
    videos = page.get("videos") if isinstance(page, dict) else None
    if not isinstance(videos, dict) or not any(videos.values()):
        raise UserError(f"{file} has no 'videos' that map instruments to YouTube ids")
    for instrument, ids in videos.items():
        wrong = [each for each in ids if not _is_id(each)] if isinstance(ids, list) else [ids]
        if wrong:
            raise UserError(f"{file}, videos of '{instrument}': {str(wrong[0])[:80]!r} is no YouTube id")
    return videos


def _is_id(value: object) -> bool:
    return isinstance(value, str) and len(value) == 11 and NAME.fullmatch(value) is not None


def held_out(ids: Collection[str], seed: int) -> set[str]:
    """A tenth of the videos, by the order of their hashes.

    So the draw depends on seed and list alone, and a part of a list holds out nearly the same videos as the whole.
    """
    order = sorted(ids, key=lambda each: hashlib.sha256(f"{seed} {each}".encode()).digest())
    return set(order[: round(len(order) / 10)])


def key_of(stem: str) -> Key | None:
    """A file's name without its suffix => the id and the start in seconds; None if it is not one of these.

    `ID`, `ID_START` in seconds, `ID_START_END` in seconds or in milliseconds: ten seconds must lie between them.
    """
    match = NAME.fullmatch(stem)
    if match is None:
        return None
    youtube_id, start, end = match[1], match[2], match[3]
    if start is None:
        return youtube_id, None
    if end is None or int(end) - int(start) == CLIP_SECONDS:
        return youtube_id, int(start)
    if int(end) - int(start) == 1000 * CLIP_SECONDS and int(start) % 1000 == 0:
        return youtube_id, int(start) // 1000
    return None


class PictureQuery(NamedTuple):
    """A picture to ask with, and what is on it."""

    image: Path
    label: str


def read_imagehear(
    folder: Path, on_unusable: Callable[[Path, str], None] = lambda path, why: None
) -> list[PictureQuery]:
    """The pictures of ImageHear (Sheffer and Adi, ICASSP 2023) that are in a folder, for CLIPSonic-IQ.

    The class is the file's name without its number, as published (`dog1.jpg`), or the name of its subfolder.

    Args:
        on_unusable: called with each picture that cannot be read or is of no class, and why.

    Raises:
        UserError: the folder is missing, or holds no picture of ImageHear.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {folder}")
    queries = []
    for path in list_files(folder, PICTURES).files:
        try:
            open_picture(path)
        except UserError as error:
            on_unusable(path, str(error))
            continue
        label = _imagehear_class(path.relative_to(folder))
        if label is None:
            on_unusable(path, f"{path} is of no class of ImageHear")
        else:
            queries.append(PictureQuery(path, label))
    if not queries:
        raise UserError(f"no picture of ImageHear in {folder}: looked for dog1.jpg, dog/1.jpg and so on")
    return queries


def _imagehear_class(path: Path) -> str | None:
    own = path.stem.lower().rstrip("0123456789").rstrip(" _-")
    return next((name for name in (own, path.parent.name.lower()) if name in IMAGEHEAR_CLASSES), None)
