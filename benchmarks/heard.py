"""What sped-up sampling does to what is heard: python -m benchmarks.heard DATA [--clips 80] [--peer] [--half].

DATA is the prepared data set of mini. Every row asks for the same clips from the same noise: the distance to the
held-out recordings (FAD over mini-audio) and the class agreement, with 95 % intervals, and the seconds a clip.
--peer adds the published way, 1000 ancestral steps, which take minutes a clip; in single precision, and in bfloat16
(--half leaves only that) for who has not the time.
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import torch

from clipsonic.config import CROP_SAMPLES, SAMPLE_RATE
from clipsonic.data.dataset import ClipDataset
from clipsonic.data.pairs import PROMPT, SOUND_PROMPT
from clipsonic.diffusion.sampling import solver
from clipsonic.encoders.load import load_audio_encoder
from clipsonic.evaluation.agreement import measure_agreement
from clipsonic.evaluation.embeddings import load_sound_embedding
from clipsonic.evaluation.frechet import measure_frechet
from clipsonic.pipeline import CLIPSonicPipeline

Ways = list[tuple[str, int, torch.dtype, tuple[float, float]]]
SINGLE, HALF = torch.float32, torch.bfloat16
ALL = (0.0, 1.0)
WAYS: Ways = [  # solver, steps, precision of the U-Net, share of the noise times that is guided
    ("dpm++", 30, SINGLE, ALL),
    ("dpm++", 15, SINGLE, ALL),
    ("unipc", 30, SINGLE, ALL),
    ("unipc", 15, SINGLE, ALL),
    ("unipc", 12, SINGLE, ALL),
    ("unipc", 10, SINGLE, ALL),
    ("unipc", 8, SINGLE, ALL),
    ("unipc", 12, HALF, ALL),
    ("unipc", 12, HALF, (0.0, 0.8)),
    ("unipc", 12, HALF, (0.3, 0.8)),
    ("unipc", 12, HALF, (0.3, 1.0)),
]
PEER: Ways = [("ddpm", 1000, SINGLE, ALL), ("ddpm", 1000, HALF, ALL)]


def main() -> None:
    """Prints a row for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--clips", type=int, default=80)
    parser.add_argument("--guidance-scale", type=float, default=1.5)
    parser.add_argument("--peer", action="store_true")
    parser.add_argument(
        "--half", action="store_true", help="only the rows in bfloat16 with guidance throughout"
    )
    asked = parser.parse_args()
    ways = [*WAYS, *(PEER if asked.peer else [])]
    if asked.half:
        ways = [way for way in ways if way[2:] == (HALF, ALL)]
    held_out = ClipDataset(asked.data, {"test"})
    labels = sorted({str(clip.info.label) for _, clip in held_out.clips})
    truth = list(itertools.islice(itertools.cycle(labels), asked.clips))
    judge, ear = load_audio_encoder("mini"), load_sound_embedding("mini")
    reference = []
    for number in range(len(held_out)):
        wave = held_out.wave(number).astype(np.float32) / 32768
        reference.append(ear.windows(torch.from_numpy(wave[:CROP_SAMPLES]), SAMPLE_RATE))
    print(
        "| solver | steps | precision | guided | FAD | class agreement | s a clip |\n|---|---|---|---|---|---|---|"
    )
    for name, steps, precision, interval in ways:
        pipeline = CLIPSonicPipeline.from_pretrained(asked.model, dtype=precision)
        pipeline.set_progress_bar_config(disable=True)
        pipeline.scheduler = solver(name, pipeline.scheduler)
        began = time.perf_counter()
        waves = pipeline(
            [PROMPT.format(label) for label in truth],
            guidance_scale=asked.guidance_scale,
            guidance_interval=interval,
            num_inference_steps=steps,
            generator=[torch.Generator().manual_seed(seed) for seed in range(asked.clips)],
        ).audios
        each = (time.perf_counter() - began) / asked.clips
        made = [ear.windows(torch.from_numpy(wave), SAMPLE_RATE) for wave in waves]
        distance = measure_frechet(made, reference, ear.name, truth)
        words = {label: SOUND_PROMPT.format(label) for label in labels}
        agreement = measure_agreement(judge, list(waves), truth, words).accuracy
        print(
            f"| {name} | {steps} | {str(precision).removeprefix('torch.')} | {interval[0]:g} to {interval[1]:g} "
            f"| {distance} | {agreement} | {each:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
