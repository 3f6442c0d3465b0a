"""A name or an encoder's folder => the encoder."""

import json
from pathlib import Path
from typing import Any

import torch

from clipsonic.encoders.base import AudioEncoder, Encoder
from clipsonic.encoders.clap import CLAPEncoder
from clipsonic.encoders.clip import CLIPEncoder
from clipsonic.encoders.mini import MiniEncoder
from clipsonic.encoders.mini_audio import MiniAudioEncoder
from clipsonic.encoders.pe_av import MODEL_TYPE as PE_AV
from clipsonic.encoders.pe_av import PEAVAudioEncoder, PEAVEncoder
from clipsonic.errors import UserError, first_line
from clipsonic.model_folder import WEIGHTS, hub_file
from clipsonic.published import PUBLISHED, require

KINDS: dict[str, type[Encoder]] = {
    "CLIPEncoder": CLIPEncoder,
    "MiniEncoder": MiniEncoder,
    "PEAVEncoder": PEAVEncoder,
}
AUDIO_KINDS: dict[str, type[AudioEncoder]] = {
    "CLAPEncoder": CLAPEncoder,
    "MiniAudioEncoder": MiniAudioEncoder,
    "PEAVAudioEncoder": PEAVAudioEncoder,
}
PUBLISHED_AUDIO: dict[str, type[CLAPEncoder | PEAVAudioEncoder]] = {
    "clap": CLAPEncoder,
    "pe-av": PEAVAudioEncoder,
}


def load_encoder(folder: Path) -> Encoder:
    """Loads what `Encoder.save_pretrained` wrote.

    Raises:
        UserError: the folder is missing, damaged, or of an unknown kind.
    """
    try:
        kind = json.loads((folder / "config.json").read_bytes())["_class_name"]
        encoder: Encoder = KINDS[kind].from_pretrained(folder, use_safetensors=True)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder} does not hold an encoder ({first_line(error)})") from error
    return encoder


def published_encoder(name: str) -> Encoder:
    """Return the encoder of a hub id or folder in transformers' form: a PE-AV, or else a CLIP or its like.

    Raises:
        UserError: it has no config.json that can be read.
    """
    config = hub_file(name, "config.json")
    return PEAVEncoder(name) if _page(config).get("model_type") == PE_AV else CLIPEncoder(name)


def load_audio_encoder(name: str) -> AudioEncoder:
    """`mini` (shipped), `clap`, `pe-av` (published), or a folder or hub id of these or of ours => the encoder.

    Raises:
        UserError: there is none of that name, or it is damaged.
    """
    if name in PUBLISHED_AUDIO:
        require(name)
        return PUBLISHED_AUDIO[name](PUBLISHED[name].source)
    folder = require("mini-audio") if name == "mini" else Path(name)
    config = hub_file(str(folder), "config.json")
    page = _page(config)
    kind = page.get("_class_name")
    if kind is None:  # as transformers saves it
        return PEAVAudioEncoder(name) if page.get("model_type") == PE_AV else CLAPEncoder(name)
    if kind not in AUDIO_KINDS:
        raise UserError(f"{folder} holds {kind}; language-audio encoders are {', '.join(AUDIO_KINDS)}")
    weights = hub_file(str(folder), WEIGHTS)
    try:
        encoder, found = AUDIO_KINDS[kind].from_pretrained(
            weights.parent, dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # torch, diffusers and safetensors each have errors of their own
        raise UserError(f"the encoder {folder} cannot be loaded: {first_line(error)}") from error
    if wrong := sorted({*found["missing_keys"], *found["unexpected_keys"]}):
        raise UserError(f"the encoder {folder} has weights missing or unknown, such as {wrong[0]}")
    encoder.register_to_config(_name_or_path="")  # where it lay on this machine is nobody's business
    loaded: AudioEncoder = encoder.eval()
    return loaded


def _page(config: Path) -> dict[str, Any]:
    """Load a config.json.

    Raises:
        UserError: it is damaged or holds something else.
    """
    try:
        page: Any = json.loads(config.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{config} is damaged or of something else ({first_line(error)})") from error
    if not isinstance(page, dict):
        raise UserError(f"{config} is damaged or of something else (it holds no settings)")
    return page
