"""The denoiser: how it is built, and the one way in which it is called."""

import math
from functools import wraps
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.unets.unet_2d_blocks import UNetMidBlock2D
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from clipsonic.diffusion.prediction import Prediction
from clipsonic.settings.spectrogram import DiffusionSettings, UNetSettings


class MelUNet(UNet2DConditionModel):
    """diffusers' conditional U-Net, mended in two places to be that of improved diffusion.

    The middle is block, attention, block; without cross-attention diffusers leaves one block, 6 M parameters
    fewer at the paper's size. Going up, each level has the heads of its own width; diffusers gives them as
    they come going down.
    """

    @wraps(UNet2DConditionModel.__init__)  # type: ignore[misc]  # diffusers reads the settings off the signature
    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        width = self.config.block_out_channels[-1]
        self.mid_block = UNetMidBlock2D(
            in_channels=width,
            temb_channels=4 * self.config.block_out_channels[0],
            resnet_time_scale_shift="scale_shift",
            attention_head_dim=self.config.attention_head_dim[-1],
        )
        widths, sizes = self.config.block_out_channels, self.config.attention_head_dim
        for block, width, size in zip(self.up_blocks, reversed(widths), reversed(sizes), strict=True):
            for attention in getattr(block, "attentions", []):
                attention.heads, attention.scale = width // size, size**-0.5


def build_unet(settings: UNetSettings, diffusion: DiffusionSettings, embedding_dim: int) -> MelUNet:
    """The U-Net of improved diffusion (Nichol and Dhariwal 2021) in diffusers' parts.

    The condition is projected and added to the time embedding; there is no cross-attention. With fold k the mel
    enters as k * k channels of 1/k the size, which costs k * k times less.
    """
    pixels = settings.fold**2
    levels = len(settings.channels)
    down = [
        "AttnDownBlock2D" if level in settings.attention_levels else "DownBlock2D" for level in range(levels)
    ]
    up = [name.replace("Down", "Up") for name in reversed(down)]
    return MelUNet(
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
    )


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
