"""A light vocoder: short spectra, joined by an inverse Fourier transform, instead of BigVGAN's sample by sample.

After Vocos (Siuzdak 2023, arXiv 2306.00814). What is different: the mel's frames are first made `upsample` times
denser, so that transients are not smeared over 128 ms, and the network says by how much the magnitudes differ from
those that the mel bands give away. A band at the mel's floor gives away nothing, so that silence stays silence.
"""

import math

import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from clipsonic.audio import istft, mel_filters, to_model_range
from clipsonic.config import HOP_LENGTH, LOG_MEL_FLOOR
from clipsonic.vocoder.base import Vocoder, readable

WINDOWS = 4  # how many spectra overlap at every sample
MAX_GAIN = 8.0  # natural log: the network may make a bin 70 dB louder or quieter than its mel band
SILENT = LOG_MEL_FLOOR + 0.05  # half precision rounds the floor up to -11.5
KERNEL_REACH = 3  # spectra each side that a convolution sees: the kernels are 7 wide


class FourierVocoder(Vocoder):
    """ConvNeXt blocks on the mel's frames, then magnitude and phase of each short spectrum.

    Args:
        width: channels of the blocks.
        blocks: how many.
        expansion: widening inside a block.
        upsample: spectra a mel frame; the hop is 512 / upsample samples, the window four hops.
    """

    @register_to_config
    def __init__(self, width: int = 256, blocks: int = 8, expansion: int = 3, upsample: int = 4) -> None:
        super().__init__()
        self.hop = HOP_LENGTH // upsample
        self.n_fft = WINDOWS * self.hop
        bands = mel_filters()
        bins = self.n_fft // 2 + 1
        self.enter = nn.Conv1d(len(bands), width, 7, padding=3)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(ConvNeXtBlock(width, expansion * width) for _ in range(blocks))
        self.leave_norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, 3 * bins)  # gain, and the phase as a point of the plane
        nn.init.normal_(self.leave.weight, std=0.02)
        nn.init.zeros_(self.leave.bias)
        self.register_buffer("spread", band_spread(bins), persistent=False)

    @property
    def context_frames(self) -> int:
        """The spectra a sample depends on, and the two mel frames between which the outermost lies."""
        reach = KERNEL_REACH * (1 + len(self.layers)) + WINDOWS // 2
        return math.ceil((reach - 0.5) * self.hop / HOP_LENGTH + 0.5)

    def forward(self, mel: Float[Tensor, "b mels frames"]) -> Float[Tensor, "b samples"]:
        """Log-mel => 16 kHz wave of 512 samples a frame; of a mel at the floor, below 4e-4 whatever the weights."""
        upsample = float(HOP_LENGTH // self.hop)
        dense = F.interpolate(readable(mel), scale_factor=upsample, mode="linear")
        x = self.enter(to_model_range(dense).to(self.dtype))
        x = self.norm(x.transpose(1, 2)).transpose(1, 2)
        for block in self.layers:
            x = block(x)
        gain, real, imaginary = self.leave(self.leave_norm(x.transpose(1, 2))).transpose(1, 2).chunk(3, dim=1)
        with torch.autocast(mel.device.type, enabled=False):
            heard = dense.exp().masked_fill(dense <= SILENT, 0)
            given = (self.spread.float() @ heard).clamp(min=1e-7)
            magnitude = given * gain.float().clamp(-MAX_GAIN, MAX_GAIN).exp()
            plane = torch.complex(real.float(), imaginary.float())
            spectra = magnitude * plane / (plane.abs() + 1e-6)
            return istft(spectra, self.n_fft, self.hop)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution over time, then two pointwise layers (Liu et al. 2022, arXiv 2201.03545)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.over_time = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)
        self.scale = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        """Frames => frames."""
        inside = self.norm(self.over_time(x).transpose(1, 2))
        inside = self.scale * self.narrow(F.gelu(self.widen(inside)))
        return x + inside.transpose(1, 2)


def band_spread(bins: int) -> Float[Tensor, "bins mels"]:
    """Mel magnitudes => magnitudes of `bins` frequencies up to 8 kHz: each band's mean, mixed where bands overlap.

    A frequency outside all bands takes that of the nearest.
    """
    filters = mel_filters()
    step = (filters.shape[1] - 1) // (bins - 1)
    here = filters[:, ::step]
    share = here / here.sum(0).clamp(min=1e-9)
    covered = torch.nonzero(here.sum(0) > 0)[:, 0]
    nearest = covered[(torch.arange(bins)[:, None] - covered).abs().argmin(1)]
    return (share[:, nearest] / filters.sum(1, keepdim=True)).T.contiguous()
