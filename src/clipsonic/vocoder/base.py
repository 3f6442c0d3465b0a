"""What every vocoder is."""

from abc import ABC, abstractmethod

from diffusers import ConfigMixin, ModelMixin
from jaxtyping import Float
from torch import Tensor

from clipsonic.config import HOP_LENGTH, N_FFT, N_MELS, SAMPLE_RATE
from clipsonic.errors import UserError

# Of the mel of `clipsonic.audio`, what a vocoder can be made for otherwise.
OUR_MEL: dict[str, int | float] = {
    "sample rate": SAMPLE_RATE,
    "window": N_FFT,
    "hop": HOP_LENGTH,
    "bands": N_MELS,
    "lowest Hz": 0,
    "highest Hz": SAMPLE_RATE / 2,
}
LOUDEST = 20.0  # natural log, far above what a wave in [-1, 1] can have; larger exponentials overflow


class Vocoder(ModelMixin, ConfigMixin, ABC):
    """Turns the mel spectrograms of `clipsonic.audio` into sound; a component of a diffusers pipeline."""

    config_name = "config.json"

    @property
    def mel(self) -> dict[str, int | float]:
        """The mel spectrogram it reads, in the words of `OUR_MEL`."""
        return OUR_MEL

    @property
    @abstractmethod
    def context_frames(self) -> int:
        """How many frames on each side of a frame have a part in its samples; frames further away have none."""

    @abstractmethod
    def forward(self, mel: Float[Tensor, "b mels frames"]) -> Float[Tensor, "b samples"]:
        """Log-mel => 16 kHz wave, exactly 512 samples a frame; clips do not touch each other.

        A loud mel gives a wave that passes [-1, 1]: whoever writes it scales it (`loudness.within_full_scale`).

        The mel may be of any precision, whatever that of the weights; the wave is in single precision.

        Raises:
            UserError: there is no frame.
        """


def readable(mel: Float[Tensor, "b mels frames"]) -> Float[Tensor, "b mels frames"]:
    """A mel as the vocoders take it in: in single precision, and no louder than `LOUDEST`.

    Raises:
        UserError: there is no frame.
    """
    if mel.shape[-1] == 0:
        raise UserError("the mel spectrogram has no frames; a vocoder needs one at least")
    return mel.float().clamp(max=LOUDEST)


def check_mel(vocoder: Vocoder) -> None:
    """Refuses a vocoder for another mel spectrogram than `clipsonic.audio` makes.

    Raises:
        UserError: with what differs.
    """
    theirs = vocoder.mel
    differ = [
        f"{name} {theirs[name]:g}, not {ours:g}" for name, ours in OUR_MEL.items() if theirs[name] != ours
    ]
    if differ:
        raise UserError(f"the vocoder is for another mel spectrogram than clipsonic's: {'; '.join(differ)}")
