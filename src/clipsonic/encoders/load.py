"""An encoder's folder => the encoder."""

import json
from pathlib import Path

from clipsonic.encoders.base import Encoder
from clipsonic.encoders.clip import CLIPEncoder
from clipsonic.encoders.mini import MiniEncoder
from clipsonic.errors import UserError, first_line

KINDS: dict[str, type[Encoder]] = {"CLIPEncoder": CLIPEncoder, "MiniEncoder": MiniEncoder}


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
