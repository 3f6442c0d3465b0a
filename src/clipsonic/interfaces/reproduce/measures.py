"""What is measured of a folder of answers: all that `evaluate audio` tells, windows, nearest training clips."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.dataset import ClipDataset
from clipsonic.encoders.base import AudioEncoder
from clipsonic.evaluation.audio_files import find_audio, read_clip
from clipsonic.evaluation.bootstrap import bootstrap_mean
from clipsonic.evaluation.embeddings import SoundEmbedding
from clipsonic.evaluation.memory import nearest_training_pieces
from clipsonic.evaluation.scores import sliding_scores
from clipsonic.files import write_json
from clipsonic.interfaces.evaluate_audio import as_page, measure
from clipsonic.interfaces.progress import bar

WINDOWS_APART = 8  # so many steps of a sliding window are as long as it: 0.5 s for the paper's 4 s


def measure_answers(
    folder: Path,
    reference: Path,
    out: Path,
    ear: SoundEmbedding,
    scorer: AudioEncoder,
    labels: list[str],
    eye: SoundEmbedding | None = None,
    window_seconds: float | None = None,
    training: ClipDataset | None = None,
) -> None:
    """Answers => a JSON file of scores; what the parts that are None would serve is left out."""
    made = find_audio(folder)
    page = as_page(measure(made, find_audio(reference), ear, eye, scorer, labels), scorer)
    waves = [read_clip(file.path) for file in made]
    if window_seconds is not None:
        hop = window_seconds / WINDOWS_APART
        windows = [
            asdict(sliding_scores(scorer, wave.numpy(), SAMPLE_RATE, str(file.prompt), window_seconds, hop))
            for wave, file in zip(waves, made, strict=True)
        ]
        page["windows"] = {name: mean_page([row[name] for row in windows]) for name in ("max", "mean", "min")}
    if training is not None:
        page["nearest"] = nearest_page(waves, [file.name for file in made], training)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, page)


def nearest_page(waves: list[torch.Tensor], names: list[str], training: ClipDataset) -> dict[str, Any]:
    """The nearest training clip of each answer, and the mean distance."""
    recordings = [
        torch.from_numpy(training.wave(number).astype(np.float32) / 32768) for number in range(len(training))
    ]
    with bar("training clips") as progress:
        task = progress.add_task("comparing", total=len(recordings), note="")
        found = nearest_training_pieces(waves, recordings, lambda done: progress.update(task, completed=done))
    distances = found.distance.tolist()
    return {
        "mean": mean_page(distances),
        "clips": [
            {
                "file": name,
                "distance": round(distance, 4),
                "nearest": training.clips[int(clip)][1].key,
                "at": at,
            }
            for name, distance, clip, at in zip(
                names, distances, found.clip.tolist(), found.seconds.tolist(), strict=True
            )
        ],
    }


def mean_page(values: list[float]) -> dict[str, float]:
    """Values of different clips => their mean with its interval, as JSON."""
    return asdict(bootstrap_mean(np.array(values), np.arange(len(values))))


def read_page(path: Path) -> dict[str, Any]:
    """What `measure_answers` wrote."""
    return dict(json.loads(path.read_bytes()))
