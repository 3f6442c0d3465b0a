"""Trains the picture side of the mini encoder, backbone and projection, towards words that stay where they are.

    python recipes/mini/backbone.py --work DIR --start DIR/encoder --out DIR/encoder2

`encoder.py` trains projections of a network that has only seen photos; here most of that network learns as well
what drawings, emoji and icons look like. The text side is left alone, so that the space keeps its meaning and a
spectrogram model need not learn a new one. Losses: CLIP's over captions, as in `encoder.py`, and naming the
concept among all labels. The first stages and the filters of single channels keep their ImageNet weights. What is
kept lies between the start and the end (WiSE-FT, Wortsman et al. 2022, arXiv 2109.01903): it knows drawings, and
has not forgotten photos.
"""

import argparse
import copy
import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from encoder import MAX_CAPTIONS, TINY_EVERY, Captions, caption_features, contrastive
from encoder_report import Row, confusions, embed, print_report, report
from jaxtyping import Float, Int, UInt8
from pictures import CLOSED
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from clipsonic.encoders.base import on_white
from clipsonic.encoders.mini import MiniEncoder

STORED = 208  # pixels a side of the pictures in memory
SHOWN = 192  # pixels a side while training; 224 afterwards, within the sizes that `vary` makes of it
FROZEN_BLOCKS = 3
PROMPTS = ("a photo of {}", "the sound of {}", "a drawing of a {}", "{}")
SCALE = 30.0  # of cosines, before a softmax
# How large a part of a batch is drawn from where: pictures a video may show, photos of concepts, the rest.
PARTS = (0.45, 0.25, 0.3)


@dataclass(frozen=True)
class Settings:
    """What a run depends on besides its pictures."""

    steps: int = 650
    batch: int = 64
    backbone_rate: float = 5e-5
    projection_rate: float = 2e-4
    average: float = 0.99  # of the weights that are kept, a step
    trained: float = 0.4  # share of the way from the start to the end that the weights go
    seed: int = 0


def with_backbone(encoder: MiniEncoder) -> MiniEncoder:
    """The same encoder with a picture network of its own, that of the wheel so far."""
    own = MiniEncoder(encoder.embedding_dim, encoder.config.hidden_dim, own_backbone=True, glossary=True)
    own.backbone.load_state_dict(encoder.backbone.state_dict())
    own.image_projection.load_state_dict(encoder.image_projection.state_dict())
    own.text_projection.load_state_dict(encoder.text_projection.state_dict())
    return own.eval()


