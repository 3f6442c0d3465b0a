"""A clip => its files: sound or video with sound, picture and metadata, all whole or none."""

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from clipsonic.config import SAMPLE_RATE
from clipsonic.errors import UserError
from clipsonic.interfaces.naming import FILMS, SOUNDS, companions
from clipsonic.interfaces.pictures import save_mel
from clipsonic.loudness import (
    SAFE_PEAK,
    at_loudness,
    at_peak,
    faded,
    integrated_loudness,
    peak_db,
    within_full_scale,
)

RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
LOSSLESS = (".wav", ".flac", ".mkv")  # a decoded sample is what was encoded; other codecs overshoot
CLOSE = 10 ** (0.05 / 20)  # within 0.05 dB of a level is at it
TRIES = 3  # of encoding, until what is decoded stays below the peak


@dataclass(frozen=True)
class Finish:
    """What is done to a sound before it is written."""

    rate: int = SAMPLE_RATE  # Hz; others are resampled, which adds nothing above 8 kHz
    peak: float | None = None  # dB of full scale
    lufs: float | None = None  # integrated loudness
    fade: float = 0.0  # seconds, at both ends

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            UserError: with what to choose instead.
        """
        if self.rate not in RATES:
            raise UserError(f"--rate must be one of {', '.join(map(str, RATES))} Hz, got {self.rate}")
        if self.peak is not None and self.lufs is not None:
            raise UserError("--peak and --lufs both set the level; give one of them")
        if not 0 <= self.fade <= 10:
            raise UserError(f"--fade must be between 0 and 10 seconds, got {self.fade}")
        self._level(np.zeros(1, np.float32))

    def __call__(self, wave: Float[np.ndarray, "samples"]) -> Float[np.ndarray, "samples_at_rate"]:
        """16 kHz => at the level and the rate, within full scale."""
        if self.rate != SAMPLE_RATE:
            import soxr

            wave = soxr.resample(wave, SAMPLE_RATE, self.rate)
        # The level last: peaks lie between the samples of a lower rate.
        return within_full_scale(self._level(faded(wave, self.rate, self.fade)))

    def _level(self, wave: Float[np.ndarray, "samples"]) -> Float[np.ndarray, "samples"]:
        if self.peak is not None:
            return at_peak(wave, self.peak)
        return wave if self.lufs is None else at_loudness(wave, self.rate, self.lufs)

    def describe(
        self, wave: Float[np.ndarray, "samples"], written: Float[np.ndarray, "samples_at_rate"]
    ) -> dict[str, Any]:
        """Return the metadata of a wave, as it came from the vocoder and as it is in its file."""
        page: dict[str, Any] = {"sample_rate": self.rate}
        if self.rate != SAMPLE_RATE:
            page["resampled_from"] = SAMPLE_RATE
        before, after = rms(faded(wave, SAMPLE_RATE, self.fade)), rms(written)
        gain = 20 * float(np.log10(after / before)) if before > 0 and after > 0 else 0.0
        peak = peak_db(written)
        page |= {"gain_db": round(gain, 2) + 0.0, "peak_db": None if peak is None else round(peak, 2)}
        if self.lufs is not None:
            page["lufs"] = round(integrated_loudness(written, self.rate), 1)
        wanted = {"peak_db_requested": self.peak, "lufs_requested": self.lufs, "fade": self.fade or None}
        return page | {name: value for name, value in wanted.items() if value is not None}

    def missed(self, page: dict[str, Any]) -> str | None:
        """Return a note where the sound of the metadata is not at the loudness that was asked for."""
        if self.lufs is None or page["peak_db"] is None or abs(page["lufs"] - self.lufs) <= 0.5:
            return None
        return f"--lufs {self.lufs:g}: the sound reaches {page['lufs']:g} LUFS; its peaks allow no more"


def rms(wave: Float[np.ndarray, "samples"]) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) if len(wave) else 0.0


def write_clip(
    path: Path,
    audio: Float[np.ndarray, "samples"],
    mel: Float[np.ndarray, "mels frames"],
    page: dict[str, Any],
    finish: Finish = Finish(),
    video: Path | None = None,
) -> dict[str, Any]:
    """Write sound, PNG and JSON aside, then move all three to their names => the metadata written.

    Args:
        video: whose pictures go along, where the name is that of a film.
    """
    picture, sidecar = companions(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".clipsonic-") as folder:
            aside = Path(folder)
            sound = aside / f"sound{path.suffix.lower()}"

            def encode(wave: Float[np.ndarray, "samples"]) -> None:
                write_sound(sound, wave, finish.rate, video)

            written = encoded(sound, finish(audio), finish, encode)
            save_mel(aside / "picture", mel, title=str(page["query"]))
            page = page | finish.describe(audio, written)
            text = json.dumps(page, indent=1, ensure_ascii=False) + "\n"
            # A byte of a file name that is not UTF-8 becomes the JSON escape that Python reads back as that name.
            (aside / "page").write_bytes(text.encode("utf-8", "backslashreplace"))
            # The sound last: without it nothing is done, and the metadata says that the rest is ours to replace.
            path.unlink(missing_ok=True)
            (aside / "page").replace(sidecar)
            (aside / "picture").replace(picture)
            sound.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    return page


def sound_bytes(
    audio: Float[np.ndarray, "samples"], ending: str, finish: Finish = Finish(), video: Path | None = None
) -> bytes:
    """Return the file that `write_clip` would write of a sound.

    Args:
        ending: its kind, such as ".ogg", or with a video ".mp4".

    Raises:
        UserError: the container cannot hold the video's pictures as they are.
    """
    with tempfile.TemporaryDirectory(prefix="clipsonic-") as folder:
        path = Path(folder) / f"sound{ending}"
        encoded(path, finish(audio), finish, lambda wave: write_sound(path, wave, finish.rate, video))
        return path.read_bytes()


def write_sound(path: Path, wave: Float[np.ndarray, "samples"], rate: int, video: Path | None) -> None:
    """Write a wave as its file's ending says, onto the pictures of a video where it is that of a film."""
    import soundfile

    kind = path.suffix.lower()
    if video is not None and kind in FILMS:
        from clipsonic.data.muxing import with_sound  # PyAV, for films alone

        with_sound(video, wave, rate, path)
        return
    held = io.BytesIO()  # libsndfile does not say that a disk is full
    soundfile.write(held, wave, rate, format=kind[1:].upper(), subtype=SOUNDS[kind])
    path.write_bytes(held.getvalue())


