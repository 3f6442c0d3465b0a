"""Data that is known in part, or in outline, and sampled for the rest."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clipsonic.diffusion.objective import Objective
from clipsonic.diffusion.prediction import Prediction
from clipsonic.diffusion.sampling import Denoiser


def holding(
    denoise: Denoiser,
    objective: Objective,
    known: Float[Tensor, "1 1 mels frames"],
    kept: Bool[Tensor, "frames"],
) -> Denoiser:
    """A denoiser that knows part of the answer: its estimate of the clean data is replaced there.

    What is known is then sampled to itself by any solver, and the rest is sampled to fit it. (Replacing the noisy
    data instead, as Song et al. 2021, arXiv 2011.13456, appendix I.2, upsets solvers that remember earlier steps.)
    """

    def held(x: Tensor, t: Tensor) -> Prediction:
        said = denoise(x, t)
        x0 = torch.where(kept, known, objective.clean(said.output, x, t))
        return Prediction(objective.target(x0, objective.noise(x0, x, t), t), said.variance)

    return held
