"""A model: its parts put together, loaded and saved, and what they make of a question."""

import copy
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import DiffusionPipeline
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from clipsonic.bridges.base import Bridge
from clipsonic.bridges.training_free import Retrieval, among_pictures
from clipsonic.config import MelSettings
from clipsonic.diffusion.sampling import one_each
from clipsonic.diffusion.unet import MelUNet
from clipsonic.encoders.base import Encoder, TextEncoder
from clipsonic.errors import UserError
from clipsonic.files import take_place
from clipsonic.model_folder import resolve
from clipsonic.parts import BRIDGES, check_together, load_parts
from clipsonic.precision import inference, single_precision
from clipsonic.understanding import Understanding, embed_labels, understand
from clipsonic.vocoder.base import Vocoder

ENCODING = threading.Lock()  # tokenizers cannot be shared by threads; what encodes takes turns
AnyModel = TypeVar("AnyModel", bound="Model")  # Self, in words that the tests' type checks of calls know


class Model(DiffusionPipeline):
    """The parts of a model; `CLIPSonicPipeline` makes sound with them.

    Args:
        encoder: turns texts and pictures into embeddings; the one that the U-Net was trained with. One of sounds
            and words knows no pictures, and takes no bridges.
        unet: the denoiser.
        scheduler: any diffusers scheduler that fits the U-Net's noise process.
        vocoder: log-mel => wave.
        pd, sd: diffusion priors, pretrained on captioned pictures and trained on the model's own data.
        shift, linear, retrieval: bridges that need no training.
        bridge: the one that a call uses that names none; `zs` asks with the text embedding as it is.
        picture_bridge: the one that pictures are taken over, `retrieval` among pictures; `zs` asks with their
            embedding as it is, as does any call with the bridge `zs`.
        sampling_steps: steps of a call that names none.
        condition: what the U-Net was trained on, `image` or `text`; saved with the model.
        mel, encoder_id: what the U-Net was trained with; saved with the model, checked on loading.
        labels: of the sounds that it was trained on, where they are known; saved with the model.
        familiar_cosine: a prompt whose embedding has a lower cosine with each label's is not familiar to the model.
        tuned_on: the pairs of sounds and captions that it was fine-tuned on, if it was; saved with the model.

    Raises:
        UserError: the parts do not belong together.
    """

    # Named here for type checkers, since diffusers makes them attributes at run time.
    encoder: TextEncoder
    unet: MelUNet
    scheduler: Any
    vocoder: Vocoder
    pd: Bridge | None
    sd: Bridge | None
    shift: Bridge | None
    linear: Bridge | None
    retrieval: Bridge | None
    config: Any

    model_cpu_offload_seq = "encoder->unet->vocoder"
    _optional_components = list(BRIDGES)

    def __init__(
        self,
        encoder: TextEncoder,
        unet: MelUNet,
        scheduler: Any,
        vocoder: Vocoder,
        pd: Bridge | None = None,
        sd: Bridge | None = None,
        shift: Bridge | None = None,
        linear: Bridge | None = None,
        retrieval: Bridge | None = None,
        bridge: str = "zs",
        picture_bridge: str = "zs",
        sampling_steps: int = 30,
        condition: str = "image",
        mel: dict[str, Any] | None = None,
        encoder_id: str | None = None,
        labels: Sequence[str] | None = None,
        familiar_cosine: float | None = None,
        tuned_on: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        bridges = dict(zip(BRIDGES, (pd, sd, shift, linear, retrieval), strict=True))
        check_together(encoder, vocoder, bridges, mel, encoder_id)
        self.register_modules(encoder=encoder, unet=unet, scheduler=scheduler, vocoder=vocoder, **bridges)
        self.compiled: torch.nn.Module | None = None  # asked instead of the U-Net it was made of
        self.check_bridge(bridge)
        self.register_to_config(
            bridge=bridge,
            picture_bridge=picture_bridge,
            sampling_steps=sampling_steps,
            condition=condition,
            mel=MelSettings().model_dump(),
            encoder_id=encoder.id,
            labels=list(labels or ()),
            familiar_cosine=familiar_cosine,
            tuned_on=tuned_on,
        )
        self._label_rows: Tensor | None = None
        self.over_pictures()

    @inference
    def embed(
        self,
        prompt: Sequence[str] | None = None,
        image: Sequence[Image.Image] | None = None,
        *,
        bridge: str | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Float[Tensor, "b d"]:
        """Texts or pictures, taken over a bridge => unit embeddings to ask the U-Net with.

        Args:
            bridge: of texts, one of those in `bridges`; pictures go over the model's own or, with `zs`, none.
            generators: one a text, for the bridges that draw.

        Raises:
            UserError: the model lacks the bridge, or its encoder knows no pictures.
        """
        if prompt is None:
            with ENCODING:
                rows = self.sees().encode_image(list(image or []))
            over = self.over_pictures() if bridge != "zs" else None
            return rows if over is None else over.to(rows.device).over(rows)
        chosen = self.check_bridge(self.config.bridge if bridge is None else bridge)
        with ENCODING:
            if chosen is None:
                return self.encoder.encode_text(list(prompt))
            both = self.encoder.encode_tokens(["", *prompt])
        device = both.projection.device
        rows = chosen.to(device).sample(both[1:], both[:1], one_each(generators, len(prompt)))
        return rows.to(device)

    @inference
    def understand(self, prompts: Sequence[str]) -> list[Understanding]:
        """Return what of each prompt the encoder reads, and the training labels nearest to it."""
        with ENCODING:
            if self._label_rows is None:
                self._label_rows = embed_labels(self.encoder, self.config.labels)
            threshold = self.config.familiar_cosine
            return understand(self.encoder, prompts, self.config.labels, self._label_rows, threshold)

    def over_pictures(self) -> Retrieval | None:
        """The bridge that pictures are taken over, if there is one.

        Raises:
            UserError: the model lacks it, or it is from words.
        """
        bridge = self.check_bridge(self.config.picture_bridge)
        return None if bridge is None else among_pictures(bridge)

    def sees(self) -> Encoder:
        """The encoder, if it knows pictures.

        Raises:
            UserError: it knows sounds and words only.
        """
        if not isinstance(self.encoder, Encoder):
            raise UserError(f"the model's encoder {self.encoder.id} knows no pictures; ask with a text")
        return self.encoder

    @property
    def bridges(self) -> list[str]:
        """Names of the bridges this model has; `zs` needs none and is always there."""
        return ["zs", *(name for name in BRIDGES if getattr(self, name) is not None)]

    def check_bridge(self, name: str) -> Bridge | None:
        """The bridge of that name; None for `zs`.

        Raises:
            UserError: the model has no such bridge.
        """
        if name not in self.bridges:
            raise UserError(f"the model has no bridge '{name}'; it has {', '.join(self.bridges)}")
        return None if name == "zs" else getattr(self, name)

    @property
    def components(self) -> dict[str, Any]:
        """Parts and settings by name: `CLIPSonicPipeline(**pipeline.components)` is the same model again."""
        settings = self._get_signature_keys(self)[1]
        return super().components | {name: self.config[name] for name in settings}

    @property
    def device(self) -> torch.device:
        """Where the U-Net is."""
        return self.unet.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the U-Net."""
        return self.unet.dtype

    def to(
        self: AnyModel,
        *args: str | int | torch.device | torch.dtype,
        device: str | int | torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> AnyModel:
        """Move all parts to a device, or the U-Net to a floating-point precision, in place, and return the model.

        The other parts stay in single precision, as with `from_pretrained`.

        Raises:
            UserError: torch cannot use the device here, or the precision is not of floating point.
        """
        for each in args:
            if isinstance(each, torch.dtype):
                dtype = each
            else:
                device = each
        if dtype is not None:
            check_precision(dtype)
        if device is not None:
            try:
                torch.empty(1, device=device)
            except (RuntimeError, AssertionError, TypeError) as error:
                raise UserError(
                    f"device must be one that torch can use here, such as cpu, got {device}"
                ) from error
            super().to(device)
        if dtype is not None:
            torch.nn.Module.to(
                self.unet, dtype
            )  # diffusers' own `to` warns of layers to keep, and there are none
        return self

    @classmethod
    @single_precision
    def from_pretrained(
        cls: type[AnyModel],
        model: str | Path,
        dtype: torch.dtype | None = None,
        *,
        torch_dtype: torch.dtype | None = None,
        **parts: Any,
    ) -> AnyModel:
        """Load `mini` (shipped), a folder, or a hub id if network or the hub's cache has it.

        Args:
            dtype: precision of the U-Net (float32); the other parts stay in single precision.
            torch_dtype: the same under diffusers' older name.
            parts: components and settings to use instead of the folder's, by name, such as `scheduler`.

        Raises:
            UserError: there is no such model, a file of it is missing or damaged, it is not of this system, or an
                argument is unknown.
        """
        if dtype is not None and torch_dtype is not None and dtype != torch_dtype:
            raise UserError(f"dtype and torch_dtype are the same argument, got {dtype} and {torch_dtype}")
        precision = check_precision(dtype or torch_dtype or torch.float32)
        expected, settings = cls._get_signature_keys(cls)
        for name in parts:
            if name not in (known := [*expected, *settings]):
                raise UserError(
                    f"from_pretrained has no argument {name}; components and settings are {', '.join(known)}"
                )
        loaded, settings = load_parts(resolve(str(model)), precision, parts)
        pipeline = cls(**{**settings, **loaded})
        pipeline.unet.to(memory_format=torch.channels_last).eval()  # faster on processors and GPUs alike
        return pipeline

    def save(self, folder: Path, half: bool = False) -> None:
        """Saves the model folder, whole or not at all, in place of what was there; `half` for float16 weights."""
        if folder.exists() and any(folder.iterdir()) and not (folder / "model_index.json").exists():
            raise UserError(f"{folder} holds something else than a model; name another folder")
        aside = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        parts = self.components
        if half:
            parts["unet"] = copy.deepcopy(self.unet).half()
        type(self)(**parts).save_pretrained(aside)
        take_place(aside, folder)

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> None:
        """Save the model folder as diffusers does, in safetensors; `save` is the same, whole or not at all.

        Args:
            options: diffusers' own, such as `max_shard_size`.

        Raises:
            UserError: the encoder is no longer the one that the U-Net was trained with.
        """
        if self.encoder.id != self.config.encoder_id:
            raise UserError(
                f"the encoder's weights or precision changed: it is {self.encoder.id}, and the U-Net was trained "
                f"with {self.config.encoder_id}; such a model could not be loaded"
            )
        super().save_pretrained(save_directory, **{**options, "safe_serialization": True})


def check_precision(dtype: torch.dtype) -> torch.dtype:
    """Return the precision of a network, if it is one.

    Raises:
        UserError: it is no floating-point type of torch.
    """
    if dtype not in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        raise UserError(f"dtype must be torch.float32, torch.bfloat16 or torch.float16, got {dtype}")
    return dtype
