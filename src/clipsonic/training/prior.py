"""What is trained on pairs of texts and image embeddings: the diffusion prior."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clipsonic.bridges.diffusion_prior import DiffusionPrior
from clipsonic.bridges.network import Attention
from clipsonic.data.draws import ALONE, Draws, Share
from clipsonic.data.pairs import Pairs
from clipsonic.diffusion.objective import Objective
from clipsonic.encoders.base import Encoder
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError
from clipsonic.files import whole_folder
from clipsonic.settings.prior import PriorSettings
from clipsonic.training.recipe import Recipe

VALIDATION_PAIRS = 256
MEMORY = 8 * 2**30  # bytes that the encoded texts may take


class PairBatch(NamedTuple):
    """What a step sees."""

    text: TextEncoding
    image: Float[Tensor, "b d"]  # unit rows


class PriorRecipe(Recipe):
    """The paper's prior: predicts the clean image embedding; the text is sometimes dropped.

    Args:
        pairs: to train on.
        held_out: to measure the loss on; None for no such measure.
        encoder: reads the texts, each once, at the start.

    Raises:
        UserError: the texts' tokens take more memory than there should be, or do not fit the network.
    """

    blocks = (Attention, torch.nn.Sequential)  # of the transformer

    def __init__(
        self, settings: PriorSettings, pairs: Pairs, held_out: Pairs | None, encoder: Encoder
    ) -> None:
        self.settings: PriorSettings = settings
        self.training = settings.training
        self.pairs = pairs
        self.held_out = held_out if held_out is None or len(held_out) else None
        self.text = encode(encoder, pairs.texts)
        self.held_out_text = encode(encoder, self.held_out.texts) if self.held_out is not None else None
        dim, (tokens, width) = pairs.images.shape[1], self.text.tokens.shape[1:]
        if width != dim:
            raise UserError(
                f"the encoder's tokens have {width} numbers and its embeddings {dim}; the prior reads both as one "
                "width, so it needs an encoder such as CLIP ViT-L/14 or mini"
            )
        torch.manual_seed(settings.training.seed)
        self.prior = DiffusionPrior(
            dim,
            settings.depth,
            settings.heads,
            settings.head_dim,
            tokens,
            settings.timesteps,
            settings.ff_mult,
            settings.dropout,
            settings.sampling_steps,
            settings.candidates,
            pairs.encoder_id,
        )
        self.prior.net.null_image_embed.requires_grad_(False)  # only guidance would use it
        self.objective = Objective(self.prior.noise_process())
        self.model = self.prior
        self.share = ALONE

    @property
    def data_id(self) -> str:
        """The pairs' checksum."""
        return self.pairs.id

    @property
    def examples(self) -> int:
        """Training examples of an epoch."""
        return len(self.pairs)

    def batches(self, step: int, rank: int, processes: int) -> Iterator[PairBatch]:
        """Random pairs, each once an epoch, from a step on."""
        self.share = Share(rank, processes)
        draws = Draws(len(self.pairs), self.training.batch_size, self.training.seed, step, rank, processes)
        for draw in draws:
            yield self._batch(self.pairs, self.text, torch.tensor([number for number, _ in draw]))

    def _batch(self, pairs: Pairs, text: TextEncoding, chosen: Tensor) -> PairBatch:
        words, images = pairs.links[chosen].T
        return PairBatch(
            TextEncoding(text.projection[words], text.tokens[words].float(), text.mask[words]),
            pairs.images[images],
        )

    def losses(self, model: torch.nn.Module, batch: PairBatch, random: torch.Generator) -> dict[str, Tensor]:
        """Squared error of the clean embedding at random times."""
        share, rows = self.share, self.share.whole(len(batch.image))
        keep = share.own(torch.rand(rows, generator=random)) >= self.settings.text_dropout
        t = share.own(torch.randint(0, self.objective.timesteps, (rows,), generator=random))
        noise = share.own(torch.randn(rows, batch.image.shape[1], generator=random))
        return {"mse": self._errors(model, batch, t, noise, keep).mean()}

    def _errors(
        self, model: torch.nn.Module, batch: PairBatch, t: Tensor, noise: Tensor, keep: Tensor
    ) -> Float[Tensor, "b"]:
        device = next(model.parameters()).device
        x0 = batch.image.to(device) * batch.image.shape[1] ** 0.5  # unit variance
        t, noise = t.to(device), noise.to(device)
        xt = self.objective.add_noise(x0, noise, t)
        prediction = model(xt, t, batch.text.to(device), keep.to(device))
        with torch.autocast(device.type, enabled=False):
            prediction = prediction._replace(output=prediction.output.float())
            return self.objective.loss(prediction, x0, xt, noise, t)["mse"]

    def validation_loss(self, model: torch.nn.Module) -> float | None:
        """The same on held-out pairs, at fixed random times under fixed noise."""
        if self.held_out is None or self.held_out_text is None:
            return None
        count = min(VALIDATION_PAIRS, len(self.held_out))
        chosen = torch.from_numpy(np.linspace(0, len(self.held_out) - 1, count).round()).long()
        batch = self._batch(self.held_out, self.held_out_text, chosen)
        random = torch.Generator().manual_seed(0)
        t = torch.randint(0, self.objective.timesteps, (count,), generator=random)
        noise = torch.randn(batch.image.shape, generator=random)
        return self._errors(model, batch, t, noise, torch.ones(count, dtype=torch.bool)).mean().item()

    def export(self, folder: Path) -> None:
        """Saves the prior as a bridge's folder."""
        with whole_folder(folder) as aside:
            self.prior.save_pretrained(aside, safe_serialization=True)


def encode(encoder: Encoder, texts: list[str]) -> TextEncoding:
    """Texts => what a prior reads of them, tokens in half precision.

    Raises:
        UserError: that would take too much memory.
    """
    one = encoder.encode_tokens(texts[:1]).tokens
    if (need := len(texts) * one.numel() * 2) > MEMORY:
        raise UserError(
            f"the tokens of {len(texts)} texts take {need / 2**30:.0f} GiB of memory, {MEMORY // 2**30} are the "
            "most; train on fewer captions"
        )
    parts = [encoder.encode_tokens(texts[first : first + 64]) for first in range(0, len(texts), 64)]
    return TextEncoding(
        torch.cat([part.projection.float().cpu() for part in parts]),
        torch.cat([part.tokens.half().cpu() for part in parts]),
        torch.cat([part.mask.cpu() for part in parts]),
    )
