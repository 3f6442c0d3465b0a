"""What is trained on sounds and their labels: the small language-audio encoder."""

import copy
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributed.nn.functional import all_gather
from torch.nn import functional as F

from clipsonic.audio import log_mel
from clipsonic.config import SAMPLE_RATE
from clipsonic.data.dataset import read_ahead
from clipsonic.data.draws import ALONE, Share
from clipsonic.data.labelled import LabelBatch, LabelDraws, LabelledCrops
from clipsonic.encoders.base import SOUND_PROMPT
from clipsonic.encoders.mini import TEXT_FEATURES, text_features
from clipsonic.encoders.mini_audio import MiniAudioEncoder, even
from clipsonic.errors import UserError
from clipsonic.files import whole_folder
from clipsonic.settings.audio_encoder import AudioEncoderSettings
from clipsonic.training.filters import random_filters
from clipsonic.training.recipe import Recipe

TRAINING_SPLITS = {"train"}
PROMPTS = (  # around a label; one is drawn for each label at every step
    "{}",
    "a {}",
    "the sound of {}",
    "the sound of a {}",
    "a photo of {}",
    "a photo of a {}",
    "a recording of {}",
    "I hear {}",
)
VALIDATION_CLIPS = 256


class AudioEncoderRecipe(Recipe):
    """CLAP's training on labels: a crop's nearest text is its label, a label's nearest crops are its own.

    Raises:
        UserError: the folder is no data set, or its training clips have no labels.
    """

    def __init__(self, settings: AudioEncoderSettings, data: Path) -> None:
        self.settings: AudioEncoderSettings = settings
        self.training = settings.training
        self.data = data
        self.crops = LabelledCrops(data, TRAINING_SPLITS, settings.quiet_crop_db, settings.mixed)
        texts = [prompt.format(label) for label in self.crops.labels for prompt in PROMPTS]
        rows = [text_features(texts[at : at + 64], torch.device("cpu")) for at in range(0, len(texts), 64)]
        self.texts = torch.cat(rows).reshape(-1, len(PROMPTS), TEXT_FEATURES)  # a row a label
        torch.manual_seed(settings.training.seed)
        self.encoder = MiniAudioEncoder(settings.embedding_dim, settings.channels)
        self.model = self.encoder
        self.share = ALONE

    @property
    def data_id(self) -> str:
        """The shards' checksums."""
        return " ".join(sum[:12] for sum in self.crops.clips.info.shards.values())

    @property
    def examples(self) -> int:
        """Training examples of an epoch."""
        return len(self.crops.clips)

    def batches(self, step: int, rank: int, processes: int) -> Iterator[LabelBatch]:
        """Random crops, as many of each label, from a step on."""
        self.share = Share(rank, processes)
        training, settings = self.training, self.settings
        lengths = (settings.shortest_crop, settings.longest_crop)
        draws = LabelDraws(self.crops, lengths, training.batch_size, training.seed, step, rank, processes)
        for wave, label in read_ahead(self.crops, draws, training.workers):
            yield LabelBatch(wave, label)

    def losses(self, model: torch.nn.Module, batch: LabelBatch, random: torch.Generator) -> dict[str, Tensor]:
        """The contrastive loss between crops, heard through random filters, and their labels in random words.

        Of several processes each hears its own crops and compares those of all.
        """
        device, share = next(model.parameters()).device, self.share
        together = batch.label.to(device)
        if share.processes > 1:
            together = gather(together)
        labels, target = torch.unique(together, return_inverse=True)
        words = torch.randint(0, len(PROMPTS), (len(labels),), generator=random)
        with torch.autocast(device.type, enabled=False):
            mel = log_mel(even(batch.wave.to(device)))
            filters = random_filters(share.whole(len(mel)), self.settings.filter_db, random)
            mel = mel + share.own(filters).to(device)
        sound, text, scale = model(mel, self.texts[labels.cpu(), words].to(device))
        if share.processes > 1:  # on the way back each gets what all losses say of its crops
            sound = torch.cat(all_gather(sound))  # type: ignore[no-untyped-call]
        with torch.autocast(device.type, enabled=False):
            return contrastive_losses(sound, text, target, scale)

    @cached_property
    def _held_out(self) -> LabelledCrops | None:
        others = set(self.crops.clips.info.splits) - TRAINING_SPLITS
        try:
            return LabelledCrops(self.data, others) if others else None
        except UserError:
            return None

    def validation_loss(self, model: torch.nn.Module) -> float | None:
        """Cross-entropy of the labels of whole held-out clips, asked for as "the sound of [label]"."""
        if self._held_out is None:
            return None
        cosines, truth = zero_shot(self.encoder, self._held_out, VALIDATION_CLIPS)
        return F.cross_entropy(self.encoder.logit_scale * cosines, truth).item()

    def show(self, model: torch.nn.Module, board: Any, step: int) -> None:
        """The share of held-out clips whose label is found."""
        if self._held_out is not None:
            found = accuracy(*zero_shot(self.encoder, self._held_out, VALIDATION_CLIPS))
            board.add_scalar("held_out_accuracy", found, step)

    def export(self, folder: Path) -> None:
        """Saves the encoder in half precision, with the accuracy that it has so."""
        encoder = copy.deepcopy(self.encoder).half().float().eval()
        if self._held_out is not None:
            encoder.register_to_config(
                held_out_accuracy=accuracy(*zero_shot(encoder, self._held_out)),
                held_out_clips=len(self._held_out),
            )
        with whole_folder(folder) as aside:
            encoder.half().save_pretrained(aside, safe_serialization=True)


def contrastive_losses(
    sound: Float[Tensor, "b d"], text: Float[Tensor, "n d"], label: Int[Tensor, "b"], scale: Float[Tensor, ""]
) -> dict[str, Tensor]:
    """CLIP's loss (Radford et al. 2021, fig. 3) where several sounds share a text.

    From a sound, the cross-entropy of its text among all texts; from a text, the mean cross-entropy of its sounds
    among all sounds (Khosla et al. 2020, arXiv 2004.11362, eq. 2). With one sound a text these are CLIP's halves.

    Args:
        sound, text: unit rows.
        label: the row of `text` that each sound belongs to; every text has a sound.
        scale: inverse temperature.
    """
    logits = scale * sound @ text.T
    own = F.one_hot(label, len(text)).to(logits)
    from_text = -(logits.log_softmax(dim=0) * own).sum(dim=0) / own.sum(dim=0)
    return {"from_sound": F.cross_entropy(logits, label) / 2, "from_text": from_text.mean() / 2}


@torch.no_grad()
def zero_shot(
    encoder: MiniAudioEncoder, clips: LabelledCrops, most: int | None = None
) -> tuple[Float[Tensor, "b labels"], Int[Tensor, "b"]]:
    """Whole clips, all or `most` => their cosines with "the sound of [label]" of all labels, and the true ones."""
    texts = encoder.encode_text([SOUND_PROMPT.format(label) for label in clips.labels])
    rows, truth = [], []
    for wave, label in clips.whole(most):
        rows.append(encoder.encode_audio([wave], SAMPLE_RATE))
        truth.append(label)
    return torch.cat(rows) @ texts.T, torch.tensor(truth, device=texts.device)


def accuracy(cosines: Float[Tensor, "b labels"], truth: Int[Tensor, "b"]) -> float:
    """Share of rows whose largest number is the true one."""
    return (cosines.argmax(dim=1) == truth).float().mean().item()
