"""Our LAION prior beside DALLE2-pytorch's DiffusionPrior, on the same random weights."""

import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, patch

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.parity.table import Row
from benchmarks.parity.weights import noise, seeded
from clipsonic.bridges.laion import LAIONPrior, published_ddim

FIXTURE = Path("tests/fixtures/laion_prior.safetensors")
SMALL = {
    "dim": 48,
    "depth": 2,
    "heads": 3,
    "head_dim": 16,
    "text_tokens": 12,
    "timesteps": 1000,
    "ff_mult": 2,
}
STEPS = 64


def inputs(dim: int, tokens: int, rows: int = 4) -> dict[str, Tensor]:
    """Text embeddings and tokens of four texts of different lengths, a noised image embedding and times."""
    mask = torch.arange(tokens) < torch.tensor([[2], [5], [tokens], [tokens // 2]])
    return {
        "image": noise("image", rows, dim),
        "t": torch.tensor([0, 17, 500, 999]),
        "text": torch.nn.functional.normalize(noise("text", rows, dim), dim=-1),
        "tokens": noise("tokens", rows, tokens, dim) * mask[..., None],
        "mask": mask,
        "noise": noise("sampler", STEPS, rows, dim),
    }


def reference(folder: Path, sizes: dict[str, Any]) -> Any:
    """DALLE2-pytorch's prior without a CLIP, and its weights."""
    sys.path.insert(0, str(folder))
    absent = ["torchvision", "torchvision.transforms", "torchvision.utils", "torchvision.models", "clip",
              "kornia", "kornia.filters", "kornia.augmentation", "open_clip", "resize_right", "x_clip",
              "coca_pytorch", "vector_quantize_pytorch", "pytorch_warmup", "ema_pytorch", "webdataset",
              "dalle2_pytorch.tokenizer", "dalle2_pytorch.vqgan_vae", "dalle2_pytorch.trainer"]  # fmt: skip
    for name in absent:
        sys.modules.setdefault(name, MagicMock())
    from dalle2_pytorch.dalle2_pytorch import DiffusionPrior, DiffusionPriorNetwork

    net = DiffusionPriorNetwork(
        dim=sizes["dim"], depth=sizes["depth"], num_timesteps=sizes["timesteps"], max_text_len=sizes["text_tokens"],
        dim_head=sizes["head_dim"], heads=sizes["heads"], ff_mult=sizes["ff_mult"], normformer=True,
        attn_dropout=0.05, ff_dropout=0.05,
    )  # fmt: skip
    prior = DiffusionPrior(
        net=net, image_embed_dim=sizes["dim"], image_channels=3, timesteps=1000, cond_drop_prob=0.1
    )
    return prior.eval()


@torch.no_grad()
def theirs(prior: Any, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """What DALLE2-pytorch computes: one pass with and without the text, and 64 steps of its DDIM."""
    condition = {"text_embed": given["text"], "text_encodings": given["tokens"]}
    once = prior.net(given["image"], given["t"], **condition)
    dropped = prior.net(given["image"], given["t"], **condition, text_cond_drop_prob=1.0)
    drawn = iter(given["noise"])
    with (
        patch("torch.randn", lambda *shape, **_: next(drawn)),
        patch("torch.randn_like", lambda *_, **__: next(drawn)),
    ):
        sampled = prior.p_sample_loop_ddim(given["image"].shape, condition, timesteps=STEPS)
    return {"once": once, "dropped": dropped, "sampled": sampled}


@torch.no_grad()
def ours(prior: LAIONPrior, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same with our network and sampler."""
    condition = (given["text"], given["tokens"], given["mask"])
    drawn = iter(given["noise"])
    return {
        "once": prior.net(given["image"], given["t"], *condition),
        "dropped": prior.net(given["image"], given["t"], *condition, keep=torch.zeros(4, dtype=torch.bool)),
        "sampled": published_ddim(
            lambda x, t: prior.net(x, torch.full((len(x),), t), *condition), lambda: next(drawn), 1000, STEPS
        ),
    }


def compare(folder: Path, full: bool, keep: bool) -> list[Row]:
    """Both on the same weights => a row for the network and the sampler."""
    mine = LAIONPrior(**({} if full else SMALL)).eval()  # the defaults are the published sizes
    sizes = dict(mine.config)
    published = reference(folder, sizes)
    state = published.net.state_dict()
    weights = {
        name: state[name] if name.endswith("freqs") else value for name, value in seeded(state).items()
    }
    published.net.load_state_dict(weights)
    mine.net.load_state_dict(weights, strict=True)
    given = inputs(sizes["dim"], sizes["text_tokens"])
    expected = theirs(published, given)
    start = time.perf_counter()
    found = ours(mine, given)
    seconds = (time.perf_counter() - start) / 4  # of the 65 passes a text, 63 are the sampler's
    worst = max(float((found[name] - expected[name]).abs().max()) for name in expected)
    parameters = sum(weight.numel() for weight in mine.net.parameters())
    note = f"{'full size' if full else 'small'}; a pass, one without text, the 64-step sampler; time of one sample"
    if keep:
        save_file({name: value.contiguous() for name, value in expected.items()}, FIXTURE)
    return [Row("prior, LAION", parameters, worst, seconds, note)]
