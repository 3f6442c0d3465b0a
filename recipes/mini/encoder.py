"""Trains the projections of the mini encoder on captioned pictures, and measures them.

    python recipes/mini/encoder.py --work DIR --out DIR/encoder

DIR/pictures.jsonl holds one picture a row: path (relative to DIR), captions (most specific first), concept or
null, source, split. Features of the frozen backbones are computed once and kept in DIR/features, so that a
rerun takes minutes. The loss is CLIP's (Radford et al. 2021, arXiv 2103.00020) with a learned temperature; a
caption that also fits another picture of the batch is no negative for it. Of two more terms, one holds text
near MiniLM, whatever words wrap it, and one draws each picture to its caption.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from encoder_report import Row, confusions, print_report, report
from jaxtyping import Bool, Float, Int
from pictures import CLOSED
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from videos import slide

from clipsonic.encoders.mini import MiniEncoder, image_features, picture_backbone, text_features

TEMPLATES = (
    "a photo of {}",
    "a photo of a {}",
    "a picture of {}",
    "the sound of {}",
    "the sound of a {}",
    "a drawing of a {}",
    "an emoji of {}",
    "a recording of {}",
    "a video of a {}",
    "{} making noise",
)
WRAPPED_PER_CAPTION = 2
MAX_CAPTIONS = 8
OPENCLIPART_WEIGHT = 0.5
CONCEPT_WEIGHT = 3.0
TINY_EVERY = 4  # of Tiny-ImageNet's photos that show no concept, one in so many is learnt from
SLIDES = 4  # of each open picture of a concept, as the videos show it: moved, scaled, tinted, mirrored
SAVE_EVERY = 200  # chunks of features
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Settings:
    """What a run depends on besides its pictures."""

    steps: int = 1200
    batch: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    feature_dropout: float = 0.2
    meaning_weight: float = 2.0
    align_weight: float = 1.0
    tiny_weight: float = 0.5  # of Tiny-ImageNet's photos, beside a drawing's 1
    seed: int = 0


@dataclass(frozen=True)
class Captions:
    """Every caption of the training pictures, bare and wrapped: variant 0 is the caption itself."""

    number: dict[str, int]
    features: Float[Tensor, "captions variants 384"]

    def of(self, rows: Sequence[Row]) -> Int[Tensor, "n k"]:
        """The caption numbers of each picture, padded with -1."""
        table = torch.full((len(rows), MAX_CAPTIONS), -1)
        for index, row in enumerate(rows):
            numbers = [self.number[text] for text in row["captions"][:MAX_CAPTIONS]]
            table[index, : len(numbers)] = torch.tensor(numbers)
        return table


def cached(
    file: Path, keys: Sequence[str], compute: Callable[[Sequence[str]], Float[Tensor, "b d"]], chunk: int
) -> Float[Tensor, "n d"]:
    """Features by key, in the order of the keys; two processes compute what the file lacks."""
    known: dict[str, np.ndarray] = {}
    if file.exists():
        stored = np.load(file)
        known = dict(zip(stored["keys"].tolist(), stored["features"], strict=True))
    missing = sorted(set(keys) - known.keys(), key=lambda key: (len(key), key))
    parts = [missing[start : start + chunk] for start in range(0, len(missing), chunk)]
    with ProcessPoolExecutor(2, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for number, (part, features) in enumerate(zip(parts, pool.map(compute, parts), strict=True), 1):
            known.update(zip(part, features.half().numpy(), strict=True))
            if number % SAVE_EVERY == 0 or number == len(parts):
                print(f"{file.stem}: {number * chunk} of {len(missing)}", flush=True)
                file.parent.mkdir(parents=True, exist_ok=True)
                partial = file.with_suffix(".part.npz")
                np.savez(partial, keys=np.array(list(known)), features=np.stack(list(known.values())))
                partial.rename(file)
    return torch.from_numpy(np.stack([known[key] for key in keys])).float()


def look(names: Sequence[str], work: Path, half: bool) -> Float[Tensor, "b 1280"]:
    """Features of pictures; PATH#N is the Nth slide of a picture, seeded by that name.

    Args:
        half: compute in bfloat16, nearly three times as fast; what is measured is seen in single precision.
    """
    images = []
    for name in names:
        path, _, number = name.partition("#")
        random = np.random.default_rng(crc32(name.encode()))
        images.append(slide(work / path, random) if number else Image.open(work / path))
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        return image_features(images, picture_backbone(CPU)).float()


def read(texts: Sequence[str]) -> Float[Tensor, "b 384"]:
    """Features of texts."""
    return text_features(texts, CPU)


def slide_names(rows: Sequence[Row]) -> list[list[str]]:
    """The slides of each picture that a video may show, none of the others."""
    return [
        [f"{row['path']}#{n}" for n in range(SLIDES)]
        if row["concept"] and row["source"] not in CLOSED
        else []
        for row in rows
    ]


def caption_features(texts: Sequence[str], file: Path) -> Captions:
    """The captions and, of each, a few wrapped in templates; which ones depends on the caption alone."""
    variants = []
    for text in texts:
        random = np.random.default_rng(crc32(text.encode()))
        chosen = random.choice(len(TEMPLATES), WRAPPED_PER_CAPTION, replace=False)
        variants += [text, *(TEMPLATES[index].format(text) for index in chosen)]
    features = cached(file, variants, read, chunk=64)
    number = {text: index for index, text in enumerate(texts)}
    return Captions(number, features.unflatten(0, (len(texts), 1 + WRAPPED_PER_CAPTION)))


def start(class_names: Float[Tensor, "1000 384"]) -> MiniEncoder:
    """The training-free encoder: text is MiniLM's, a picture the mean of the names it may have."""
    encoder = MiniEncoder(glossary=True)
    with torch.no_grad():
        encoder.text_projection.weight.copy_(torch.eye(384))
        encoder.text_projection.bias.zero_()
        encoder.image_projection.class_names.weight.copy_(class_names.T)
        encoder.image_projection.correction.weight.zero_()
        encoder.image_projection.correction.bias.zero_()
    return encoder


