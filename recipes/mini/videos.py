"""Put the sound recordings of the concepts together with openly licensed pictures: real mp4 files.

A video is a slide show. Each second shows another picture of the concept, so that a random frame of it is a
random picture, as it is in a film. All cuts of one recording share its split.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from concept_sounds import CONCEPT_SOUNDS, LICENCES, ConceptSounds
from numpy.typing import NDArray
from pictures import CLOSED
from PIL import Image, ImageChops
from sounds import group_takes, string_takes

FPS = 4
SIZE = 256
SECONDS = 5.0  # shorter sounds are repeated up to this length
PIECE = 10.0  # longer recordings are cut into pieces of this length
WHOLE = 8.0  # recordings up to this length stay whole
MOST_PIECES = {"train": 8, "test": 4}  # of one recording
VIDEOS = 48  # of a concept, about: scarce sounds are shown with more pictures
MOST_TAKES = 6  # videos of one sound
STRUNG = {"train": 32, "test": 6}  # videos of takes strung together
RATE = 16_000  # of those
QUIETEST, LOUDEST = 0.25, 0.95  # peaks of a stretch
SILENCE = (5e-4, 0.005)  # below this level, or this part of the peak, a clip has ended

Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Unit:
    """A stretch of sound: a whole recording, a piece of one, or takes to string together."""

    sounds: tuple[Path, ...]
    name: str  # of the first, below its root
    split: str
    piece: int | None  # None: whole
    beat: tuple[float, float] | None = None  # of takes

    @property
    def stem(self) -> str:
        """A file name that no other unit of its concept has."""
        plain = self.name.removesuffix(".ogg").replace("/", "-")
        return plain + ("" if self.piece is None else f"-{self.piece}")


@dataclass(frozen=True)
class Job:
    """One video to make: the stretch of sound and the pictures it may show."""

    target: Path
    unit: Unit
    take: int  # videos of one sound differ in their pictures
    pictures: tuple[Path, ...]
    label: str


def units(concept: ConceptSounds, roots: Sequence[Path]) -> Iterator[Unit]:
    """Yield all stretches of sound of a concept; a recording lies in one split as a whole."""
    for split in ("train", "test"):
        for file, name in concept.files(split, roots):
            seconds = float(soundfile.info(file).duration)
            if seconds <= WHOLE:
                yield Unit((file,), name, split, None)
            else:  # a rest of more than half a piece counts
                pieces = max(1, min(MOST_PIECES[split], round(seconds / PIECE)))
                yield from (Unit((file,), name, split, piece) for piece in range(pieces))
        takes = dict(concept.files(f"{split}_takes", roots))
        series = group_takes(takes)
        for number in range(STRUNG[split] if series else 0):
            files = tuple(series[number % len(series)])
            yield Unit(files, takes[files[0]], split, number, concept.beat)


def list_sounds(roots: Sequence[Path], work: Path) -> str:
    """List all recordings in ``sounds.csv``, for the vocoder: concept or not, with the split of the videos."""
    held_out = {
        file
        for concept in CONCEPT_SOUNDS
        for kind in ("test", "test_takes")
        for file, _ in concept.files(kind, roots)
    }
    sounds = sorted(sound for root in roots for sound in root.rglob("*.ogg"))
    partial = work / "sounds.csv.part"
    with partial.open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(("path", "split"))
        table.writerows((sound.resolve(), "test" if sound in held_out else "train") for sound in sounds)
    partial.rename(work / "sounds.csv")
    return f"{len(sounds)} recordings, {len(held_out)} held out"


def open_pictures(work: Path) -> dict[tuple[str, str], tuple[Path, ...]]:
    """Map (label, split) to the pictures that may be shown: photos under closed terms are left out."""
    table: dict[tuple[str, str], list[Path]] = {}
    for line in (work / "pictures.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["concept"] and row["source"] not in CLOSED:
            table.setdefault((row["concept"], row["split"]), []).append(work / row["path"])
    return {key: tuple(sorted(paths)) for key, paths in table.items()}


def plan(roots: Sequence[Path], work: Path) -> list[Job]:
    """List every video there is to make."""
    shown = open_pictures(work)
    jobs = []
    for concept in CONCEPT_SOUNDS:
        mine = list(units(concept, roots))
        training = sum(unit.split == "train" for unit in mine)
        takes = min(MOST_TAKES, max(1, round(VIDEOS / training)))
        folder = work / "videos" / concept.label.replace(" ", "_")
        for unit in mine:
            for take in range(takes if unit.split == "train" else 1):
                target = folder / f"{unit.stem}-v{take}.mp4"
                jobs.append(Job(target, unit, take, shown[concept.label, unit.split], concept.label))
    return jobs


def fill(wave: Wave, rate: int, rng: np.random.Generator) -> Wave:
    """Cut off silent padding and repeat a short sound, with pauses, up to five seconds."""
    level = np.abs(wave)
    loud = np.flatnonzero(level > max(SILENCE[0], SILENCE[1] * float(level.max(initial=0.0))))
    if loud.size == 0:
        return wave
    sound = wave[loud[0] : loud[-1] + 1]
    length = int(SECONDS * rate)
    if len(sound) > 0.9 * length:
        return sound
    parts = [sound]
    while sum(map(len, parts)) < length:
        parts += [np.zeros(int(rng.uniform(0.2, 0.6) * rate), np.float32), sound]
    return np.concatenate(parts)[:length]


def read_sound(unit: Unit) -> tuple[Wave, int]:
    """Read a stretch of sound as mono samples, and their rate."""
    rng = _generator(f"{unit.name} {unit.piece}")
    if unit.beat is not None:
        takes = [_mono(sound, 0, None, RATE) for sound in unit.sounds]
        return string_takes(takes, RATE, rng, unit.beat, SECONDS), RATE
    rate = soundfile.info(unit.sounds[0]).samplerate
    if unit.piece is None:
        return fill(_mono(unit.sounds[0], 0, None, rate), rate, rng), rate
    start = int(unit.piece * PIECE * rate)
    return _mono(unit.sounds[0], start, start + int(PIECE * rate), rate), rate


def _mono(sound: Path, start: int, stop: int | None, wanted: int) -> Wave:
    samples, rate = soundfile.read(sound, start=start, stop=stop, dtype="float32", always_2d=True)
    wave: Wave = samples.mean(axis=1, dtype=np.float32)
    peak = float(np.abs(wave).max(initial=1e-9))
    wave *= min(max(1.0, QUIETEST / peak), LOUDEST / peak)  # some sources are ten times as quiet as others
    return wave if rate == wanted else soxr.resample(wave, rate, wanted)


def slide(picture: Path, rng: np.random.Generator) -> Image.Image:
    """Show a drawing on a pale ground, moved, scaled and sometimes mirrored a little."""
    image = Image.open(picture).convert("RGB")
    scale = SIZE * rng.uniform(0.7, 1.0) / max(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    sheet = Image.new("RGB", (SIZE, SIZE), "white")
    room = (SIZE - image.width, SIZE - image.height)
    sheet.paste(image, (round(room[0] * rng.uniform(0.2, 0.8)), round(room[1] * rng.uniform(0.2, 0.8))))
    red, green, blue = (int(value) for value in rng.integers(205, 256, 3))
    return ImageChops.multiply(sheet, Image.new("RGB", (SIZE, SIZE), (red, green, blue)))


def slides(job: Job, seconds: int) -> list[Image.Image]:
    """Choose a picture for each second; the second video of a sound goes on where the first one stopped."""
    order = _generator(f"{job.unit.name} {job.unit.piece}").permutation(len(job.pictures))
    rng = _generator(str(job.target.name))
    return [slide(job.pictures[order[(job.take * seconds + n) % len(order)]], rng) for n in range(seconds)]


def make(job: Job) -> bool:
    """Write one video, unless it is there; return whether it was written now."""
    if job.target.exists():
        return False
    wave, rate = read_sound(job.unit)
    pictures = slides(job, int(np.ceil(len(wave) / rate)))
    job.target.parent.mkdir(parents=True, exist_ok=True)
    partial = job.target.with_suffix(".part")
    with av.open(str(partial), "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "23"})
        video.width = video.height = SIZE
        video.pix_fmt = "yuv420p"
        audio = out.add_stream("aac", rate=rate, options={"b": "96000"}, layout="mono")
        for number in range(int(np.ceil(len(wave) / rate * FPS))):
            frame = av.VideoFrame.from_image(pictures[number // FPS])
            frame.pts = number
            frame.time_base = Fraction(1, FPS)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        sound = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        sound.sample_rate = rate
        sound.pts = 0
        sound.time_base = Fraction(1, rate)
        out.mux(audio.encode(sound))
        out.mux(audio.encode(None))
    partial.rename(job.target)
    return True


def make_videos(roots: Sequence[Path], work: Path) -> str:
    """Make all videos in two processes, list them in ``videos.csv``, and return a line of counts."""
    jobs = plan(roots, work)
    with ProcessPoolExecutor(2) as pool:
        written = sum(pool.map(make, jobs, chunksize=8))
    partial = work / "videos.csv.part"
    with partial.open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(("path", "label", "split", "licence", "source"))
        for job in jobs:
            place, unit = job.target.relative_to(work).as_posix(), job.unit
            table.writerow((place, job.label, unit.split, LICENCES[unit.name.split("/")[0]], unit.name))
    partial.rename(work / "videos.csv")
    counts = Counter(job.unit.split for job in jobs)
    return f"{written} new, {counts['train']} train and {counts['test']} test in all"


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
