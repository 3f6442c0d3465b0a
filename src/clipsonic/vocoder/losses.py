"""What a vocoder is trained for, and how far apart two waves are.

`x` is a real wave, `y` the generated one, `D_k` the discriminators, `D_k^i` what layer i of one gives. BigVGAN
(Lee et al. 2023, arXiv 2206.04658) takes its losses from HiFi-GAN (Kong et al. 2020, arXiv 2010.05646, sec. 2.4):
the discriminators lower `discriminator_loss`, the generator lowers

    generator_loss + feature_loss + 45 mel_loss
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import l1_loss

from clipsonic.audio import log_mel
from clipsonic.vocoder.discriminators import RESOLUTIONS, Verdict

FEATURE_WEIGHT = 2  # lambda_fm


def discriminator_loss(real: Sequence[Verdict], generated: Sequence[Verdict]) -> Float[Tensor, ""]:
    """`sum_k mean (1 - D_k(x))^2 + mean D_k(y)^2` (HiFi-GAN eq. 1; least squares: Mao et al. 2017)."""
    return torch.stack(
        [
            (1 - of_real.score).square().mean() + of_generated.score.square().mean()
            for of_real, of_generated in zip(real, generated, strict=True)
        ]
    ).sum()


def generator_loss(generated: Sequence[Verdict]) -> Float[Tensor, ""]:
    """`sum_k mean (1 - D_k(y))^2` (HiFi-GAN eq. 2)."""
    return torch.stack([(1 - verdict.score).square().mean() for verdict in generated]).sum()


def feature_loss(real: Sequence[Verdict], generated: Sequence[Verdict]) -> Float[Tensor, ""]:
    """`2 sum_k sum_i mean |D_k^i(x) - D_k^i(y)|` (HiFi-GAN eq. 4; Larsen et al. 2016).

    The 2 is its weight in the generator's loss, which the published code keeps here.
    """
    distances = [
        l1_loss(generated_layer, real_layer)
        for of_real, of_generated in zip(real, generated, strict=True)
        for real_layer, generated_layer in zip(of_real.features, of_generated.features, strict=True)
    ]
    return FEATURE_WEIGHT * torch.stack(distances).sum()


def mel_loss(real: Float[Tensor, "b samples"], generated: Float[Tensor, "b samples"]) -> Float[Tensor, ""]:
    """`mean |log mel(x) - log mel(y)|` (HiFi-GAN eq. 3).

    The published code computes this mel up to `fmax_for_loss`, null in every setting: up to half the sample
    rate, where the mel of `clipsonic.audio` ends anyway.
    """
    return l1_loss(log_mel(generated), log_mel(real))


def multi_resolution_stft_distance(
    real: Float[Tensor, "b samples"], generated: Float[Tensor, "b samples"]
) -> Float[Tensor, "b"]:
    """The mean of `sc + mag` over three resolutions, for each clip (eq. 6 of Parallel WaveGAN).

    Yamamoto et al. 2020, arXiv 1910.11480. `sc`, the spectral convergence (eq. 4), is the error's share of the
    real magnitudes: large peaks weigh most. `mag` (eq. 5) is the mean distance of the natural logarithms of the
    magnitudes: quiet parts weigh as much as loud ones. Frames are centred, windows are Hann's and powers at least
    1e-7, as in the published code. 0 is equality; it is not symmetric, and says nothing of phases.
    """
    distances = []
    for resolution in RESOLUTIONS:
        x, y = magnitudes(real, *resolution), magnitudes(generated, *resolution)
        convergence = torch.linalg.vector_norm(x - y, dim=(1, 2)) / torch.linalg.vector_norm(x, dim=(1, 2))
        distances.append(convergence + (x.log() - y.log()).abs().mean(dim=(1, 2)))
    return torch.stack(distances).mean(dim=0)


def magnitudes(
    wave: Float[Tensor, "b samples"], fft: int, hop: int, length: int
) -> Float[Tensor, "b bins frames"]:
    """Magnitudes of centred frames under Hann windows of `length` samples."""
    window = torch.hann_window(length, device=wave.device)
    spectra = torch.stft(wave, fft, hop, length, window, return_complex=True)
    return (spectra.real**2 + spectra.imag**2).clamp(min=1e-7).sqrt()
