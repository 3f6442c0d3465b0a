"""What windows do to what is heard: python -m benchmarks.long DATA [--model mini] [--seconds 60].

DATA is the prepared data set of mini. Three questions, each with its figures:
- joints: frame-to-frame differences of the mel at the places where windows meet, beside those inside windows;
- length: class agreement of the pieces of long clips, beside that of clips of 4.096 s;
- cuts: what is heard in the halves of clips whose condition changes in the middle, beside those where it stays.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch

from clipsonic.config import CLIP_FRAMES, CLIP_SECONDS, SAMPLE_RATE
from clipsonic.data.dataset import ClipDataset
from clipsonic.data.pairs import PROMPT, SOUND_PROMPT
from clipsonic.diffusion.windows import cover
from clipsonic.encoders.load import load_audio_encoder
from clipsonic.evaluation.agreement import measure_agreement
from clipsonic.pipeline import OVERLAP, CLIPSonicPipeline
from clipsonic.tracks import Track

CLIP = round(CLIP_SECONDS * SAMPLE_RATE)
HALF = 6.0  # seconds


def joints(mels: np.ndarray) -> str:
    """How far the largest share of differences at joints lies in those elsewhere."""
    frames = mels.shape[-1]
    windows = cover([(0, frames)], frames, CLIP_FRAMES, OVERLAP)
    edges = set(windows.starts[1:]) | {start + CLIP_FRAMES for start in windows.starts[:-1]}
    near = {edge + shift for edge in edges for shift in (-1, 0, 1)}
    steps = np.abs(np.diff(mels, axis=-1)).mean(1)  # clip, frame
    at = steps[:, sorted(frame - 1 for frame in near if 0 < frame < frames)].ravel()
    inside = steps[:, [frame - 1 for frame in range(1, frames) if frame not in near]].ravel()
    share = [float((inside < value).mean()) for value in np.quantile(at, (0.5, 0.95))]
    return (
        f"joints: mean difference {at.mean():.3f} at {len(edges)} edges of windows a clip and {inside.mean():.3f} "
        f"elsewhere (nepers); their median and 95 % quantile lie at {share[0]:.0%} and {share[1]:.0%} of those"
    )


def main() -> None:
    """Prints the three answers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clips", type=int, default=10, help="long ones")
    asked = parser.parse_args()
    labels = sorted({str(clip.info.label) for _, clip in ClipDataset(asked.data, {"test"}).clips})
    words = {label: SOUND_PROMPT.format(label) for label in labels}
    truth = list(itertools.islice(itertools.cycle(labels), asked.clips))
    pipeline, judge = CLIPSonicPipeline.from_pretrained(asked.model), load_audio_encoder("mini")
    seeds = [torch.Generator().manual_seed(seed) for seed in range(asked.clips)]

    long = pipeline(
        [PROMPT.format(label) for label in truth], audio_length_in_s=asked.seconds, generator=seeds
    )
    print(joints(long.mels), flush=True)
    count = int(asked.seconds / CLIP_SECONDS)
    pieces = [wave[n * CLIP : (n + 1) * CLIP] for wave in long.audios for n in range(count)]
    of = [label for label in truth for _ in range(count)]
    parts = measure_agreement(judge, pieces, of, words, items=[n // count for n in range(len(pieces))])
    single = [label for label in truth for _ in range(4)]
    alone = pipeline(
        [PROMPT.format(label) for label in single],
        generator=[torch.Generator().manual_seed(1000 + seed) for seed in range(len(single))],
    ).audios
    clips = measure_agreement(judge, list(alone), single, words, items=[n // 4 for n in range(len(single))])
    print(
        f"length: class agreement of {len(pieces)} pieces of {asked.clips} clips of {asked.seconds:g} s "
        f"{parts.accuracy}; of {len(single)} single clips {clips.accuracy}",
        flush=True,
    )

    others = [labels[(labels.index(label) + 3) % len(labels)] for label in truth]
    for name, seconds in (("steady", truth), ("cuts", others)):
        halves = [half for pair in zip(truth, seconds, strict=True) for half in pair]
        waves = [wave for pair in zip(truth, seconds, strict=True) for wave in in_halves(pipeline, *pair)]
        items = [n // 2 for n in range(len(halves))]
        heard = measure_agreement(judge, waves, halves, words, items=items)
        change = "that changes in the middle" if name == "cuts" else "that stays"
        print(
            f"{name}: class agreement of the halves of {len(truth)} clips of {2 * HALF:g} s under a condition "
            f"{change} {heard.accuracy}",
            flush=True,
        )


def in_halves(pipeline: CLIPSonicPipeline, first: str, second: str) -> list[np.ndarray]:
    """A clip of two shots => what is heard in each."""
    rows = pipeline.embed([PROMPT.format(first), PROMPT.format(second)])
    shots = [0.0] if first == second else [0.0, HALF]
    track = Track(2 * HALF, [0.0, HALF], rows, shots)
    wave = pipeline(embedding=track, generator=torch.Generator().manual_seed(0)).audios[0]
    return list(np.split(wave, 2))


if __name__ == "__main__":
    main()
