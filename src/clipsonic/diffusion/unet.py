"""The denoiser: how it is built, and the one way in which it is called."""

import inspect
import math
from functools import wraps
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_2d_blocks import UNetMidBlock2D
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from clipsonic.diffusion.prediction import Prediction
from clipsonic.settings.spectrogram import DiffusionSettings, UNetSettings

_PARENT = inspect.signature(UNet2DConditionModel.__init__)
_MIDDLE_NORM = inspect.Parameter(
    "middle_norm", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=bool
)


class MelUNet(UNet2DConditionModel):
    """diffusers' conditional U-Net, corrected in three places to be that of improved diffusion.

    The middle is block, attention, block; without cross-attention diffusers leaves one block, 6 M parameters
    fewer at the paper's size. That attention is normalised, which diffusers leaves out with "scale_shift". Going
    up, each level has the heads of its own width; diffusers gives them as they come going down.

    Args:
        middle_norm: group norm before the attention in the middle, and its blocks' epsilon 1e-5, as published.
            Off by default, so that models saved before this setting load and compute as they were trained.
    """

    @wraps(UNet2DConditionModel.__init__)  # type: ignore[misc]  # diffusers reads the settings off the signature
    def __init__(self, *args: Any, middle_norm: bool = False, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.register_to_config(middle_norm=middle_norm)
        width = self.config.block_out_channels[-1]
        published = {"attn_groups": self.config.norm_num_groups, "resnet_eps": self.config.norm_eps}
        self.mid_block = UNetMidBlock2D(
            in_channels=width,
            temb_channels=4 * self.config.block_out_channels[0],
            resnet_time_scale_shift="scale_shift",
            attention_head_dim=self.config.attention_head_dim[-1],
            **(published if middle_norm else {}),
        )
        widths, sizes = self.config.block_out_channels, self.config.attention_head_dim
        for block, width, size in zip(self.up_blocks, reversed(widths), reversed(sizes), strict=True):
            for attention in getattr(block, "attentions", []):
                attention.heads, attention.scale = width // size, size**-0.5

    __init__.__signature__ = _PARENT.replace(  # type: ignore[attr-defined]
        parameters=[*_PARENT.parameters.values(), _MIDDLE_NORM]
    )


def build_unet(settings: UNetSettings, diffusion: DiffusionSettings, embedding_dim: int) -> MelUNet:
    """Return the U-Net of improved diffusion (Nichol and Dhariwal 2021) in diffusers' parts, with random weights.

    The condition is projected and added to the time embedding; there is no cross-attention. With fold k the mel
    enters as k * k channels of 1/k the size, which costs k * k times less.
    """
    pixels = settings.fold**2
    levels = len(settings.channels)
    down = [
        "AttnDownBlock2D" if level in settings.attention_levels else "DownBlock2D" for level in range(levels)
    ]
    up = [name.replace("Down", "Up") for name in reversed(down)]
    unet = MelUNet(
        sample_size=64 // settings.fold,
        in_channels=pixels,
        out_channels=pixels * (2 if diffusion.learned_variance else 1),
        block_out_channels=settings.channels,
        layers_per_block=settings.blocks,
        down_block_types=tuple(down),
        mid_block_type="UNetMidBlock2D",
        up_block_types=tuple(up),
        attention_head_dim=tuple(width // settings.attention_heads for width in settings.channels),
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=embedding_dim,
        resnet_time_scale_shift="scale_shift",
        middle_norm=settings.middle_norm,
    )
    if settings.zero_init:
        _zero_last_layers(unet)
    return unet


def _zero_last_layers(unet: MelUNet) -> None:
    """Zero what every residual block, every attention and the network end with, as the published code does.

    Each block then begins as the identity, and the first prediction is 0.
    """
    last: list[torch.nn.Module] = [unet.conv_out]
    for module in unet.modules():
        if isinstance(module, ResnetBlock2D):
            last.append(module.conv2)
        elif isinstance(module, Attention):
            last.append(module.to_out[0])
    for layer in last:
        for weight in layer.parameters():
            torch.nn.init.zeros_(weight)


def predict(
    unet: torch.nn.Module,
    x: Float[Tensor, "b 1 mels frames"],
    t: Int[Tensor, "b"],
    embedding: Float[Tensor, "b d"],
    timesteps: int,
) -> Prediction:
    """Noisy mel, timestep 0..timesteps-1 and unit embedding (zeros: no condition) => the network's prediction.

    The network sees times of 0..1000 whatever the schedule, and an embedding of unit variance instead of unit norm.
    """
    bare: Any = getattr(unet, "module", unet)  # wrapped while training on several processes
    config, dtype = bare.config, bare.dtype
    fold = math.isqrt(config.in_channels)
    output = unet(
        pixel_unshuffle(x, fold).to(dtype),
        t * (1000 / timesteps),
        encoder_hidden_states=None,
        class_labels=(embedding * embedding.shape[-1] ** 0.5).to(dtype),
    ).sample.float()
    if config.out_channels == config.in_channels:
        return Prediction(pixel_shuffle(output, fold), None)
    mean, variance = output.chunk(2, dim=1)
    return Prediction(pixel_shuffle(mean, fold), pixel_shuffle(variance, fold))


def frame_multiple(unet: MelUNet) -> int:
    """The number that a mel's frames must be a multiple of, for every level to halve it evenly."""
    return math.isqrt(unet.config.in_channels) * 2 ** (len(unet.config.block_out_channels) - 1)
