"""Fine-tuning of a spectrogram model on sounds with captions: the end of the paper's conclusion.

A model that learned from pictures is asked with words over its bridge: caption => text embedding => bridge => an
embedding among those of pictures. Fine-tuning gives the U-Net this very embedding with the caption's own sound,
so that it learns what it will be asked with, gap of the bridge included. The bridge itself stays as it is, and so
do the embeddings of pictures. A model without a bridge (`zs`, CLIP-TTA, CLAP-TTA) is given the text embedding.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clipsonic.data.dataset import Batch, read_ahead
from clipsonic.data.draws import Draws, Share
from clipsonic.data.sound_pairs import SoundPairs, read_pairs, stacked_pairs
from clipsonic.encoders.base import TextEncoder
from clipsonic.errors import UserError
from clipsonic.model import Model
from clipsonic.settings.spectrogram import SpectrogramSettings
from clipsonic.training.spectrogram import SpectrogramRecipe

DRAWS = 4  # embeddings of a caption over a bridge; a prior draws each anew, other bridges always the same
CHUNK = 256  # captions embedded at once


class PairsRecipe(SpectrogramRecipe):
    """The spectrogram model's objective on crops of captioned sounds, from the weights of a model on.

    Args:
        pairs: list of sounds with `path`, `caption` and perhaps `split`.
        start: folder of the model to fine-tune.
        tell: called once with a line for each recording that is left out or made mono by its louder channel.

    Raises:
        UserError: the list is wrong, holds no training pair or no readable sound; `start` is no model, or was
            trained with another condition, noise process or shape than `settings` say.
    """

    def __init__(
        self,
        settings: SpectrogramSettings,
        pairs: Path,
        start: Path,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.settings, self.training = settings, settings.training
        self.tell, self._told = tell, set[str]()
        self._pairs = read_pairs(pairs)
        if all(pair.split != "train" for pair in self._pairs):
            raise UserError(f"{pairs} has no pairs to train on: none is of split train")
        model = Model.from_pretrained(start)
        check_settings(model, settings, start)
        self.encoder, self.bridge = model.encoder, str(model.config.bridge)
        self.familiar_cosine = model.config.familiar_cosine
        self.embedded = embed_captions(model, sorted({pair.caption for pair in self._pairs}))
        self.pairs = self._side(False, settings.speed)
        self.pairs.readable(0)  # raises now if no file can be read
        self._tell_of(self.pairs.take_notes())
        self.labels = with_captions(model.config.labels, self.pairs.captions)
        if line := unread_line(model.encoder, sorted(set(self.pairs.captions))):
            tell(line)
        self._begin(start)

    def _side(self, held_out: bool, speed: float = 0.0) -> SoundPairs:
        return SoundPairs(self._pairs, held_out, self.embedded, self.settings.quiet_crop_db, speed)

    @property
    def data_id(self) -> str:
        """Encoder, bridge and pairs, and the weights it began with."""
        return f"{self.encoder.id} {self.bridge} {self.pairs.id}{self.began_with}"

    @property
    def examples(self) -> int:
        """Training pairs."""
        return len(self.pairs)

    def batches(self, step: int, rank: int, processes: int) -> Iterator[Batch]:
        """Random crops with their captions, from a step on."""
        self.share = Share(rank, processes)
        draws = Draws(self.examples, self.training.batch_size, self.training.seed, step, rank, processes)
        return self._read(self.pairs, self.training.workers, draws)

    def _read(self, pairs: SoundPairs, workers: int, draws: Draws) -> Iterator[Batch]:
        for found in read_ahead(pairs, draws, workers, stacked_pairs):
            self._tell_of(found.notes)
            yield found.batch

    def _tell_of(self, notes: Mapping[str, str]) -> None:
        """Tell of each recording once, whichever process found it."""
        for name, note in notes.items():
            if name not in self._told:
                self._told.add(name)
                self.tell(note)

    @cached_property
    def _held_out(self) -> list[Batch]:
        if all(pair.split == "train" for pair in self._pairs):
            return []
        pairs = self._side(True)
        try:
            return self._first(len(pairs), partial(self._read, pairs, 0))
        except UserError as error:
            self.tell(f"no held-out loss: {error}")
            return []

    def _remembered(self) -> dict[str, Any]:
        tuned = {"pairs": len(self.pairs), "captions": len(set(self.pairs.captions)), "bridge": self.bridge}
        tuned |= {"data": self.pairs.id, "from": self.began_with.removeprefix(" from ")}
        return {"labels": self.labels, "familiar_cosine": self.familiar_cosine, "tuned_on": tuned}


def check_settings(model: Model, settings: SpectrogramSettings, folder: Path) -> None:
    """Check that a model was trained as the settings say; its U-Net's shape is checked by `begin_with`.

    Raises:
        UserError: with the setting that differs.
    """
    noise, diffusion = model.scheduler.config, settings.diffusion
    for name, wanted, found in (
        ("condition", settings.condition, model.config.condition),
        ("diffusion.timesteps", diffusion.timesteps, noise.num_train_timesteps),
        ("diffusion.prediction", diffusion.prediction, noise.prediction_type),
    ):
        if wanted != found:
            raise UserError(f"{name} must be {found}, as {folder} was trained with, got {wanted}")


def with_captions(labels: Sequence[str], captions: Sequence[str]) -> list[str]:
    """Return a model's labels and the captions that name none of them: it is now familiar with those too."""
    named = re.compile("|".join(rf"\b{re.escape(label)}\b" for label in labels), re.IGNORECASE)
    return [*labels, *(text for text in sorted(set(captions)) if not (labels and named.search(text)))]


def unread_line(encoder: TextEncoder, captions: Sequence[str]) -> str | None:
    """Return a line on the captions of which the encoder does not read everything, or None if it does."""
    partly = [text for text in captions if (missing := encoder.unread(text)).cut or missing.unknown]
    if not partly:
        return None
    return (
        f"the encoder does not read all of {len(partly)} of {len(captions)} captions, such as {partly[0]!r}"
    )


def embed_captions(model: Model, captions: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Return unit embeddings (k, D) of each caption, as the model is asked with: over its own bridge, if any."""
    draws = 1 if model.config.bridge == "zs" else DRAWS
    rows = []
    for first in range(0, len(captions), CHUNK):
        texts = [text for text in captions[first : first + CHUNK] for _ in range(draws)]
        seeds = [torch.Generator().manual_seed(number % draws) for number in range(len(texts))]
        rows.append(model.embed(texts, generators=seeds).float().cpu())
    every = torch.cat(rows).numpy()
    return dict(zip(captions, every.reshape(len(captions), draws, -1), strict=True))