def encoded(
    path: Path,
    wave: Float[np.ndarray, "samples"],
    finish: Finish,
    encode: Callable[[Float[np.ndarray, "samples"]], None],
) -> Float[np.ndarray, "samples"]:
    """Encode a wave so that its file, decoded, stays below the peak of `finish` => what is decoded from it.

    A lossy codec's peaks pass those it was given, by a decibel or more: such a file is decoded, and made again
    quieter if need be.
    """
    encode(wave)
    if path.suffix.lower() in LOSSLESS:
        return wave
    most = 1.0 if finish.peak is None else CLOSE * 10 ** (finish.peak / 20)
    aim = SAFE_PEAK if finish.peak is None else 10 ** (finish.peak / 20)
    for _ in range(TRIES):
        heard = decoded(path, finish.rate)
        peak = float(np.abs(heard).max(initial=0.0))
        if peak <= most:
            break
        wave = (wave * (aim / peak)).astype(np.float32)
        encode(wave)
    else:
        heard = decoded(path, finish.rate)
    return heard


def decoded(path: Path, rate: int) -> Float[np.ndarray, "samples"]:
    """Return the sound of a file that was just written, mono, at its rate, peaks above full scale and all."""
    import av

    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", rate)
        frames = [each for frame in container.decode(audio=0) for each in resampler.resample(frame)]
        pieces = [each.to_ndarray()[0] for each in [*frames, *resampler.resample(None)]]
    return np.concatenate([np.zeros(0, np.float32), *pieces])
