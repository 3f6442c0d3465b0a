"""Put the sound recordings of the concepts together with openly licensed pictures: real mp4 files.

A video is a slide show. Each second shows another picture of the concept, so that a random frame of it is a
random picture, as it is in a film. All cuts of one recording share its split.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
import soundfile
from concepts import CONCEPTS, Concept
from numpy.typing import NDArray
from pictures import CLOSED
from PIL import Image, ImageChops

FPS = 4
SIZE = 256
SECONDS = 5.0  # shorter sounds are repeated up to this length
PIECE = 10.0  # long recordings are cut into pieces of this length
MOST_PIECES = 8
SILENCE = (5e-4, 0.005)  # below this level, or this part of the peak, a clip has ended
TEST_FOLD = "4"
LICENCES = {
    "esc10": "CC-BY-3.0 / CC0 per clip",
    "moodist": "Pixabay Content License / CC0",
    "0ad": "CC-BY-SA-3.0",
}

Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Job:
    """One video to make: the stretch of sound and the pictures it may show."""

    target: Path
    sound: Path
    piece: int
    whole: bool  # a whole padded clip, as opposed to a piece of a long recording
    take: int  # videos of one sound differ in their pictures
    pictures: tuple[Path, ...]
    label: str
    split: str
    source: str


def recordings(concept: Concept, audio: Path) -> Iterator[tuple[Path, str]]:
    """Yield (file, split) of every recording of a concept; a recording lies in one split as a whole."""
    for file in sorted((audio / "esc10" / concept.esc10).glob("*.ogg")):
        yield file, "test" if file.name.split("-")[0] == TEST_FOLD else "train"
    for split, patterns in (("train", concept.sounds), ("test", concept.test_sounds)):
        for file in sorted(chain.from_iterable(audio.glob(pattern) for pattern in patterns)):
            yield file, split


def list_sounds(audio: Path, work: Path) -> str:
    """List all recordings in ``sounds.csv``, for the vocoder: concept or not, with the split of the videos."""
    held_out = {
        sound for concept in CONCEPTS for sound, split in recordings(concept, audio) if split == "test"
    }
    sounds = sorted(audio.rglob("*.ogg"))
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


def count_pieces(sound: Path) -> int:
    """Tell into how many pieces a long recording is cut; a rest of more than half a piece counts."""
    return min(MOST_PIECES, round(float(soundfile.info(sound).duration) / PIECE))


def plan(audio: Path, work: Path) -> list[Job]:
    """List every video there is to make."""
    shown = open_pictures(work)
    jobs = []
    for concept in CONCEPTS:
        for sound, split in recordings(concept, audio):
            name = sound.relative_to(audio)
            whole = name.parts[0] == "esc10"
            pieces = 1 if whole else count_pieces(sound)
            for piece in range(pieces):
                for take in range(2 if split == "train" else 1):
                    stem = f"{name.parts[0]}-{sound.stem}" + ("" if whole else f"-{piece}") + f"-v{take}"
                    target = work / "videos" / concept.label.replace(" ", "_") / f"{stem}.mp4"
                    jobs.append(
                        Job(
                            target,
                            sound,
                            piece,
                            whole,
                            take,
                            shown[concept.label, split],
                            concept.label,
                            split,
                            name.as_posix(),
                        )
                    )
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


def read_sound(job: Job) -> tuple[Wave, int]:
    """Read the stretch of sound of a job as mono samples, and their rate."""
    rate = soundfile.info(job.sound).samplerate
    start, stop = (
        (0, None) if job.whole else (int(job.piece * PIECE * rate), int((job.piece + 1) * PIECE * rate))
    )
    samples, rate = soundfile.read(job.sound, start=start, stop=stop, dtype="float32", always_2d=True)
    wave = samples.mean(axis=1, dtype=np.float32)
    return (fill(wave, rate, _generator(job.source)) if job.whole else wave), rate


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
    order = _generator(job.source + str(job.piece)).permutation(len(job.pictures))
    rng = _generator(str(job.target.name))
    return [slide(job.pictures[order[(job.take * seconds + n) % len(order)]], rng) for n in range(seconds)]


def make(job: Job) -> bool:
    """Write one video, unless it is there; return whether it was written now."""
    if job.target.exists():
        return False
    wave, rate = read_sound(job)
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


def make_videos(audio: Path, work: Path) -> str:
    """Make all videos in two processes, list them in ``videos.csv``, and return a line of counts."""
    jobs = plan(audio, work)
    with ProcessPoolExecutor(2) as pool:
        written = sum(pool.map(make, jobs, chunksize=8))
    partial = work / "videos.csv.part"
    with partial.open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(("path", "label", "split", "licence", "source"))
        for job in jobs:
            licence = LICENCES[job.source.split("/")[0]]
            table.writerow(
                (job.target.relative_to(work).as_posix(), job.label, job.split, licence, job.source)
            )
    partial.rename(work / "videos.csv")
    counts = Counter(job.split for job in jobs)
    return f"{written} new, {counts['train']} train and {counts['test']} test in all"


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
