"""What every vocoder is."""

from abc import ABC, abstractmethod

from diffusers import ConfigMixin, ModelMixin
from jaxtyping import Float
from torch import Tensor


class Vocoder(ModelMixin, ConfigMixin, ABC):
    """Turns the mel spectrograms of `clipsonic.audio` into sound; a component of a diffusers pipeline."""

    config_name = "config.json"

    @abstractmethod
    def forward(self, mel: Float[Tensor, "b mels frames"]) -> Float[Tensor, "b samples"]:
        """Log-mel => 16 kHz wave in [-1, 1], exactly 512 samples a frame; clips do not touch each other."""
