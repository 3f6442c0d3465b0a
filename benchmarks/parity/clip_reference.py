"""OpenAI's CLIP (the package clip-anytorch) made to run beside ours: its imports, its names, its vocabulary."""

import gzip
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import packaging.version
import torch
from torch import Tensor
from transformers import CLIPModel, CLIPTokenizer


def openai(reference: Path) -> ModuleType:
    """OpenAI's module, with the real torchvision.transforms but without torchvision's compiled kernels."""
    sys.path.insert(0, str(reference))
    shell = ModuleType("torchvision")
    shell.__path__ = [str(reference / "torchvision")]
    sys.modules["torchvision"] = shell
    stand_ins: dict[str, dict[str, Any]] = {
        "torchvision.extension": {"_has_ops": lambda: False},
        "pkg_resources": {"packaging": packaging},
    }
    for name, inside in stand_ins.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(inside)
    import clip.clip

    module: ModuleType = clip.clip
    return module


def network(settings: Any) -> torch.nn.Module:
    """OpenAI's network of the sizes in transformers' settings; `openai` comes first."""
    import clip.model

    vision, text = settings.vision_config, settings.text_config
    model: torch.nn.Module = clip.model.CLIP(
        embed_dim=settings.projection_dim,
        image_resolution=vision.image_size,
        vision_layers=vision.num_hidden_layers,
        vision_width=vision.hidden_size,
        vision_patch_size=vision.patch_size,
        context_length=77,
        vocab_size=text.vocab_size,
        transformer_width=text.hidden_size,
        transformer_heads=text.num_attention_heads,
        transformer_layers=text.num_hidden_layers,
    )
    return model.eval()


NAMES = {  # OpenAI's: transformers'
    "logit_scale": "logit_scale",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
}
LAYER_NAMES = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def openai_state(model: CLIPModel) -> dict[str, Tensor]:
    """transformers' weights under OpenAI's names."""
    state = model.state_dict()
    out = {theirs: state[ours] for theirs, ours in NAMES.items()}
    out["visual.proj"] = state["visual_projection.weight"].T
    out["text_projection"] = state["text_projection.weight"].T
    for theirs, ours in (("visual.transformer", "vision"), ("transformer", "text")):
        for layer in range(getattr(model.config, f"{ours}_config").num_hidden_layers):
            a, b = f"{theirs}.resblocks.{layer}", f"{ours}_model.encoder.layers.{layer}"
            for kind in ("weight", "bias"):
                parts = [state[f"{b}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
                out[f"{a}.attn.in_proj_{kind}"] = torch.cat(parts)
                for left, right in LAYER_NAMES.items():
                    out[f"{a}.{left}.{kind}"] = state[f"{b}.{right}.{kind}"]
    return out


def tokenizer(module: Any) -> CLIPTokenizer:
    """OpenAI's vocabulary => transformers' tokenizer."""
    bpe = module._tokenizer
    merges = sorted(bpe.bpe_ranks, key=bpe.bpe_ranks.get)
    return CLIPTokenizer(vocab=dict(bpe.encoder), merges=merges, model_max_length=77)


def keep_vocabulary(module: Any, texts: list[str], path: Path) -> None:
    """The part of OpenAI's vocabulary that some texts need: the merges applied to them, and their tokens."""
    bpe = module._tokenizer
    ranks = bpe.bpe_ranks
    applied = []

    class Spy(dict):  # type: ignore[type-arg]
        """The ranks of all merges; OpenAI's tokenizer asks for a merge here just before it applies it."""

        def __contains__(self, pair: object) -> bool:
            if known := super().__contains__(pair):
                applied.append(pair)
            return known

    bpe.bpe_ranks, bpe.cache = Spy(ranks), {}
    module.tokenize(texts, truncate=True)
    bpe.bpe_ranks = ranks
    merges = sorted(set(applied), key=ranks.get)
    words = {*bpe.byte_encoder.values(), *(f"{c}</w>" for c in bpe.byte_encoder.values())}
    words |= {part for pair in merges for part in (*pair, "".join(pair))}
    words |= {"<|startoftext|>", "<|endoftext|>"}
    page = {"merges": [list(pair) for pair in merges], "vocab": {w: bpe.encoder[w] for w in sorted(words)}}
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write(json.dumps(page).encode())
