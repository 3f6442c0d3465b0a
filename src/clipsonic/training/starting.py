"""A model folder that training starts from => the settings that its network was trained with."""

import json
import math
from pathlib import Path
from typing import Any

from clipsonic.diffusion.unet import MelUNet
from clipsonic.errors import UserError
from clipsonic.model_folder import INDEX, check_folder
from clipsonic.settings.spectrogram import DiffusionSettings, SpectrogramSettings, UNetSettings


def settings_of(folder: Path, settings: SpectrogramSettings, condition: bool) -> SpectrogramSettings:
    """Return settings with the U-Net's shape, the noise process and what is predicted as in a model.

    Args:
        condition: take what the model's condition was as well.

    Raises:
        UserError: the folder is no model, or a file of it is damaged.
    """
    check_folder(folder, {"unet": {"MelUNet": MelUNet}}, {"unet"})
    try:
        shape = _page(folder / "unet/config.json")
        levels, pixels = shape["down_block_types"], int(shape["in_channels"])
        unet = settings.unet.model_dump() | {
            "fold": math.isqrt(pixels),
            "channels": tuple(shape["block_out_channels"]),
            "blocks": shape["layers_per_block"],
            "attention_levels": tuple(level for level, name in enumerate(levels) if name.startswith("Attn")),
            "attention_heads": shape["block_out_channels"][0] // shape["attention_head_dim"][0],
            "middle_norm": shape.get("middle_norm", False),
        }
        diffusion = settings.diffusion.model_dump() | {
            "learned_variance": shape["out_channels"] == 2 * pixels
        }
        if (noise_file := folder / "scheduler/scheduler_config.json").exists():
            noise = _page(noise_file)
            diffusion |= {"timesteps": noise["num_train_timesteps"], "prediction": noise["prediction_type"]}
        changes: dict[str, Any] = {"unet": UNetSettings(**unet), "diffusion": DiffusionSettings(**diffusion)}
        if condition:
            changes["condition"] = _page(folder / INDEX).get("condition", "image")
        return SpectrogramSettings(**(dict(settings) | changes))
    except (OSError, ValueError, LookupError, TypeError, ZeroDivisionError) as error:
        reason = f"{type(error).__name__} {error}".splitlines()[0]
        raise UserError(f"the settings of model {folder} cannot be read: {reason}") from error


def _page(file: Path) -> dict[str, Any]:
    page = json.loads(file.read_bytes())
    if not isinstance(page, dict):
        raise ValueError(f"{file} must be a JSON object")
    return page
