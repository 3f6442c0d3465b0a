"""What a model folder holds: which classes may be loaded from it, and whether they belong together."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from clipsonic.bridges.base import Bridge
from clipsonic.bridges.load import KINDS as BRIDGE_KINDS
from clipsonic.config import MelSettings
from clipsonic.diffusion.sampling import SOLVERS
from clipsonic.diffusion.unet import MelUNet
from clipsonic.encoders.base import Encoder, TextEncoder
from clipsonic.encoders.load import AUDIO_KINDS, KINDS
from clipsonic.errors import UserError, first_line
from clipsonic.model_folder import check_folder
from clipsonic.vocoder.base import Vocoder, check_mel
from clipsonic.vocoder.load import KINDS as VOCODER_KINDS

PARTS: dict[str, dict[str, Any]] = {  # what a model folder may hold, and nothing else
    "encoder": {**KINDS, **AUDIO_KINDS},
    "unet": {"MelUNet": MelUNet},
    "scheduler": {kind.__name__: kind for kind, _ in SOLVERS.values()},
    "vocoder": dict(VOCODER_KINDS),
}
BRIDGES = ("pd", "sd", "shift", "linear", "retrieval")  # what may stand beside the text embedding as is, "zs"
PARTS |= {name: dict(BRIDGE_KINDS) for name in BRIDGES}


def check_together(
    encoder: TextEncoder,
    vocoder: Vocoder,
    bridges: Mapping[str, Bridge | None],
    mel: dict[str, Any] | None,
    encoder_id: str | None,
) -> None:
    """Refuses parts that were made for others.

    Args:
        mel, encoder_id: what the U-Net was trained with, where that is known.

    Raises:
        UserError: with the two that do not fit.
    """
    if mel is not None and mel != MelSettings().model_dump():
        raise UserError(
            "the model was trained on another mel spectrogram than this version of clipsonic makes"
        )
    check_mel(vocoder)
    if encoder_id is not None and encoder_id != encoder.id:
        raise UserError(
            f"the model was trained with encoder {encoder_id}, and cannot be asked with {encoder.id}"
        )
    for name, each in bridges.items():
        if each is not None and not isinstance(encoder, Encoder):
            raise UserError(
                f"the bridge {name} leads to pictures, and the model's encoder {encoder.id} knows none; "
                "ask it with the text as it is (zs)"
            )
        made_with = each.config.get("encoder_id") if each is not None else None
        if made_with not in (None, encoder.id):
            raise UserError(f"the bridge {name} was trained with encoder {made_with}, not with {encoder.id}")
        if each is not None and each.embedding_dim != encoder.embedding_dim:
            raise UserError(
                f"the bridge {name} was made for embeddings of {each.embedding_dim} numbers, and {encoder.id} "
                f"gives {encoder.embedding_dim}"
            )


def load_parts(
    folder: Path, dtype: torch.dtype, given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A model folder => its components and its settings, as arguments of the pipeline.

    Args:
        dtype: precision of the U-Net; the other parts stay in single precision.
        given: components to take instead of the folder's.

    Raises:
        UserError: a file is missing or damaged, or it is not of this system.
    """
    parts = dict(given)
    page = check_folder(folder, PARTS, PARTS.keys() - BRIDGES)
    for part, kinds in PARTS.items():
        if part not in parts and page.get(part, [None])[0] is not None:
            try:
                kind = kinds[page[part][1]]
                weights = {"dtype": dtype if part == "unet" else torch.float32, "use_safetensors": True}
                parts[part] = kind.from_pretrained(folder / part, **({} if part == "scheduler" else weights))
            except Exception as error:  # torch, diffusers and safetensors each have errors of their own
                reason = first_line(error)
                raise UserError(f"the {part} of model {folder} cannot be loaded: {reason}") from error
    settings = {name: page[name] for name in ("sampling_steps", "mel", "encoder_id")}
    unless_told: dict[str, Any] = {"bridge": "zs", "picture_bridge": "zs", "condition": "image"}
    unless_told |= {"labels": None, "familiar_cosine": None, "tuned_on": None}
    settings |= {name: page.get(name, other) for name, other in unless_told.items()}
    labels = settings["labels"]
    if labels is not None and not (
        isinstance(labels, list) and all(isinstance(label, str) for label in labels)
    ):
        raise UserError(f"labels in {folder / 'model_index.json'} must be a list of texts, got {labels!r}")
    return parts, settings


def bridges_of(folder: Path) -> dict[str, Any]:
    """The bridges of a model folder, and which of them are its own choice, as arguments of the pipeline."""
    index = folder / "model_index.json"
    if not index.exists():
        return {}
    page = json.loads(index.read_bytes())
    named = {name: page[name][1] for name in BRIDGES if page.get(name, [None])[0]}
    bridges: dict[str, Any] = {
        name: BRIDGE_KINDS[kind].from_pretrained(folder / name, use_safetensors=True)
        for name, kind in named.items()
    }
    return bridges | {name: page.get(name, "zs") for name in ("bridge", "picture_bridge")}
