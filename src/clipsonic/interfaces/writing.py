"""A clip => its files: sound or video with sound, picture and sidecar, all whole or none."""

import io
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.media_types import WRITTEN_VIDEOS
from clipsonic.errors import UserError
from clipsonic.interfaces.pictures import save_mel

SOUNDS = {".wav": "PCM_16", ".flac": "PCM_16", ".ogg": "VORBIS"}
FILMS = tuple(WRITTEN_VIDEOS)
RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


@dataclass(frozen=True)
class Finish:
    """What is done to a sound before it is written."""

    rate: int = SAMPLE_RATE  # Hz; others are resampled, which adds nothing above 8 kHz
    peak: float | None = None  # dB of full scale
    lufs: float | None = None  # integrated loudness

    def check(self) -> None:
        """Refuses what cannot be.

        Raises:
            UserError: with what to choose instead.
        """
        if self.rate not in RATES:
            raise UserError(f"the rate is {self.rate} Hz; choose one of {', '.join(map(str, RATES))}")
        if self.peak is not None and self.lufs is not None:
            raise UserError("--peak and --lufs both set the level; give one of them")
        self._level(np.zeros(1, np.float32))

    def __call__(self, wave: Float[np.ndarray, "samples"]) -> Float[np.ndarray, "samples_at_rate"]:
        """16 kHz => at the level and the rate."""
        if self.rate != SAMPLE_RATE:
            import soxr

            wave = soxr.resample(wave, SAMPLE_RATE, self.rate)
        return np.clip(
            self._level(wave), -1, 1
        )  # the level last: peaks lie between the samples of a lower rate

    def _level(self, wave: Float[np.ndarray, "samples"]) -> Float[np.ndarray, "samples"]:
        if self.peak is None and self.lufs is None:
            return wave
        from clipsonic.loudness import at_loudness, at_peak

        if self.peak is not None:
            return at_peak(wave, self.peak)
        assert self.lufs is not None
        return at_loudness(wave, self.rate, self.lufs)

    @property
    def page(self) -> dict[str, Any]:
        """For the sidecar."""
        page: dict[str, Any] = {"sample_rate": self.rate}
        if self.rate != SAMPLE_RATE:
            page["resampled_from"] = SAMPLE_RATE
        levels = {"peak_db": self.peak, "lufs": self.lufs}
        return page | {name: value for name, value in levels.items() if value is not None}


def check_output(path: Path, video: Path | None = None) -> None:
    """Refuses a file name that cannot be written, before any work is done.

    Raises:
        UserError: unknown ending, or the folder is missing or closed to us.
    """
    endings = (*SOUNDS, *(FILMS if video is not None else ()))
    if path.suffix.lower() not in endings:
        film = ", or with --video in " + ", ".join(FILMS) if path.suffix.lower() in FILMS else ""
        raise UserError(f"{path} should end in {', '.join(endings)}{film}")
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file")
    if video is not None and video.exists() and path.resolve() == video.resolve():
        raise UserError(f"the video would be written over itself; name another file than {path} with -o")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UserError(
            f"cannot write to {path.parent}: {error.strerror}; name another file with -o"
        ) from error


def write_clip(
    path: Path,
    audio: Float[np.ndarray, "samples"],
    mel: Float[np.ndarray, "mels frames"],
    page: dict[str, Any],
    finish: Finish = Finish(),
    video: Path | None = None,
) -> None:
    """Writes sound, PNG and JSON aside, then moves all three to their names.

    Args:
        video: whose pictures go along, where the name is that of a film.
    """
    import soundfile

    kind = path.suffix.lower()
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".clipsonic-") as folder:
            aside = Path(folder)
            sound = aside / f"sound{kind}"
            wave = finish(audio)
            if video is not None and kind in FILMS:
                from clipsonic.data.muxing import with_sound  # PyAV, for films alone

                with_sound(video, wave, finish.rate, sound)
            else:
                held = io.BytesIO()  # libsndfile does not say that a disk is full
                soundfile.write(held, wave, finish.rate, format=kind[1:].upper(), subtype=SOUNDS[kind])
                sound.write_bytes(held.getvalue())
            save_mel(aside / "picture", mel, title=str(page["query"]))
            text = json.dumps(page | finish.page, indent=1, ensure_ascii=False)
            (aside / "page").write_text(text + "\n", "utf-8")
            sound.replace(path)
            (aside / "picture").replace(path.with_suffix(".png"))
            (aside / "page").replace(path.with_suffix(".json"))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def file_name(query: str) -> str:
    """A query => the stem of a file name."""
    return re.sub(r"[^\w]+", "-", query.lower()).strip("-")[:60] or "out"
