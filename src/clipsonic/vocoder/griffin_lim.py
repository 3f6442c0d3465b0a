"""A vocoder without weights: the phase is found by going back and forth between wave and spectrum."""

import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor

from clipsonic.audio import istft, mel_filters, stft
from clipsonic.config import HOP_LENGTH
from clipsonic.vocoder.base import Vocoder, readable


class GriffinLim(Vocoder):
    """Fast Griffin-Lim (Perraudin, Balazs and Søndergaard 2013) on magnitudes unfolded from the mel bands.

    Args:
        iterations: rounds of the phase search; the result changes little past 32.
        momentum: weight of the last change, alpha in the paper.
    """

    @register_to_config
    def __init__(self, iterations: int = 32, momentum: float = 0.99) -> None:
        super().__init__()
        self.iterations = iterations
        self.momentum = momentum
        # The one thing to store: diffusers expects a component to have weights.
        self.register_buffer("filters", mel_filters().clone())

    @property
    def context_frames(self) -> int:
        """Three frames a round, as far as windows overlap, and two of the last inverse transform."""
        return 3 * self.iterations + 2

    @torch.no_grad()
    def forward(self, mel: Float[Tensor, "b mels frames"]) -> Float[Tensor, "b samples"]:
        """Log-mel => 16 kHz wave of 512 samples a frame, deterministic and the same in any batch."""
        frames = mel.shape[-1]
        loud = readable(mel).exp()
        if frames == 1:  # its window mirrors more samples than one frame has
            loud = loud.expand(-1, -1, 2)
        magnitude = unfold_bands(loud, self.filters.float())
        # The same phases at every frame: then a piece of a clip begins the search as it does within the whole.
        start = torch.Generator().manual_seed(0)
        phase = torch.rand(magnitude.shape[1], 1, generator=start).to(magnitude.device) * 2 * torch.pi
        spectra = torch.polar(magnitude, phase.expand_as(magnitude))
        before = torch.zeros_like(spectra)
        for _ in range(self.iterations):
            consistent = stft(istft(spectra))
            ahead = consistent + self.momentum * (consistent - before)
            before = consistent
            spectra = magnitude * ahead / ahead.abs().clamp(min=1e-12)
        return istft(spectra)[:, : frames * HOP_LENGTH]


def unfold_bands(
    mel: Float[Tensor, "b mels frames"], filters: Float[Tensor, "mels bins"], iterations: int = 50
) -> Float[Tensor, "b bins frames"]:
    """Mel magnitudes => the non-negative magnitudes that give them, by multiplicative updates.

    Lee and Seung 2001, eq. 4 with the filters held fixed: nothing turns negative and no step size is needed.
    """
    target = filters.T @ mel
    magnitude = target.clone()
    for _ in range(iterations):
        magnitude *= target / (filters.T @ (filters @ magnitude)).clamp(min=1e-12)
    return magnitude