def contrastive(similarity: Float[Tensor, "b b"], fits: Bool[Tensor, "b b"]) -> Float[Tensor, ""]:
    """InfoNCE both ways: the pairs on the diagonal against all pairs that do not fit as well."""
    logits = similarity.masked_fill(fits, -torch.inf)
    target = torch.arange(len(logits))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def batches(rows: Sequence[Row], settings: Settings) -> Iterator[Int[Tensor, "b"]]:
    """Numbers of pictures, drawn so that small sources and the concepts of the first data set count more."""
    random = torch.Generator().manual_seed(settings.seed)
    of_source = {"tiny_imagenet": settings.tiny_weight, "openclipart": OPENCLIPART_WEIGHT}
    weight = torch.tensor(
        [of_source.get(row["source"], 1.0) * (CONCEPT_WEIGHT if row["concept"] else 1.0) for row in rows]
    )
    seen = Counter(row["captions"][0] for row in rows)
    weight /= torch.tensor([float(seen[row["captions"][0]]) for row in rows]).sqrt()
    for _ in range(settings.steps):
        yield torch.multinomial(weight, settings.batch, replacement=False, generator=random)


def train(
    encoder: MiniEncoder,
    rows: Sequence[Row],
    pictures: Float[Tensor, "n views 1280"],
    captions: Captions,
    settings: Settings,
) -> None:
    """Changes the encoder's projections in place.

    Args:
        pictures: of each picture its own features, then those of its slides, or its own again where it has none.
        settings: of an encoder whose text projection is frozen, the picture's alone is trained.
    """
    owned = captions.of(rows)
    log_scale = torch.nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))
    groups = [
        {"params": encoder.image_projection.parameters()},
        # The text side moves slowly and towards nothing: its start is the identity, not zero.
        {"params": [*encoder.text_projection.parameters(), log_scale], "weight_decay": 0.0, "lr_scale": 0.1},
    ]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    for step, chosen in enumerate(batches(rows, settings)):
        ramp = min(1.0, (step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * step / settings.steps))
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * ramp * group.get("lr_scale", 1.0)
        sets = owned[chosen]
        # The first caption half of the time, any of the picture's otherwise.
        any_of_them = (torch.rand(len(chosen)) * (sets >= 0).sum(dim=1)).long()
        column = torch.where(torch.rand(len(chosen)) < 0.5, 0, any_of_them)
        said = sets.gather(1, column[:, None])[:, 0]
        variant = torch.randint(captions.features.shape[1], (len(chosen),))
        words = captions.features[said, variant]

        seen = pictures[chosen, torch.randint(pictures.shape[1], (len(chosen),))]
        image = encoder.project_image(F.dropout(seen, settings.feature_dropout))
        text = encoder.project_text(words)
        fits = (sets[:, :, None] == said[None, None, :]).any(dim=1).fill_diagonal_(False)
        loss = contrastive(log_scale.exp().clamp(max=60) * image @ text.T, fits)
        meaning = (1 - (text * captions.features[said, 0]).sum(dim=1)).mean()
        align = (1 - (image * text).sum(dim=1)).mean()
        total = loss + settings.meaning_weight * meaning + settings.align_weight * align
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        if step % 200 == 0 or step == settings.steps - 1:
            print(
                f"step {step}: contrastive {loss.item():.3f}, meaning {meaning.item():.3f}, "
                f"align {align.item():.3f}, scale {log_scale.exp().item():.1f}",
                flush=True,
            )


