"""Prepared data sets of sounds alone, without videos or encoders, in a moment."""

from pathlib import Path

import numpy as np

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.shards import (
    ClipInfo,
    DatasetInfo,
    NewClip,
    ShardWriter,
    finished_shards,
    flac,
    frames_bytes,
    summary,
)
from clipsonic.files import write_json


def made(folder: Path, clips: list[tuple[str | None, str, np.ndarray]], encoder_id: str = "none") -> Path:
    """A data set of (label, split, wave)."""
    writer = ShardWriter()
    for number, (label, split, wave) in enumerate(clips):
        seconds = len(wave) / SAMPLE_RATE
        info = ClipInfo(
            source=f"{number}", start=0, seconds=seconds, picture_times=[], label=label, split=split
        )
        writer.add(f"{number}", [NewClip(f"{number}", info, flac(wave), frames_bytes(np.eye(1, 8)))])
    folder.mkdir()
    writer.write(folder, 0)
    info = DatasetInfo(encoder_id=encoder_id, embedding_dim=8, clip_seconds=5)
    write_json(folder / "dataset.json", summary(info, finished_shards(folder), True).model_dump())
    return folder


def tone(hertz: float, seconds: float, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(
        "f4"
    )
