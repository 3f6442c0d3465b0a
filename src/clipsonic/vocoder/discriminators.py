"""The judges a BigVGAN is trained against (Lee et al. 2023, arXiv 2206.04658).

Each looks at a wave as a picture: folded at a prime period (HiFi-GAN, Kong et al. 2020, arXiv 2010.05646), or as
a magnitude spectrogram of one resolution (UnivNet, Jang et al. 2021, arXiv 2106.07889). Layers, paddings and
slopes are those of the first BigVGAN's code.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad
from torch.nn.utils.parametrizations import weight_norm

PERIODS = (2, 3, 5, 7, 11)
RESOLUTIONS = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))  # FFT, hop, window


class Verdict(NamedTuple):
    """What one discriminator says of a batch of waves.

    Attributes:
        score: for each place it looks at; trained towards 1 for real sound and 0 for generated.
        features: what every layer gave, the score itself included.
    """

    score: Float[Tensor, "b places"]
    features: list[Float[Tensor, "b c h w"]]


class Discriminator(nn.Module):
    """Weight-normed convolutions over a picture of the wave; the last gives the score."""

    def __init__(self, convolutions: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(weight_norm(convolution) for convolution in convolutions)

    def picture(self, wave: Float[Tensor, "b samples"]) -> Float[Tensor, "b h w"]:
        """How the wave is looked at."""
        raise NotImplementedError

    def forward(self, wave: Float[Tensor, "b samples"]) -> Verdict:
        """Waves => scores and the features of all layers."""
        x = self.picture(wave)[:, None]
        features: list[Tensor] = []
        for conv in self.convs[:-1]:
            x = leaky_relu(conv(x), 0.1)
            features.append(x)
        x = self.convs[-1](x)
        # The losses average squares of it: too coarse in half precision.
        return Verdict(x.flatten(1).float(), [*features, x])


class PeriodDiscriminator(Discriminator):
    """Looks at every `period`-th sample (HiFi-GAN's): folded waves, kernels one column wide."""

    def __init__(self, period: int, multiplier: float = 1) -> None:
        widths = [1, *(scaled(width, multiplier) for width in (32, 128, 512, 1024, 1024))]
        convolutions = [
            nn.Conv2d(before, after, (5, 1), stride=(stride, 1), padding=(2, 0))
            for before, after, stride in zip(widths[:-1], widths[1:], (3, 3, 3, 3, 1), strict=True)
        ]
        super().__init__([*convolutions, nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0))])
        self.period = period

    def picture(self, wave: Float[Tensor, "b samples"]) -> Float[Tensor, "b rows period"]:
        """Folds the wave; its end is mirrored to fill the last row."""
        missing = -wave.shape[-1] % self.period
        whole = pad(wave[:, None], (0, missing), mode="reflect")[:, 0]
        return whole.reshape(len(wave), -1, self.period)


class ResolutionDiscriminator(Discriminator):
    """Looks at the magnitudes of one short-time Fourier transform.

    The window is rectangular, as in the published code, which hands none to `torch.stft`.
    """

    window: Tensor

    def __init__(self, resolution: tuple[int, int, int], multiplier: float = 1) -> None:
        width = scaled(32, multiplier)
        super().__init__(
            [
                nn.Conv2d(1, width, (3, 9), padding=(1, 4)),
                *(nn.Conv2d(width, width, (3, 9), stride=(1, 2), padding=(1, 4)) for _ in range(3)),
                nn.Conv2d(width, width, (3, 3), padding=(1, 1)),
                nn.Conv2d(width, 1, (3, 3), padding=(1, 1)),
            ]
        )
        self.fft, self.hop, length = resolution
        self.register_buffer("window", torch.ones(length), persistent=False)

    def picture(self, wave: Float[Tensor, "b samples"]) -> Float[Tensor, "b bins frames"]:
        """Magnitudes of samples / hop frames; the ends are mirrored."""
        edge = (self.fft - self.hop) // 2
        mirrored = pad(wave[:, None], (edge, edge), mode="reflect")[:, 0]
        length = len(self.window)
        return torch.stft(
            mirrored, self.fft, self.hop, length, self.window, center=False, return_complex=True
        ).abs()


class Discriminators(nn.Module):
    """All of them, periods first.

    Args:
        periods: of the multi-period discriminator, in samples.
        resolutions: of the multi-resolution discriminator: FFT size, hop and window, in samples.
        multiplier: of the channels; 1 is the published width.
    """

    def __init__(
        self,
        periods: Sequence[int] = PERIODS,
        resolutions: Sequence[tuple[int, int, int]] = RESOLUTIONS,
        multiplier: float = 1,
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            [
                *(PeriodDiscriminator(period, multiplier) for period in periods),
                *(ResolutionDiscriminator(resolution, multiplier) for resolution in resolutions),
            ]
        )

    def forward(self, wave: Float[Tensor, "b samples"]) -> list[Verdict]:
        """Waves => what each discriminator says; waves do not touch each other."""
        return [part(wave) for part in self.parts]


def scaled(width: int, multiplier: float) -> int:
    """Channels, one at the least."""
    return max(1, int(width * multiplier))
