"""Features of many sound files, kept so that none is heard twice."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from clipsonic.config import SAMPLE_RATE
from clipsonic.errors import UserError
from clipsonic.evaluation.audio_files import AudioFile, checksum, read_clip_recording
from clipsonic.evaluation.embeddings import SoundEmbedding
from clipsonic.files import whole_file

TOGETHER = 64  # files kept in one: what a run that is stopped has to do again at most
FORMAT = 2  # raise it when the same sound and embedding would give other features


@dataclass(frozen=True)
class Features:
    """What an embedding hears in some files."""

    clips: list[Float[Tensor, "windows d"]]  # of each file that could be read
    skipped: dict[str, str]  # file => why it could not
    notes: dict[str, str]  # file => what was done to make it mono


def features_of(
    files: Sequence[AudioFile],
    embedding: SoundEmbedding,
    cache: Path | None = None,
    on_file: Callable[[int], None] = lambda done: None,
) -> Features:
    """Hears every file, 64 at a time.

    Args:
        files: in the order in which they are heard.
        embedding: what hears them.
        cache: folder where features are kept, under the checksum of the files and the embedding's name; the same
            call takes them from there, also after it was stopped.
        on_file: called with the number of files done.
    """
    clips: list[Float[Tensor, "windows d"]] = []
    skipped: dict[str, str] = {}
    notes: dict[str, str] = {}
    for first in range(0, len(files), TOGETHER):
        part = files[first : first + TOGETHER]
        kept = None if cache is None else cache / f"{_key(part, embedding)}.safetensors"
        found = None if kept is None else _load(kept)
        if found is None:
            found = _hear(part, embedding, first, on_file)
            if kept is not None:
                _save(kept, found)
        clips += [found.rows[number] for number in sorted(found.rows)]
        skipped |= {part[number].name: why for number, why in found.skipped.items()}
        notes |= {part[number].name: note for number, note in found.notes.items()}
        on_file(first + len(part))
    return Features(clips, skipped, notes)


class Heard(NamedTuple):
    """Files by number: their features, or why there are none, and notes."""

    rows: dict[int, Float[Tensor, "windows d"]]
    skipped: dict[int, str]
    notes: dict[int, str]


def _hear(
    files: Sequence[AudioFile], embedding: SoundEmbedding, before: int, on_file: Callable[[int], None]
) -> Heard:
    heard = Heard({}, {}, {})
    for number, file in enumerate(files):
        try:
            wave, note = read_clip_recording(file.path)
        except UserError as error:
            heard.skipped[number] = str(error)
        else:
            heard.rows[number] = embedding.windows(wave, SAMPLE_RATE).float()
            if note is not None:
                heard.notes[number] = note
        on_file(before + number + 1)
    return heard


def _key(files: Sequence[AudioFile], embedding: SoundEmbedding) -> str:
    return hashlib.sha256(f"{FORMAT} {embedding.name} {checksum(files)}".encode()).hexdigest()[:32]


def _load(path: Path) -> Heard | None:
    """What was kept; None if there is nothing, or nothing whole."""
    try:
        with safe_open(path, "pt") as file:
            rows = {int(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            words = [json.loads(file.metadata()[name]) for name in ("skipped", "notes")]
            skipped, notes = ({int(number): line for number, line in each.items()} for each in words)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Heard(rows, skipped, notes)


def _save(path: Path, heard: Heard) -> None:
    """Keeps it, if the disk lets us."""
    rows = {str(n): row.contiguous() for n, row in heard.rows.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            words = {"skipped": json.dumps(heard.skipped), "notes": json.dumps(heard.notes)}
            file.write(save(rows, words))
    except OSError:
        return
