"""What is trained on videos: the U-Net that makes a clip's mel from the embedding of one of its pictures.

Or, for the paper's supervised baselines, from that of its label in words: CLIP-TTA and CLAP-TTA.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather
from diffusers.models.attention_processor import Attention
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from jaxtyping import Float
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import normalize

from clipsonic.audio import log_mel, to_model_range
from clipsonic.data.dataset import Batch, ClipDataset, batches, encoder_of
from clipsonic.data.draws import ALONE, Draws, Share
from clipsonic.data.shards import read_info
from clipsonic.diffusion.objective import Objective, noise_process
from clipsonic.diffusion.sampling import solver
from clipsonic.diffusion.unet import MelUNet, build_unet, predict
from clipsonic.encoders.base import TextEncoder, fingerprint
from clipsonic.errors import UserError
from clipsonic.model_folder import INDEX, WEIGHTS, check_folder
from clipsonic.parts import bridges_of
from clipsonic.pipeline import CLIPSonicPipeline
from clipsonic.settings.spectrogram import SpectrogramSettings
from clipsonic.training.filters import filtered
from clipsonic.training.recipe import Recipe
from clipsonic.understanding import embed_labels
from clipsonic.vocoder.load import vocoder_of

TRAINING_SPLITS = {"train"}
VALIDATION_BATCHES = 8


class SpectrogramRecipe(Recipe):
    """CLIPSonic's spectrogram model: random picture, random crop, condition sometimes dropped.

    Args:
        encoder: with the condition "text", what reads the labels instead of the data set's own encoder.
        start: a model folder whose U-Net training begins with, instead of random weights.

    Raises:
        UserError: the folder is no data set, or has no training clips (with labels, where those are read); the
            model to start from is none, or of another shape.
    """

    blocks = (ResnetBlock2D, Attention, Downsample2D, Upsample2D)

    def __init__(
        self,
        settings: SpectrogramSettings,
        data: Path,
        encoder: TextEncoder | None = None,
        start: Path | None = None,
    ) -> None:
        self.settings: SpectrogramSettings = settings
        self.training = settings.training
        self.data = data
        if encoder is not None and settings.condition == "image":
            raise UserError("another encoder reads labels, not pictures: it needs --set condition=text")
        self.labels = sorted(read_info(data).labels)
        # Now, so that a missing one is not found out at the first checkpoint.
        self.encoder = encoder if encoder is not None else encoder_of(data)
        self.said = label_embeddings(self.encoder, self.labels) if settings.condition == "text" else None
        self.clips = self._clips(TRAINING_SPLITS, settings.speed)
        self._begin(start)

    def _begin(self, start: Path | None) -> None:
        """Build the network for conditions of `self.encoder`, with random weights or those of the model `start`."""
        settings = self.settings
        self.process = noise_process(settings.diffusion)
        self.objective = Objective(self.process)
        torch.manual_seed(settings.training.seed)
        self.unet = build_unet(settings.unet, settings.diffusion, self.encoder.embedding_dim)
        self.start = start
        self.began_with = "" if start is None else f" from {begin_with(self.unet, start)}"
        self.unet.to(memory_format=torch.channels_last)  # ten times faster in bf16 on a processor
        self.model = self.unet
        self.share = ALONE

    @property
    def data_id(self) -> str:
        """Encoder and shards' checksums, and the weights it began with where they are not random."""
        sums = " ".join(sum[:12] for sum in self.clips.info.shards.values())
        return f"{self.encoder.id} {sums}{self.began_with}"

    @property
    def examples(self) -> int:
        """Training examples of an epoch."""
        return len(self.clips)

    def batches(self, step: int, rank: int, processes: int) -> Iterator[Batch]:
        """Random crops and pictures, from a step on."""
        self.share = Share(rank, processes)
        draws = Draws(len(self.clips), self.training.batch_size, self.training.seed, step, rank, processes)
        return batches(self.clips, draws, self.training.workers)

    def losses(self, model: torch.nn.Module, batch: Batch, random: torch.Generator) -> dict[str, Tensor]:
        """The objective at random times; the condition is dropped (zeros) for some clips."""
        x0, embedding = self._inputs(batch, model, random)
        share, rows = self.share, self.share.whole(len(x0))
        if share.processes > 1:  # a condition may stray towards any other of the step
            embedding = gather(embedding)
        embedding = strayed(embedding, self.settings.condition_stray, random)
        embedding = share.own(perturbed(embedding, self.settings.condition_noise, random))
        kept = share.own(torch.rand(rows, 1, generator=random)) >= self.settings.condition_dropout
        t = share.own(torch.randint(0, self.objective.timesteps, (rows,), generator=random))
        noise = share.own(torch.randn(rows, *x0.shape[1:], generator=random))
        parts = self._loss(model, x0, embedding * kept.to(x0.device), t.to(x0.device), noise.to(x0.device))
        return {name: value.mean() for name, value in parts.items()}

    def _inputs(
        self, batch: Batch, model: torch.nn.Module, random: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "b 1 mels frames"], Float[Tensor, "b d"]]:
        device = next(model.parameters()).device
        with torch.autocast(device.type, enabled=False):
            mel = log_mel(batch.wave.to(device))
            if random is not None and self.settings.filter_db:
                mel = filtered(mel, self.settings.filter_db, random, self.share)
        return to_model_range(mel)[:, None], batch.embedding.to(device)

    def _loss(
        self, model: torch.nn.Module, x0: Tensor, embedding: Tensor, t: Tensor, noise: Tensor
    ) -> dict[str, Float[Tensor, "b"]]:
        xt = self.objective.add_noise(x0, noise, t)
        prediction = predict(model, xt, t, embedding, self.objective.timesteps)
        with torch.autocast(x0.device.type, enabled=False):
            return self.objective.loss(prediction, x0, xt, noise, t)

    def _clips(self, splits: set[str], speed: float = 0.0) -> ClipDataset:
        return ClipDataset(self.data, splits, self.settings.quiet_crop_db, self.said, speed)

    @cached_property
    def _held_out(self) -> list[Batch]:
        try:
            others = set(self.clips.info.splits) - TRAINING_SPLITS
            held_out = self._clips(others)
        except UserError:
            return []
        return self._first(len(held_out), lambda draws: batches(held_out, draws))

    def _first(self, examples: int, read: Callable[[Draws], Iterator[Batch]]) -> list[Batch]:
        """Return one pass over held-out examples, of 8 batches at most; the same at every measurement."""
        count = min(VALIDATION_BATCHES, -(-examples // self.training.batch_size))
        return list(islice(read(Draws(examples, self.training.batch_size, seed=0)), count))

    def validation_loss(self, model: torch.nn.Module) -> float | None:
        """Mean squared error on held-out clips, at evenly spread times under fixed noise."""
        if not self._held_out:
            return None
        random = torch.Generator().manual_seed(0)
        errors = []
        for batch in self._held_out:
            x0, embedding = self._inputs(batch, model)
            t = torch.from_numpy(np.linspace(0, self.objective.timesteps - 1, len(x0)).round()).long()
            noise = torch.randn(x0.shape, generator=random)
            with torch.autocast(x0.device.type, torch.bfloat16, enabled=self.training.precision == "bf16"):
                parts = self._loss(model, x0, embedding, t.to(x0.device), noise.to(x0.device))
            errors.append(parts["mse"])
        return torch.cat(errors).mean().item()

    def export(self, folder: Path) -> None:
        """Saves the whole system as a model folder, with the encoder it was trained with.

        A vocoder and bridges that joined the model of an earlier checkpoint stay in it. At the first checkpoint
        they are those of the model that training began with; bridges only if its encoder is the same.
        """
        started = self.start is not None and not (folder / INDEX).exists()
        kept = self.start if started and self.start is not None else folder
        bridges = bridges_of(kept) if not started or self.keeps_bridges else {}
        diffusion = self.settings.diffusion
        pipeline = CLIPSonicPipeline(
            encoder=self.encoder,
            unet=self.unet,
            scheduler=solver(diffusion.sampler, self.process, diffusion.learned_variance),
            vocoder=vocoder_of(kept),
            sampling_steps=diffusion.sampling_steps,
            condition=self.settings.condition,
            **self._remembered(),
            **bridges,
        )
        pipeline.save(folder, half=self.settings.weights == "float16")

    def _remembered(self) -> dict[str, Any]:
        """Return what the model says of its training, as arguments of the pipeline."""
        return {"labels": self.labels}

    @property
    def keeps_bridges(self) -> bool:
        """Whether bridges of the model it starts from serve the new one, which has the same encoder."""
        if self.start is None or self.settings.condition != "image":
            return False
        return bool(json.loads((self.start / INDEX).read_bytes())["encoder_id"] == self.encoder.id)


def begin_with(unet: MelUNet, folder: Path) -> str:
    """Fills a U-Net with the weights of a model's => their fingerprint.

    Raises:
        UserError: the folder is no model, or its U-Net has another shape.
    """
    check_folder(folder, {"unet": {"MelUNet": MelUNet}}, {"unet"})
    weights = load_file(folder / "unet" / WEIGHTS)
    expected = {name: tuple(weight.shape) for name, weight in unet.state_dict().items()}
    other = {name for name, weight in weights.items() if expected.get(name) != tuple(weight.shape)}
    if wrong := sorted(other | (expected.keys() - weights.keys())):
        raise UserError(
            f"{folder} cannot be begun with: its U-Net differs in {wrong[0]} and {len(wrong) - 1} more tensors; "
            "choose the preset and settings it was trained with"
        )
    unet.load_state_dict(weights)
    return fingerprint(weights.items())


def label_embeddings(encoder: TextEncoder, labels: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Return unit embeddings (D,) of `embed_labels`, by label."""
    return dict(zip(labels, embed_labels(encoder, labels).numpy(), strict=True))


def strayed(embedding: Float[Tensor, "b d"], most: float, random: torch.Generator) -> Float[Tensor, "b d"]:
    """Unit embeddings => unit embeddings drawn towards that of another clip, by 0 to `most` of its length.

    What an encoder takes a new picture for besides what it shows is another thing it knows, not a random
    direction: a model that has met such mixtures goes by the larger part of them.
    """
    if most == 0:
        return embedding
    share = most * torch.rand(len(embedding), 1, generator=random)
    other = torch.randperm(len(embedding), generator=random)
    return normalize(embedding + share.to(embedding.device) * embedding[other], dim=-1)


def perturbed(embedding: Float[Tensor, "b d"], most: float, random: torch.Generator) -> Float[Tensor, "b d"]:
    """Unit embeddings => unit embeddings turned by a random vector of length 0 to `most`, drawn for each.

    A model that has seen few pictures then also knows their neighbourhood, where unseen pictures and words lie.
    """
    if most == 0:
        return embedding
    length = most * torch.rand(len(embedding), 1, generator=random)
    direction = normalize(torch.randn(embedding.shape, generator=random), dim=-1)
    return normalize(embedding + (length * direction).to(embedding.device), dim=-1)
