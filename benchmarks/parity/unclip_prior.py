"""Our sampling of Karlo's and Kandinsky 2.1's priors beside diffusers' pipeline, on the same random weights."""

import tempfile
import time
import warnings
from pathlib import Path

import torch
from diffusers import KandinskyPriorPipeline, PriorTransformer, UnCLIPScheduler
from torch import Tensor
from torch.nn.functional import normalize
from transformers import CLIPModel, CLIPTextModelWithProjection, CLIPVisionModelWithProjection

from benchmarks.parity.clip import save_small_clip
from benchmarks.parity.table import Row
from benchmarks.parity.weights import seeded
from clipsonic.bridges.load import load_bridge
from clipsonic.bridges.unclip import UnCLIPPrior
from clipsonic.encoders.clip import CLIPEncoder

SMALL = {"num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 2}
STEPS = 25


def publish(folder: Path, full: bool) -> None:
    """A prior with seeded weights, in the files that Kandinsky 2.1's was published in."""
    network = PriorTransformer(**({} if full else SMALL)).eval()  # the defaults are the published sizes
    weights = seeded(network.state_dict())
    weights["clip_std"] = weights["clip_std"].abs() + 0.1
    weights["positional_embedding"] *= 10  # without it, drawn as a matrix is, positions would not matter
    network.load_state_dict(weights)
    network.save_pretrained(folder / "prior")
    scheduler = UnCLIPScheduler(prediction_type="sample", clip_sample_range=5.0)
    scheduler.save_pretrained(folder / "scheduler")


@torch.no_grad()
def theirs(folder: Path, clip: CLIPModel, tokenizer: object, text: str, seed: int) -> Tensor:
    """The image embedding that diffusers' pipeline makes of a text, brought to norm 1."""
    clip.config.text_config.projection_dim = clip.config.projection_dim
    words = CLIPTextModelWithProjection(clip.config.text_config).eval()
    words.text_model.load_state_dict(clip.text_model.state_dict())
    words.text_projection.load_state_dict(clip.text_projection.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = KandinskyPriorPipeline(
            prior=PriorTransformer.from_pretrained(folder / "prior"),
            image_encoder=CLIPVisionModelWithProjection(clip.config.vision_config),
            text_encoder=words,
            tokenizer=tokenizer,
            scheduler=UnCLIPScheduler.from_pretrained(folder / "scheduler"),
            image_processor=None,
        )
        pipeline.set_progress_bar_config(disable=True)
        made = pipeline(
            text,
            num_inference_steps=STEPS,
            guidance_scale=4.0,
            generator=torch.Generator().manual_seed(seed),
            return_dict=False,
        )
    return normalize(made[0], dim=-1)


def ours(prior: UnCLIPPrior, encoder: CLIPEncoder, texts: list[str], seeds: list[int]) -> Tensor:
    """The same by our prior."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return prior.sample(encoder.encode_tokens(texts), encoder.encode_tokens([""]), generators)


def compare(reference: Path, full: bool, keep: bool) -> list[Row]:
    """A row: unit embeddings of two texts; the peer is diffusers, so that nothing need be kept."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_small_clip(folder / "clip", dim=768, text_width=768)
        encoder = CLIPEncoder(str(folder / "clip"))
        clip, tokenizer, _ = encoder._parts
        publish(folder, full)
        prior = load_bridge(str(folder))
        assert isinstance(prior, UnCLIPPrior)
        texts = ["a photo of a dog", "rain"]
        start = time.perf_counter()
        found = ours(prior, encoder, texts, [7, 8])
        seconds = (time.perf_counter() - start) / len(texts)
        wanted = torch.cat([theirs(folder, clip, tokenizer, text, 7 + i) for i, text in enumerate(texts)])
    parameters = sum(weight.numel() for weight in prior.parameters())
    worst = float((found - wanted).abs().max())
    note = f"{'full size' if full else 'small'}; unit embeddings after {STEPS} guided steps; time of one"
    return [Row("prior, Karlo and Kandinsky 2.1", parameters, worst, seconds, note)]