def main() -> None:
    """Reads, trains, saves, measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder with pictures.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trained encoder")
    parser.add_argument("--threads", type=int, default=1)
    for name, value in vars(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    arguments = parser.parse_args()
    settings = Settings(**{name: getattr(arguments, name) for name in vars(Settings())})
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(settings.seed)

    lines = (arguments.work / "pictures.jsonl").read_text().splitlines()
    rows: list[Row] = [json.loads(line) for line in lines]
    folder = arguments.work / "features"

    others = [i for i, row in enumerate(rows) if row["source"] == "tiny_imagenet" and not row["concept"]]
    spared = {index for number, index in enumerate(others) if number % TINY_EVERY}
    learn = [i for i, row in enumerate(rows) if row["split"] == "train" and i not in spared]
    shown = slide_names([rows[index] for index in learn])
    tested = [index for index, row in enumerate(rows) if row["split"] == "test"]
    measured_on = cached(
        folder / "test_pictures.npz",
        [rows[index]["path"] for index in tested],
        partial(look, work=arguments.work, half=False),
        chunk=16,
    )
    keys = [rows[index]["path"] for index in learn] + [name for each in shown for name in each]
    features = cached(folder / "pictures.npz", keys, partial(look, work=arguments.work, half=True), chunk=16)
    pictures, slides = features[: len(learn)], iter(features[len(learn) :])
    views = torch.stack(
        [
            torch.stack([picture, *(next(slides) for _ in each)] + (SLIDES - len(each)) * [picture])
            for picture, each in zip(pictures, shown, strict=True)
        ]
    )
    texts = sorted({text for index in learn for text in rows[index]["captions"][:MAX_CAPTIONS]})
    captions = caption_features(texts, folder / "texts.npz")

    photos = sorted(row["path"] for row in rows if row["source"] == "imagenet_sample")
    names = [Path(path).stem.split("_", 1)[1].replace("_", " ") for path in photos]
    untrained = start(text_features(names, CPU))
    encoder = start(text_features(names, CPU))
    train(encoder, [rows[index] for index in learn], views, captions, settings)
    # Rounded to float16 before it is measured, so that this encoder and the saved one are the same.
    encoder.half().save_pretrained(arguments.out)
    encoder = encoder.float().eval()

    systems = {"training-free": untrained.eval(), "trained": encoder}
    asked = [rows[index] for index in tested]
    with torch.no_grad():
        seen = {name: system.project_image(measured_on) for name, system in systems.items()}
    measured = {name: report(system, asked, seen[name], texts) for name, system in systems.items()}
    print_report(measured)
    print(*confusions(encoder, asked, seen["trained"]), sep="\n")
    metrics = {"id": encoder.id, "settings": vars(settings), "pictures": len(rows), "results": measured}
    (arguments.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


if __name__ == "__main__":
    main()
