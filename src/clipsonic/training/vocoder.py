"""What is trained on sound alone: the vocoder, against discriminators that tell its waves from real ones."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils import parametrizations

from clipsonic.audio import log_mel
from clipsonic.data.dataset import read_ahead
from clipsonic.data.draws import Draws
from clipsonic.data.waves import SILENCE, Waves, stacked
from clipsonic.errors import UserError
from clipsonic.files import whole_folder
from clipsonic.settings.vocoder import BigVGANSettings, VocoderSettings
from clipsonic.training.recipe import AdversarialRecipe
from clipsonic.vocoder.base import Vocoder
from clipsonic.vocoder.bigvgan import BigVGAN
from clipsonic.vocoder.convert import fold
from clipsonic.vocoder.discriminators import Discriminators
from clipsonic.vocoder.fourier import FourierVocoder
from clipsonic.vocoder.losses import (
    discriminator_loss,
    feature_loss,
    generator_loss,
    mel_loss,
    multi_resolution_stft_distance,
)

VALIDATION_CROPS = 64
SHOWN = 3  # held-out crops in TensorBoard


class WaveBatch(NamedTuple):
    """What a step sees."""

    step: int
    wave: Float[Tensor, "b samples"]


class VocoderRecipe(AdversarialRecipe):
    """BigVGAN's training (Lee et al. 2023, section 3): 45 x mel, adversarial and feature-matching losses.

    Args:
        sources: as of `Waves`.
        tell: called once with a line for each recording that cannot be read, in whose place others are trained on,
            or whose channels cancel each other.

    Raises:
        UserError: there is no sound to train on.
    """

    def __init__(
        self,
        settings: VocoderSettings,
        sources: Sequence[Path],
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.tell = tell
        self._told: set[str] = set()
        self.settings: VocoderSettings = settings
        self.training = settings.training
        self.waves = Waves(sources, held_out=False, crop=settings.segment, peak=settings.peak)
        self.held_out = self._held_out(sources)
        torch.manual_seed(settings.training.seed)
        self.vocoder: Vocoder
        if isinstance(settings.generator, BigVGANSettings):
            self.vocoder = BigVGAN(**settings.generator.model_dump())
            with_weight_norm(self.vocoder)
        else:
            self.vocoder = FourierVocoder(**settings.generator.model_dump())
        self.model = self.vocoder
        self.critic = Discriminators(settings.periods, settings.resolutions, settings.discriminator_width)
        self._made: Tensor | None = None  # of this step: both losses look at the same waves

    def _held_out(self, sources: Sequence[Path]) -> Float[Tensor, "b samples"] | None:
        try:
            waves = Waves(sources, held_out=True, crop=self.settings.segment, peak=self.settings.peak)
        except UserError:
            return None
        count = min(VALIDATION_CROPS, len(waves))
        chosen = np.linspace(0, len(waves) - 1, count).round().astype(int)
        try:
            crops = stacked([waves[int(number), 0] for number in chosen])
        except UserError as error:
            self.tell(f"no held-out loss: {error}")
            return None
        self._tell_of(crops.notes)
        return crops.wave

    @property
    def data_id(self) -> str:
        """The list of recordings."""
        return self.waves.id

    @property
    def examples(self) -> int:
        """Training examples of an epoch."""
        return len(self.waves)

    def batches(self, step: int, rank: int, processes: int) -> Iterator[WaveBatch]:
        """Random crops, from a step on."""
        training = self.training
        draws = Draws(len(self.waves), training.batch_size, training.seed, step, rank, processes)
        for number, crops in enumerate(read_ahead(self.waves, draws, training.workers, stacked), step):
            self._tell_of(crops.notes)
            yield WaveBatch(number, crops.wave)

    def _tell_of(self, notes: Mapping[str, str]) -> None:
        """Tell of each recording once, whichever process found it."""
        for name, note in notes.items():
            if name not in self._told:
                self._told.add(name)
                self.tell(note)

    def critic_losses(
        self, critic: torch.nn.Module, model: torch.nn.Module, batch: WaveBatch
    ) -> dict[str, Tensor]:
        """Makes the step's waves, and tells them from the real ones."""
        real = batch.wave.to(next(model.parameters()).device)
        self._made = model(log_mel(real)).float()
        if batch.step < self.settings.adversarial_after:
            return {}
        gain = self._gain(real)
        return {"critic": discriminator_loss(critic(real * gain), critic(self._made.detach() * gain))}

    def losses(self, model: torch.nn.Module, batch: WaveBatch, random: torch.Generator) -> dict[str, Tensor]:
        """The same waves' distance to the real ones, and how far the discriminators see through them."""
        assert self._made is not None
        made, self._made = self._made, None
        settings, real = self.settings, batch.wave.to(made.device)
        with torch.autocast(made.device.type, enabled=False):
            losses = {"mel": settings.mel_weight * mel_loss(real, made)}
            if settings.stft_weight:
                losses["stft"] = settings.stft_weight * multi_resolution_stft_distance(real, made).mean()
        if batch.step >= settings.adversarial_after:
            self.critic.requires_grad_(False)  # its gradients are not wanted now, and cost a third
            gain = self._gain(real)
            with torch.no_grad():
                real_said = self.critic(real * gain)
            said = self.critic(made * gain)
            self.critic.requires_grad_(True)
            losses["adversarial"] = generator_loss(said)
            losses["features"] = feature_loss(real_said, said)
        return losses

    def _gain(self, real: Float[Tensor, "b samples"]) -> Float[Tensor, "b 1"]:
        """What brings each real crop to the level at which the discriminators hear both."""
        levels = real.square().mean(dim=1, keepdim=True).sqrt()
        wanted = self.settings.judged_level
        return wanted / levels.clamp(min=SILENCE) if wanted else torch.ones_like(levels)

    def validation_loss(self, model: torch.nn.Module) -> float | None:
        """L1 of log-mels on held-out crops."""
        if self.held_out is None:
            return None
        device = next(model.parameters()).device
        parts = torch.split(self.held_out.to(device), self.training.batch_size)
        errors = [mel_loss(part, model(log_mel(part)).float()) * len(part) for part in parts]
        return float(torch.stack(errors).sum() / len(self.held_out))

    def show(self, model: torch.nn.Module, board: Any, step: int) -> None:
        """Held-out sounds and their spectrograms, real and made."""
        if self.held_out is None:
            return
        real = self.held_out[:SHOWN].to(next(model.parameters()).device)
        for kind, waves in (("real", real), ("made", model(log_mel(real)).float())):
            for number, wave in enumerate(waves):
                board.add_audio(f"{number}/{kind}", wave[None].clamp(-1, 1).cpu(), step, sample_rate=16_000)
                mel = log_mel(wave[None])[0].cpu().flip(0)
                board.add_image(f"{number}/{kind}", (mel[None] + 11.5) / 15, step)

    def export(self, folder: Path) -> None:
        """Saves the vocoder's folder, weight norm folded in."""
        vocoder = self.vocoder
        if isinstance(vocoder, BigVGAN):
            vocoder = without_weight_norm(vocoder)
        if self.settings.weights == "float16":
            vocoder = copy.deepcopy(vocoder).half()
        with whole_folder(folder) as aside:
            vocoder.save_pretrained(aside, safe_serialization=True)


def with_weight_norm(vocoder: BigVGAN) -> None:
    """Add weight norm (Salimans and Kingma 2016) to every convolution, which keeps PyTorch's first weights.

    The published code draws others from a normal distribution of deviation 0.01, but into a tensor that weight
    norm replaces before it is used: its training starts from PyTorch's too.
    """
    for module in vocoder.generator.modules():
        if isinstance(module, torch.nn.Conv1d | torch.nn.ConvTranspose1d):
            parametrizations.weight_norm(module)


def without_weight_norm(vocoder: BigVGAN) -> BigVGAN:
    """A copy with plain weights."""
    plain = BigVGAN(**vocoder.settings.model_dump())
    plain.generator.load_state_dict(fold(vocoder.generator.state_dict()))
    return plain
