"""What is measured of a folder of answers: all that `evaluate audio` tells, windows, nearest training clips."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from clipsonic.audio import from_16_bit
from clipsonic.config import SAMPLE_RATE
from clipsonic.data.dataset import ClipDataset
from clipsonic.encoders.base import AudioEncoder
from clipsonic.evaluation.audio_files import AudioFile, checksum, find_audio, items_of, read_clip
from clipsonic.evaluation.bootstrap import bootstrap_mean
from clipsonic.evaluation.diversity import distances_within
from clipsonic.evaluation.embeddings import SoundEmbedding
from clipsonic.evaluation.memory import nearest_training_pieces
from clipsonic.evaluation.scores import clap_scores, sliding_scores
from clipsonic.files import write_json
from clipsonic.interfaces.evaluate_audio import as_page, measure
from clipsonic.interfaces.progress import bar
from clipsonic.interfaces.reproduce.controls import ANSWER

WINDOWED = ("whole", "max", "mean", "min")  # columns of Table 5


def measure_answers(
    folder: Path,
    reference: Path,
    out: Path,
    ear: SoundEmbedding,
    scorer: AudioEncoder,
    labels: list[str],
    eye: SoundEmbedding | None = None,
    window: tuple[float, float] | None = None,
    training: ClipDataset | None = None,
) -> None:
    """Write the scores of a folder of answers as JSON; what the parts that are None would serve is left out.

    Args:
        window: length and hop of the sliding windows in seconds; files without room for two have none.

    So are files that cannot be heard, and those without words where these are needed; the file says which.
    """
    found = find_audio(folder)
    page = as_page(measure(found, find_audio(reference), ear, eye, scorer, labels), scorer)
    page["contents"] = contents(found)
    made = [file for file in found if file.name not in page["skipped"]]
    if window is not None:
        page["windows"] = windows_page([file for file in made if file.prompt], scorer, *window)
    if training is not None:
        page["nearest"] = nearest_page(made, training)
        page["apart"] = apart_page(made)
    if silent := sum(not file.prompt for file in made):
        page["notes"].append(f"files without a prompt, not in the CLAP score and its windows: {silent}")
    if nameless := sum(not file.label for file in made):
        page["notes"].append(f"files without a label, not in the class agreement: {nameless}")
    if page["skipped"]:
        name, why = next(iter(page["skipped"].items()))
        page["notes"].append(f"files left out: {len(page['skipped'])}, the first {name}: {why}")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, page)


def windows_page(
    files: list[AudioFile], scorer: AudioEncoder, seconds: float, hop: float
) -> dict[str, Any] | None:
    """Return the mean score of the whole files, and of the best, the mean and the worst window of each.

    Returns:
        None where no file has room for two windows.
    """
    long = [file for file in files if soundfile.info(file.path).duration >= seconds + hop]
    rows = []
    for file in long:
        wave, words = read_clip(file.path).numpy(), str(file.prompt)
        whole = clap_scores(scorer, [wave], SAMPLE_RATE, [words])
        parts = sliding_scores(scorer, wave, SAMPLE_RATE, words, seconds, hop)
        rows.append({"whole": float(whole[0]), **asdict(parts)})
    if not rows:
        return None
    return {name: mean_page([row[name] for row in rows], items_of(long)) for name in WINDOWED}


class Recordings(Sequence[torch.Tensor]):
    """The sounds of a data set, (samples,) in [-1, 1], each read when it is asked for."""

    def __init__(self, clips: ClipDataset) -> None:
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, number: Any) -> Any:
        if number >= len(self):
            raise IndexError(number)
        return torch.from_numpy(from_16_bit(self.clips.wave(number)))


def nearest_page(files: list[AudioFile], training: ClipDataset) -> dict[str, Any]:
    """Return the nearest training clip of each file, as far as an answer is long, and the mean distance."""
    waves = [read_clip(file.path)[:ANSWER] for file in files]
    with bar("training clips") as progress:
        task = progress.add_task("comparing", total=len(training), note="")
        found = nearest_training_pieces(
            waves, Recordings(training), lambda done: progress.update(task, completed=done)
        )
    distances = found.distance.tolist()
    return {
        "mean": mean_page(distances, items_of(files)),
        "clips": [
            {
                "file": file.name,
                "distance": round(distance, 4),
                "nearest": training.clips[int(clip)][1].key,
                "at": at,
            }
            for file, distance, clip, at in zip(
                files, distances, found.clip.tolist(), found.seconds.tolist(), strict=True
            )
        ],
    }


def apart_page(files: list[AudioFile]) -> dict[str, float] | None:
    """How far the answers of one label lie apart; None if no label has two."""
    labelled = [file for file in files if file.label]
    distances, of = distances_within(
        [read_clip(file.path)[:ANSWER] for file in labelled], [f.label for f in labelled]
    )
    return mean_page(distances, of) if distances else None


def mean_page(values: list[float], items: list[int]) -> dict[str, float]:
    """Values, and what each is of => their mean with its interval, as JSON."""
    return asdict(bootstrap_mean(np.array(values), np.array(items)))


def contents(files: Sequence[AudioFile]) -> str:
    """A checksum of sounds and of what is known of them: another one asks for new scores."""
    known = [[file.name, file.prompt, file.label, file.clip] for file in files]
    return hashlib.sha256(json.dumps([checksum(files), known]).encode()).hexdigest()


def changed(scores: Path, folder: Path) -> bool:
    """Whether there are no scores of a folder, or of other files than it has by now."""
    return not scores.exists() or read_page(scores)["contents"] != contents(find_audio(folder))


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval, as read from a file."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, page: dict[str, Any] | None) -> "Figure | None":
        """A `Mean` or `Frechet` as JSON, or nothing."""
        return None if page is None else cls(page["value"], page["low"], page["high"])


def read_page(path: Path) -> dict[str, Any]:
    """What `measure_answers` wrote."""
    return dict(json.loads(path.read_bytes()))
