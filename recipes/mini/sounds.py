"""Make ``WORK/audio``: sounds from Debian packages, and phrases of musical instruments.

Everything becomes 16 kHz mono Ogg with one peak level. Files which are there already are kept.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import soundfile
from concept_sounds import CONCEPT_SOUNDS
from numpy.typing import NDArray
from phrases import INSTRUMENTS, Instrument, phrase
from rcc import read_rcc

RATE = 16_000
PEAK = 0.5
PHRASES = {"train": 24, "test": 6}  # an instrument
STAMPS = Path("/usr/share/tuxpaint/stamps")
ARCHIVES = Path("/usr/share/gcompris-qt/rcc")
SAMPLES = Path("/usr/share/sonic-pi/samples")
SOUNDFONTS = (Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"), Path("/usr/share/sounds/sf2/TimGM6mb.sf2"))

Wave = NDArray[np.float32]


def string_takes(
    takes: Sequence[Wave],
    rate: int,
    rng: np.random.Generator,
    beat: tuple[float, float],
    seconds: float = 5.0,
) -> Wave:
    """String takes of a short sound together: steps, strokes of an axe.

    Args:
        takes: The takes of one series, as mono samples; they are used in random order, each as often as needed.
        rate: Samples a second.
        rng: Where chance comes from.
        beat: Least and most seconds from one take to the next; one value is drawn, and varied a little.
        seconds: The length of the result.
    """
    out = np.zeros(int(seconds * rate), np.float32)
    trimmed = [take[np.argmax(np.abs(take) > 0.02 * np.abs(take).max(initial=0.0)) :] for take in takes]
    gap, now = rng.uniform(*beat), rng.uniform(0.0, 0.3)
    order: list[int] = []
    while now < seconds - 0.1:
        order = order or list(rng.permutation(len(trimmed)))
        start = int(now * rate)
        sound = trimmed[order.pop()][: len(out) - start]
        out[start : start + len(sound)] += np.float32(rng.uniform(0.7, 1.0)) * sound
        now += gap * rng.uniform(0.9, 1.1)
    return out


def group_takes(files: Iterable[Path]) -> list[list[Path]]:
    """Put takes of one series together: files of one folder whose names differ in a number only."""
    series: dict[str, list[Path]] = {}
    for file in sorted(files):
        series.setdefault(re.sub(r"_?\d+[a-z]?$", "", file.with_suffix("").as_posix()), []).append(file)
    return list(series.values())


def write(wave: Wave, target: Path) -> None:
    """Write samples at the one peak level, unless they are silent."""
    peak = float(np.abs(wave).max(initial=0.0))
    if peak < 1e-3:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    with soundfile.SoundFile(partial, "w", RATE, 1, format="OGG", subtype="VORBIS") as out:
        for start in range(0, len(wave), RATE):  # long buffers break the encoder
            out.write(wave[start : start + RATE] * (PEAK / peak))
    partial.rename(target)


def read(sound: Path | io.BytesIO) -> Wave:
    """Read a recording as mono samples at the one rate."""
    parts: list[Wave] = []
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
    with av.open(sound if isinstance(sound, io.BytesIO) else str(sound)) as container:
        for frame in container.decode(audio=0):
            parts += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
        parts += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def convert_packages(audio: Path, wanted: Callable[[str], bool]) -> int:
    """Convert the wanted recordings of the packages, and return how many were written now."""
    sounds: list[tuple[str, Path | bytes]] = []
    for stamp in sorted(STAMPS.rglob("*.ogg")):
        sounds.append((f"tuxpaint/{stamp.relative_to(STAMPS).as_posix()}", stamp))
    for sample in sorted(SAMPLES.glob("*.flac")):
        sounds.append((f"sonic-pi/{sample.stem}.ogg", sample))
    for archive in sorted(ARCHIVES.glob("*.rcc")):
        for path, content in read_rcc(archive):
            if path.endswith((".ogg", ".wav")):
                sounds.append((f"gcompris/{archive.stem}/{Path(path).stem}.ogg", content))
    written = 0
    for name, sound in sounds:
        if wanted(name) and not (audio / name).exists():
            write(read(io.BytesIO(sound) if isinstance(sound, bytes) else sound), audio / name)
            written += 1
    return written


def render(instrument: Instrument, split: str, number: int, audio: Path) -> bool:
    """Play one phrase with the synthesizer, unless it is there; return whether it was played now."""
    name = f"rendered/{instrument.label.replace(' ', '_')}/{split}-{number:02}.ogg"
    if (audio / name).exists():
        return False
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
    seconds = float(rng.uniform(6.0, 8.0))
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "phrase.mid", Path(folder) / "phrase.wav"
        score.write_bytes(phrase(instrument, seconds, rng))
        font = SOUNDFONTS[number % len(SOUNDFONTS)]
        subprocess.run(
            ["fluidsynth", "-niq", "-g", "0.5", "-r", str(RATE), "-F", sound, font, score],
            check=True,
            capture_output=True,
        )
        wave = soundfile.read(sound, dtype="float32", always_2d=True)[0].mean(axis=1)[: int(seconds * RATE)]
    fade = RATE // 10
    wave[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    write(wave, audio / name)
    return True


def report(roots: Sequence[Path]) -> str:
    """Return a table: how many recordings (and takes) and seconds every concept has in each split."""
    lines = [f"{'concept':<16}{'train':>12}{'s':>8}{'test':>12}{'s':>8}"]
    for concept in CONCEPT_SOUNDS:
        line = f"{concept.label:<16}"
        for split in ("train", "test"):
            whole, takes = concept.files(split, roots), concept.files(f"{split}_takes", roots)
            seconds = sum(_sounding_seconds(file) for file, _ in whole + takes)
            line += f"{len(whole)}{f'+{len(takes)}' if takes else ''}".rjust(12) + f"{seconds:8.1f}"
        lines.append(line)
    return "\n".join(lines)


def _sounding_seconds(file: Path) -> float:
    """Tell how long a file is louder than 2 % of its loudest twentieth of a second."""
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    step = rate // 20
    frames = samples[: len(samples) // step * step].reshape(-1, step * samples.shape[1])
    level = np.sqrt((frames**2).mean(axis=1)) if len(frames) else np.zeros(1)
    return float((level > 0.02 * level.max()).sum()) / 20


def main() -> None:
    """Make all sounds, and print what every concept has."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raw", type=Path, required=True, help="fetched material")
    parser.add_argument("--work", type=Path, required=True, help="folder to write to")
    args = parser.parse_args()
    audio = args.work / "audio"
    patterns = [p for concept in CONCEPT_SOUNDS for p in concept.patterns()]
    written = convert_packages(audio, lambda name: any(Path(name).match(pattern) for pattern in patterns))
    jobs = [
        (i, split, n, audio) for i in INSTRUMENTS for split, count in PHRASES.items() for n in range(count)
    ]
    with ThreadPoolExecutor(2) as pool:
        played = sum(pool.map(lambda job: render(*job), jobs))
    print(f"{written} recordings converted, {played} phrases played")
    print(report((args.raw / "audio", audio)))


if __name__ == "__main__":
    main()
