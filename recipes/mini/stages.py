"""Where mini's answers to pictures are lost: every stage by itself, each with the true input of the next.

    python recipes/mini/stages.py --data WORK/data --model WORK/run/model

Right means: the judge (mini-audio) hears the label among those of the training clips. A few
minutes on one core.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from clipsonic.audio import log_mel
from clipsonic.config import CLIP_SECONDS, HOP_LENGTH, SAMPLE_RATE
from clipsonic.data.dataset import ClipDataset
from clipsonic.data.shards import read_info
from clipsonic.encoders.base import SOUND_PROMPT
from clipsonic.encoders.load import load_audio_encoder
from clipsonic.evaluation.questions import questions
from clipsonic.pipeline import CLIPSonicPipeline

CROPS = 4  # of each concept, for judge and vocoder
QUESTIONS = 138


class Judge:
    """mini-audio, which chooses among labels."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.network = load_audio_encoder("mini")
        self.words = self.network.encode_text([SOUND_PROMPT.format(label) for label in labels])

    def hears(self, waves: Sequence[Float[Tensor, "samples"]]) -> Int[Tensor, "n"]:
        """The number of the label that each wave sounds like."""
        heard = torch.cat([self.network.encode_audio([np.asarray(wave)], SAMPLE_RATE) for wave in waves])
        return (heard @ self.words.T).argmax(dim=1)


def share(said: Int[Tensor, "n"], right: Int[Tensor, "n"]) -> str:
    """How many are right, and of how many."""
    return f"{100 * (said == right).double().mean().item():5.1f} % of {len(right)}"


def crop(data: ClipDataset, number: int) -> Float[Tensor, "samples"]:
    """The first four seconds of a clip, in whole frames."""
    wave = torch.from_numpy(data.wave(number).astype(np.float32) / 32768)[: int(CLIP_SECONDS * SAMPLE_RATE)]
    return wave[: len(wave) // HOP_LENGTH * HOP_LENGTH]


def main() -> None:
    """Measures and prints, a line a stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a prepared data set with labels")
    parser.add_argument("--model", required=True, help="a model's folder, or mini")
    arguments = parser.parse_args()
    anything = -float("inf")
    train = ClipDataset(arguments.data, {"train"}, anything)
    rest = ClipDataset(arguments.data, set(read_info(arguments.data).splits) - {"train"}, anything)

    numbers, pictures = defaultdict(list), defaultdict(list)
    for number, (_, clip) in enumerate(train.clips):
        numbers[str(clip.info.label)].append(number)
        pictures[str(clip.info.label)].append(torch.from_numpy(train.embeddings(number)).float())
    labels = sorted(numbers)
    means = torch.stack([F.normalize(torch.cat(pictures[label]).mean(dim=0), dim=0) for label in labels])
    asked = questions(rest, QUESTIONS)
    right = torch.tensor([labels.index(question.label) for question in asked])
    seen = torch.stack([question.picture for question in asked]).float()
    print("encoder: pictures nearest to the mean of their concept", share((seen @ means.T).argmax(1), right))

    judge, pipeline = Judge(labels), CLIPSonicPipeline.from_pretrained(arguments.model, dtype=torch.bfloat16)
    random = np.random.default_rng(0)
    crops = [crop(train, int(n)) for label in labels for n in random.choice(numbers[label], CROPS)]
    of_crops = torch.arange(len(labels)).repeat_interleave(CROPS)
    print("judge: training recordings", share(judge.hears(crops), of_crops), flush=True)
    real = [number for number, (_, clip) in enumerate(rest.clips) if clip.info.label in labels]
    of_real = torch.tensor([labels.index(str(rest.clips[number][1].info.label)) for number in real])
    print(
        "judge: held-out recordings", share(judge.hears([crop(rest, n) for n in real]), of_real), flush=True
    )
    made = pipeline(
        embedding=means[right],
        guidance_scale=1.5,
        generator=[torch.Generator().manual_seed(seed) for seed in range(len(right))],
    ).audios
    print("U-Net: asked with the mean of the concept", share(judge.hears(list(made)), right), flush=True)
    with torch.no_grad():
        vocoder = pipeline.vocoder.float()
        again = [vocoder(log_mel(wave[None])).flatten() for wave in crops]
    print("vocoder: training recordings through their mels", share(judge.hears(again), of_crops), flush=True)


if __name__ == "__main__":
    main()