def small(path: str, work: Path) -> UInt8[Tensor, "3 h w"]:
    """A picture on white, squeezed to a square as the encoder sees it."""
    image = on_white(Image.open(work / path)).resize(
        (STORED, STORED), Image.Resampling.BICUBIC, reducing_gap=3.0
    )
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def read_all(paths: Sequence[str], work: Path) -> UInt8[Tensor, "n 3 h w"]:
    """All pictures in memory, 130 kB each."""
    pictures = torch.empty(len(paths), 3, STORED, STORED, dtype=torch.uint8)
    with ProcessPoolExecutor(2, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for index, picture in enumerate(pool.map(partial(small, work=work), paths, chunksize=64)):
            pictures[index] = picture
            if index % 4000 == 0:
                print(f"read {index} of {len(paths)}", flush=True)
    return pictures


def vary(pictures: UInt8[Tensor, "b 3 h w"], random: torch.Generator) -> Float[Tensor, "b 3 i j"]:
    """Turned, stretched, moved, mirrored, tinted, sometimes grey or a negative; scaled as the network wants it."""

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(len(pictures), *shape, generator=random)

    def some(share: float) -> Tensor:
        return (torch.rand(len(pictures), generator=random) < share).view(-1, 1, 1, 1)

    # White is 0 here, so that what lies outside the picture is paper.
    ink = 1 - pictures.float() / 255
    angle, zoom = draw(-0.3, 0.3), draw(0.7, 1.2)  # a picture looks 1 / zoom as large
    wide = zoom * draw(0.85, 1.15) * torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    turn = torch.stack(
        [wide * angle.cos(), -zoom * angle.sin(), wide * angle.sin(), zoom * angle.cos()], dim=1
    )
    theta = torch.cat([turn.view(-1, 2, 2), draw(-0.2, 0.2, 2, 1)], dim=2)
    grid = F.affine_grid(theta, [len(ink), 3, SHOWN, SHOWN], align_corners=False)
    seen = 1 - F.grid_sample(ink, grid, mode="bilinear", align_corners=False)
    seen = torch.where(some(0.15), seen.mean(dim=1, keepdim=True).expand_as(seen), seen)
    seen = torch.where(some(0.06), 1 - seen, seen)
    paper = torch.where(some(0.6), draw(0.6, 1.0, 3, 1, 1), torch.ones(1))
    seen = (seen * paper * draw(0.8, 1.0, 1, 1, 1) + draw(0.0, 0.1, 1, 1, 1)).clamp(0, 1)
    return ((seen * 255 - 127) / 128).contiguous(memory_format=torch.channels_last)


def draws(rows: Sequence[Row], settings: Settings, random: torch.Generator) -> Int[Tensor, "b"]:
    """Numbers of one batch's pictures: `PARTS` of the three kinds, rare captions more often."""
    seen = Counter(row["captions"][0] for row in rows)
    weight = torch.tensor([seen[row["captions"][0]] ** -0.5 for row in rows])
    kind = torch.tensor([2 if not row["concept"] else int(row["source"] in CLOSED) for row in rows])
    chosen = []
    for number, part in enumerate(PARTS):
        count = round(part * settings.batch)
        chosen.append(torch.multinomial(weight * (kind == number), count, generator=random))
    return torch.cat(chosen)


def trainable(encoder: MiniEncoder, settings: Settings) -> list[dict[str, Any]]:
    """The groups of the optimiser; everything else is frozen."""
    encoder.requires_grad_(False)
    network = encoder.backbone
    wide = [
        weight
        for part in (*list(network.blocks)[FROZEN_BLOCKS:], network.conv_head)
        for name, weight in part.named_parameters()
        if "depthwise" not in name
    ]
    groups = [
        {"params": wide, "rate": settings.backbone_rate, "weight_decay": 0.0},
        {
            "params": list(encoder.image_projection.parameters()),
            "rate": settings.projection_rate,
            "weight_decay": 0.05,
        },
    ]
    for group in groups:
        for weight in group["params"]:
            weight.requires_grad_(True)
    return groups


def train(
    encoder: MiniEncoder,
    rows: Sequence[Row],
    pictures: UInt8[Tensor, "n 3 h w"],
    captions: Captions,
    settings: Settings,
) -> MiniEncoder:
    """Changes the encoder in place; returns what lies between its start and the average of its later weights."""
    begin = copy.deepcopy(encoder.state_dict())
    random = torch.Generator().manual_seed(settings.seed)
    groups = trainable(encoder, settings)
    average = copy.deepcopy(encoder)
    optimizer = torch.optim.AdamW(groups, lr=0.0, foreach=True)
    owned = captions.of(rows)
    labels = sorted({row["concept"] for row in rows if row["concept"]})
    concept = torch.tensor([labels.index(row["concept"]) if row["concept"] else -1 for row in rows])
    with torch.no_grad():
        named = torch.stack([encoder.encode_text([p.format(label) for label in labels]) for p in PROMPTS])
        targets = F.normalize(named.mean(dim=0), dim=-1)
        words = encoder.project_text(captions.features.flatten(0, 1)).unflatten(
            0, captions.features.shape[:2]
        )
    begun = time.monotonic()
    for step in range(settings.steps):
        ramp = min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / settings.steps))
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * ramp
        chosen = draws(rows, settings, random)
        sets = owned[chosen]
        any_of_them = (torch.rand(len(chosen), generator=random) * (sets >= 0).sum(dim=1)).long()
        column = torch.where(torch.rand(len(chosen), generator=random) < 0.5, 0, any_of_them)
        said = sets.gather(1, column[:, None])[:, 0]
        text = words[said, torch.randint(words.shape[1], (len(chosen),), generator=random)]

        with torch.autocast("cpu", torch.bfloat16):
            features = encoder.backbone(vary(pictures[chosen], random))
        image = encoder.project_image(F.dropout(features.float(), 0.2))
        fits = (sets[:, :, None] == said[None, None, :]).any(dim=1).fill_diagonal_(False)
        spoken = contrastive(SCALE * image @ text.T, fits)
        known = concept[chosen] >= 0
        naming = F.cross_entropy(
            SCALE * image[known] @ targets.T, concept[chosen][known], label_smoothing=0.05
        )
        align = (1 - (image * text).sum(dim=1)).mean()
        optimizer.zero_grad()
        (spoken + naming + align).backward()
        optimizer.step()
        with torch.no_grad():
            for kept, new in zip(average.parameters(), encoder.parameters(), strict=True):
                if new.requires_grad:
                    kept.lerp_(new, 1 - min(settings.average, (step + 1) / (step + 10)))
        if step % 25 == 0 or step == settings.steps - 1:
            left = (time.monotonic() - begun) / (step + 1) * (settings.steps - step - 1)
            print(
                f"step {step}: captions {spoken.item():.3f}, naming {naming.item():.3f}, align {align.item():.3f}, "
                f"{left / 60:.0f} min left",
                flush=True,
            )
    with torch.no_grad():
        for name, weight in average.state_dict().items():
            weight.copy_(torch.lerp(begin[name], weight, settings.trained))
    return average


def main() -> None:
    """Reads, trains, saves, measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder with pictures.jsonl")
    parser.add_argument("--start", type=Path, required=True, help="folder of the encoder to begin with")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trained encoder")
    parser.add_argument("--threads", type=int, default=1)
    for name, value in vars(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    arguments = parser.parse_args()
    settings = Settings(**{name: getattr(arguments, name) for name in vars(Settings())})
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(settings.seed)

    rows: list[Row] = [
        json.loads(line) for line in (arguments.work / "pictures.jsonl").read_text().splitlines()
    ]
    others = [row["path"] for row in rows if row["source"] == "tiny_imagenet" and not row["concept"]]
    spared = {path for number, path in enumerate(others) if number % TINY_EVERY}
    learn = [row for row in rows if row["split"] == "train" and row["path"] not in spared]
    tested = [row for row in rows if row["split"] == "test"]
    texts = sorted({text for row in learn for text in row["captions"][:MAX_CAPTIONS]})
    captions = caption_features(texts, arguments.work / "features" / "texts.npz")
    before = MiniEncoder.from_pretrained(arguments.start).float().eval()
    pictures = read_all([row["path"] for row in learn], arguments.work)
    encoder = train(with_backbone(before), learn, pictures, captions, settings)
    # Rounded to float16 before it is measured, so that this encoder and the saved one are the same.
    encoder.half().save_pretrained(arguments.out)
    encoder = encoder.float().eval()

    measured = {}
    for name, system in {"projections only": before, "backbone too": encoder}.items():
        images = embed(system, tested, arguments.work)
        measured[name] = report(system, tested, images, texts)
    print_report(measured)
    print(*confusions(encoder, tested, images), sep="\n")
    metrics = {"id": encoder.id, "settings": vars(settings), "pictures": len(rows), "results": measured}
    (arguments.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


if __name__ == "__main__":
    main()
