"""A first, small judge: does a clip made for "a photo of a dog" sound like the dogs of the data set?

    python recipes/mini/judge.py --data WORK/data --model WORK/run/model --pictures WORK/pictures.jsonl

Trains a convolutional classifier on the training recordings, prints its accuracy on the held-out ones, then what it
hears in clips generated from text and from held-out pictures. A silent clip is wrong, whatever the judge says.
The judge sees mels only, so it judges the spectrogram model and not the vocoder.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from clipsonic import CLIPSonicPipeline
from clipsonic.audio import log_mel, to_model_range
from clipsonic.bridges.load import load_bridge
from clipsonic.config import CROP_FRAMES, CROP_SAMPLES, FRAMES_PER_SECOND
from clipsonic.data.dataset import ClipDataset, crop_starts

SILENT = -6.0  # log-mel; a clip whose loudest band never passes it counts as silent


def network(labels: int) -> nn.Module:
    def block(inside: int, outside: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(outside), nn.ReLU(), nn.MaxPool2d(2)]

    pool = [nn.AdaptiveAvgPool2d((4, 1)), nn.Flatten(), nn.Dropout(0.3), nn.Linear(128 * 4, labels)]
    return nn.Sequential(*block(1, 24), *block(24, 48), *block(48, 96), *block(96, 128), *pool)


def mels_of(data: ClipDataset) -> list[Tensor]:
    waves = [torch.from_numpy(data.wave(number).astype(np.float32) / 32768) for number in range(len(data))]
    return [to_model_range(log_mel(wave[None]))[0] for wave in waves]


def train_judge(data: ClipDataset, labels: list[str], steps: int) -> nn.Module:
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    judge = network(len(labels))
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    by_label = defaultdict(list)
    for number, (_, clip) in enumerate(data.clips):
        by_label[clip.info.label].append(number)
    waves = [data.wave(number) for number in range(len(data))]
    starts = [crop_starts(wave, 0.01) for wave in waves]
    for step in range(steps):
        truth = random.integers(len(labels), size=32)
        numbers = [int(random.choice(by_label[labels[label]])) for label in truth]
        batch = []
        for number in numbers:
            start = random.choice(starts[number])
            batch.append(waves[number][start : start + CROP_SAMPLES].astype(np.float32) / 32768)
        mel = to_model_range(log_mel(torch.from_numpy(np.stack(batch))))[:, None]
        # Shifted in level, so that loudness tells the judge nothing.
        mel = (mel + torch.from_numpy(random.uniform(-0.2, 0.2, (32, 1, 1, 1))).float()).clamp(min=-1)
        loss = nn.functional.cross_entropy(judge(mel), torch.from_numpy(truth), label_smoothing=0.1)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 100 == 0:
            print(f"judge: step {step} of {steps}, loss {loss.item():.3f}", flush=True)
    return judge.eval()


@torch.no_grad()
def verdicts(judge: nn.Module, mels: list[Tensor]) -> list[int]:
    """The label of each mel, by the mean of the probabilities over its crops."""
    said = []
    for mel in mels:
        starts = range(0, mel.shape[1] - CROP_FRAMES + 1, 16)
        pieces = torch.stack([mel[:, start : start + CROP_FRAMES] for start in starts])[:, None]
        said.append(int(judge(pieces).softmax(1).mean(0).argmax()))
    return said


def report(name: str, labels: list[str], truth: list[int], said: list[int]) -> None:
    right = np.array(truth) == np.array(said)
    parts = [
        f"{label} {right[np.array(truth) == number].mean():.0%}"
        for number, label in enumerate(labels)
        if number in truth
    ]
    half = 1.96 * right.std() / len(right) ** 0.5
    print(f"{name}: {right.mean():.1%} +- {half:.1%} of {len(right)} clips | {', '.join(parts)}", flush=True)


def pictures(rows: Path, labels: list[str], most: int) -> dict[str, list[Image.Image]]:
    """Held-out pictures of each concept: drawings and emoji before photos, as many as there are."""
    found: dict[str, list[Image.Image]] = defaultdict(list)
    for line in rows.read_text().splitlines():
        row = json.loads(line)
        if row["split"] == "test" and row["concept"] in labels and len(found[row["concept"]]) < most:
            found[row["concept"]].append(Image.open(rows.parent / row["path"]).convert("RGB"))
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--pictures", type=Path, required=True)
    arguments.add_argument("--clips", type=int, default=8, help="a label")
    arguments.add_argument("--guidance-scale", type=float, nargs="+", default=[1.5, 3.0])
    arguments.add_argument("--kinds", nargs="+", default=["text", "image"])
    arguments.add_argument(
        "--bridges", nargs="+", default=[None], help="of texts; the model's own unless told"
    )
    arguments.add_argument("--with", dest="added", nargs="*", default=[], help="bridges to add: sd=FOLDER")
    arguments.add_argument("--steps", type=int, default=1200, help="of the judge's training")
    options = arguments.parse_args()

    train, test = ClipDataset(options.data, {"train"}), ClipDataset(options.data, {"test"})
    labels = sorted(train.info.labels)
    judge = train_judge(train, labels, options.steps)
    truth = [labels.index(clip.info.label) for _, clip in test.clips]
    report("judge on held-out recordings", labels, truth, verdicts(judge, mels_of(test)))

    added = dict(each.split("=") for each in options.added)
    bridges = {name: load_bridge(folder) for name, folder in added.items()}
    pipeline = CLIPSonicPipeline.from_pretrained(options.model, **bridges)
    queries = pictures(options.pictures, labels, options.clips)
    for w in options.guidance_scale:
        for kind, bridge in [
            (k, b) for k in options.kinds for b in (options.bridges if k == "text" else [None])
        ]:
            truth, said = [], []
            for number, label in enumerate(labels):
                images = [queries[label][clip % len(queries[label])] for clip in range(options.clips)]
                query = (
                    {"prompt": [f"a photo of a {label}"] * options.clips, "bridge": bridge}
                    if kind == "text"
                    else {"image": images}
                )
                seeds = [torch.Generator().manual_seed(1000 * number + clip) for clip in range(options.clips)]
                made = torch.from_numpy(pipeline(**query, guidance_scale=w, generator=seeds).mels)
                loud = made.amax((1, 2)) > SILENT
                heard = verdicts(judge, list(to_model_range(made)))
                truth += [number] * options.clips
                said += [label if loud[clip] else -1 for clip, label in enumerate(heard)]
            report(
                f"{kind}{f' over {bridge}' if bridge else ''}, w = {w}, {made.shape[-1] / FRAMES_PER_SECOND:.1f} s",
                labels,
                truth,
                said,
            )


if __name__ == "__main__":
    main()
