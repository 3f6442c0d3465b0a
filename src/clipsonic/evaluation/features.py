"""Features of many sound files, kept so that none is heard twice."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from clipsonic.config import SAMPLE_RATE
from clipsonic.errors import UserError
from clipsonic.evaluation.audio_files import AudioFile, checksum, read_clip
from clipsonic.evaluation.embeddings import SoundEmbedding
from clipsonic.files import whole_file

TOGETHER = 64  # files kept in one: what a run that is stopped has to do again at most
FORMAT = 1  # raise it when the same sound and embedding would give other features


@dataclass(frozen=True)
class Features:
    """What an embedding hears in some files."""

    clips: list[Float[Tensor, "windows d"]]  # of each file that could be read
    skipped: dict[str, str]  # file => why it could not


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
    for first in range(0, len(files), TOGETHER):
        part = files[first : first + TOGETHER]
        kept = None if cache is None else cache / f"{_key(part, embedding)}.safetensors"
        found = None if kept is None else _load(kept)
        if found is None:
            found = _hear(part, embedding, first, on_file)
            if kept is not None:
                _save(kept, found)
        rows, reasons = found
        clips += [rows[number] for number in sorted(rows)]
        skipped |= {part[number].name: why for number, why in reasons.items()}
        on_file(first + len(part))
    return Features(clips, skipped)


Heard = tuple[dict[int, Float[Tensor, "windows d"]], dict[int, str]]  # file's number => features, or why none


def _hear(
    files: Sequence[AudioFile], embedding: SoundEmbedding, before: int, on_file: Callable[[int], None]
) -> Heard:
    rows, reasons = {}, {}
    for number, file in enumerate(files):
        try:
            wave = read_clip(file.path)
        except UserError as error:
            reasons[number] = str(error)
        else:
            rows[number] = embedding.windows(wave, SAMPLE_RATE).float()
        on_file(before + number + 1)
    return rows, reasons


def _key(files: Sequence[AudioFile], embedding: SoundEmbedding) -> str:
    return hashlib.sha256(f"{FORMAT} {embedding.name} {checksum(files)}".encode()).hexdigest()[:32]


def _load(path: Path) -> Heard | None:
    """What was kept; None if there is nothing, or nothing whole."""
    try:
        with safe_open(path, "pt") as file:
            rows = {int(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            reasons = json.loads(file.metadata()["skipped"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    return rows, {int(number): why for number, why in reasons.items()}


def _save(path: Path, heard: Heard) -> None:
    """Keeps it, if the disk lets us."""
    rows, reasons = heard
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(
                save({str(n): row.contiguous() for n, row in rows.items()}, {"skipped": json.dumps(reasons)})
            )
    except OSError:
        return
