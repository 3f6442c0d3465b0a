"""A folder => the vocoder it holds, and the vocoder of a model."""

import json
from pathlib import Path

import torch

from clipsonic.errors import UserError, first_line
from clipsonic.model_folder import INDEX, SHIPPED, WEIGHTS
from clipsonic.vocoder.base import Vocoder
from clipsonic.vocoder.bigvgan import BigVGAN
from clipsonic.vocoder.fourier import FourierVocoder
from clipsonic.vocoder.griffin_lim import GriffinLim

KINDS: dict[str, type[Vocoder]] = {kind.__name__: kind for kind in (GriffinLim, BigVGAN, FourierVocoder)}
WITHOUT_WEIGHTS = "griffin-lim"  # the word for the one vocoder that needs no folder


def load_vocoder(source: str) -> Vocoder:
    """Load a vocoder.

    Args:
        source: a folder as `clipsonic train vocoder` and `models convert-vocoder` leave it, a model (a folder,
            or the name of one that is shipped) whose vocoder is taken, or `griffin-lim`.

    Raises:
        UserError: there is none, it is damaged, or it holds something else.
    """
    if source == WITHOUT_WEIGHTS:
        return GriffinLim()
    folder = Path(source)
    model = SHIPPED / source if (SHIPPED / source / INDEX).is_file() else folder
    if (model / INDEX).is_file():
        return vocoder_of(model)
    for file in ("config.json", WEIGHTS):
        if not (folder / file).is_file():
            raise UserError(f"no vocoder in {folder}: it has no {file}")
    try:
        name = json.loads((folder / "config.json").read_bytes())["_class_name"]
        kind = KINDS.get(name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}/config.json is damaged or of something else ({error!r})") from error
    if kind is None:
        raise UserError(f"{folder} holds {name}, which is no vocoder; known are {', '.join(sorted(KINDS))}")
    try:
        vocoder, found = kind.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # torch, diffusers and safetensors each have errors of their own
        raise UserError(f"the vocoder {folder} cannot be loaded: {first_line(error)}") from error
    wrong = sorted({*found["missing_keys"], *found["unexpected_keys"]})
    if wrong:
        raise UserError(
            f"the vocoder {folder} has {len(wrong)} weights missing or unknown, such as {wrong[0]}"
        )
    vocoder.register_to_config(_name_or_path="")  # where it lay on this machine is nobody's business
    return vocoder


def vocoder_of(model: Path) -> Vocoder:
    """Load the vocoder of a model folder; Griffin-Lim where there is no model yet.

    Raises:
        UserError: it is damaged.
    """
    return load_vocoder(str(model / "vocoder") if (model / "vocoder").exists() else WITHOUT_WEIGHTS)
