"""Trains the picture projection of the mini encoder once more, on what its own picture network sees.

    python recipes/mini/projections.py --work DIR --start DIR/backbone --out DIR/encoder

After `backbone.py` the network has changed under its projection. The views of a picture are the picture, its
slides, and the picture smaller and mirrored, since the finished encoder sees every picture that second time too.
Words stay where they are, and the loss is that of `encoder.py`, with more dropout and more photos.
"""

import argparse
import json
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from encoder import (
    MAX_CAPTIONS,
    SLIDES,
    TINY_EVERY,
    Settings,
    cached,
    caption_features,
    slide_names,
    train,
)
from encoder_report import Row, confusions, embed, print_report, report
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from videos import slide

from clipsonic.encoders.mini import SMALLER, MiniEncoder, image_features

SECOND_LOOK = "#m"  # behind a path: the picture smaller and mirrored
SETTINGS = Settings(steps=600, learning_rate=3e-4, feature_dropout=0.4, tiny_weight=1.0)


@lru_cache(maxsize=1)
def encoder_at(folder: Path) -> MiniEncoder:
    """The encoder of a folder, once a process."""
    return MiniEncoder.from_pretrained(folder).float().eval()


def look(names: Sequence[str], work: Path, start: Path) -> Float[Tensor, "b 1280"]:
    """Features of pictures and, behind "#" and a number, of their slides, or of their second look; in bfloat16."""
    network = encoder_at(start).backbone
    rows = []
    with torch.autocast("cpu", torch.bfloat16):
        for name in names:
            path, _, what = name.partition("#")
            picture = Image.open(work / path)
            if name.endswith(SECOND_LOOK):
                rows.append(image_features([picture], network, SMALLER, mirrored=True))
            else:
                shown = slide(work / path, np.random.default_rng(crc32(name.encode()))) if what else picture
                rows.append(image_features([shown], network))
    return torch.cat(rows).float()


def views_of(rows: Sequence[Row]) -> list[list[str]]:
    """The names of what is seen of every picture, as many of each: the first ones again where there are no more."""
    views = []
    for row, slides in zip(rows, slide_names(rows), strict=True):
        names = [row["path"], *slides, *([row["path"] + SECOND_LOOK] if row["concept"] else [])]
        views.append([names[index % len(names)] for index in range(SLIDES + 2)])
    return views


def main() -> None:
    """Reads, trains, saves, measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder with pictures.jsonl")
    parser.add_argument(
        "--start", type=Path, required=True, help="folder of the encoder that backbone.py made"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished encoder")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SETTINGS.seed)

    lines = (arguments.work / "pictures.jsonl").read_text().splitlines()
    rows: list[Row] = [json.loads(line) for line in lines]
    others = [row["path"] for row in rows if row["source"] == "tiny_imagenet" and not row["concept"]]
    spared = {path for number, path in enumerate(others) if number % TINY_EVERY}
    learn = [row for row in rows if row["split"] == "train" and row["path"] not in spared]
    tested = [row for row in rows if row["split"] == "test"]

    before = encoder_at(arguments.start)
    file = arguments.work / "features" / f"{before.id.partition('+')[0]}.npz"
    views = views_of(learn)
    keys = sorted({name for names in views for name in names})
    features = cached(file, keys, partial(look, work=arguments.work, start=arguments.start), chunk=16)
    place = {key: index for index, key in enumerate(keys)}
    pictures = features[torch.tensor([[place[name] for name in names] for names in views])]
    texts = sorted({text for row in learn for text in row["captions"][:MAX_CAPTIONS]})
    captions = caption_features(texts, arguments.work / "features" / "texts.npz")

    encoder = MiniEncoder(
        before.embedding_dim, before.config.hidden_dim, own_backbone=True, glossary=True, second_look=True
    )
    encoder.load_state_dict(before.state_dict())
    encoder.backbone.requires_grad_(False)
    encoder.text_projection.requires_grad_(False)
    train(encoder, learn, pictures, captions, SETTINGS)
    # Rounded to float16 before it is measured, so that this encoder and the saved one are the same.
    encoder.half().save_pretrained(arguments.out)
    encoder = encoder.float().eval()

    measured = {}
    for name, system in {"network trained": before, "projection again": encoder}.items():
        images = embed(system, tested, arguments.work)
        measured[name] = report(system, tested, images, texts)
    print_report(measured)
    print(*confusions(encoder, tested, images), sep="\n")
    metrics = {"id": encoder.id, "settings": vars(SETTINGS), "pictures": len(rows), "results": measured}
    (arguments.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


if __name__ == "__main__":
    main()
