"""openai/improved-diffusion (MIT), its folder `improved_diffusion` in REFERENCE, made to run beside ours."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipsonic.diffusion.unet import MelUNet
from clipsonic.settings.spectrogram import DiffusionSettings, UNetSettings

BLOCK = {  # ours: theirs
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "class_embedding": "label_emb.projection",
    "conv_in": "input_blocks.0.0",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


class Projected(nn.Module):
    """What takes the place of their table of classes: a projection of the embedding that is put in `given`."""

    given: Tensor

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.projection = nn.Linear(dim, width)

    def forward(self, classes: Tensor) -> Tensor:
        """Return the projection, whatever the classes."""
        return self.projection(self.given)  # type: ignore[no-any-return]


def modules(reference: Path) -> tuple[Any, Any, Any]:
    """Return their modules unet, gaussian_diffusion and respace."""
    sys.path.insert(0, str(reference))
    try:
        from improved_diffusion import gaussian_diffusion, respace, unet
    finally:
        sys.path.remove(str(reference))
    return unet, gaussian_diffusion, respace


def network(reference: Path, settings: UNetSettings, dim: int) -> Any:
    """Return their U-Net for mels of one channel, with learned variance and a projected condition."""
    first = settings.channels[0]
    model = modules(reference)[0].UNetModel(
        in_channels=1,
        model_channels=first,
        out_channels=2,
        num_res_blocks=settings.blocks,
        attention_resolutions=[2**level for level in settings.attention_levels],
        channel_mult=[width // first for width in settings.channels],
        num_classes=1,
        num_heads=settings.attention_heads,
        use_scale_shift_norm=True,
    )
    model.label_emb = Projected(dim, 4 * first)
    return model.eval()


def diffusion(reference: Path, settings: DiffusionSettings, steps: int) -> Any:
    """Return their noise process, spaced to so many steps."""
    _, process, respace = modules(reference)
    return respace.SpacedDiffusion(
        use_timesteps=respace.space_timesteps(settings.timesteps, [steps]),
        betas=process.get_named_beta_schedule("cosine", settings.timesteps),
        model_mean_type=process.ModelMeanType.EPSILON,
        model_var_type=process.ModelVarType.LEARNED_RANGE,
        loss_type=process.LossType.RESCALED_MSE,
        rescale_timesteps=True,
    )


def published_names(unet: MelUNet) -> dict[str, str]:
    """Return our name of each layer => theirs, an attention's three projections apart."""
    names, place = dict(ENDS), 0
    for level, block in enumerate(unet.down_blocks):
        for number in range(len(block.resnets)):
            place += 1
            names[f"down_blocks.{level}.resnets.{number}"] = f"input_blocks.{place}.0"
            names[f"down_blocks.{level}.attentions.{number}"] = f"input_blocks.{place}.1"
        if block.downsamplers:
            place += 1
            names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{place}.0.op"
    place = -1
    for level, block in enumerate(unet.up_blocks):
        for number in range(len(block.resnets)):
            place += 1
            names[f"up_blocks.{level}.resnets.{number}"] = f"output_blocks.{place}.0"
            names[f"up_blocks.{level}.attentions.{number}"] = f"output_blocks.{place}.1"
        after = 2 if hasattr(block, "attentions") else 1
        names[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{place}.{after}.conv"
    return names


def published_weights(unet: MelUNet, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return our weights under their names; queries, keys and values of a head become one projection."""
    names, renamed = published_names(unet), {}
    heads = {name: module.heads for name, module in unet.named_modules() if hasattr(module, "heads")}
    for name, weight in weights.items():
        layer, kind = name.rsplit(".", 1)
        if layer in names:
            renamed[f"{names[layer]}.{kind}"] = weight
            continue
        whole, part = layer.rsplit(".", 1) if not layer.endswith("to_out.0") else (layer[:-9], "to_out.0")
        if part in BLOCK:
            renamed[f"{names[whole]}.{BLOCK[part]}.{kind}"] = weight
        elif part == "group_norm":
            renamed[f"{names[whole]}.norm.{kind}"] = weight
        elif part == "to_out.0":
            renamed[f"{names[whole]}.proj_out.{kind}"] = weight[..., None] if kind == "weight" else weight
        elif part == "to_q":
            three = [weights[f"{whole}.{each}.{kind}"] for each in ("to_q", "to_k", "to_v")]
            split = [each.unflatten(0, (heads[whole], -1)) for each in three]
            together = torch.cat(split, dim=1).flatten(0, 1)
            renamed[f"{names[whole]}.qkv.{kind}"] = together[..., None] if kind == "weight" else together
    return renamed
