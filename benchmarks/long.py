"""What windows do to what is heard: python -m benchmarks.long DATA [--model mini] [--seconds 60].

DATA is the prepared data set of mini. Three questions, each with its figures:
- joints: frame-to-frame differences of the mel at the places where windows meet, beside those inside windows;
- length: class agreement of the pieces of long clips, beside that of clips of 4.096 s;
- cuts: what is heard in the halves of clips whose condition changes in the middle, and how steady the others are.
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

    halves = list(zip(truth, truth[3:] + truth[:3], strict=True))
    heard: list[np.ndarray] = []
    middle = 6.0
    for seed, (first, second) in enumerate(halves):
        rows = pipeline.embed([PROMPT.format(first), PROMPT.format(second)])
        track = Track(2 * middle, [0.0, middle], rows, [0.0, middle])
        wave = pipeline(embedding=track, generator=torch.Generator().manual_seed(seed)).audios[0]
        heard += [wave[: round(middle * SAMPLE_RATE)], wave[round(middle * SAMPLE_RATE) :]]
    cut = measure_agreement(judge, heard, [label for pair in halves for label in pair], words)
    print(
        f"cuts: class agreement of the halves of {len(halves)} clips of {2 * middle:g} s {cut.accuracy}",
        flush=True,
    )


if __name__ == "__main__":
    main()
