"""A model on disk: where it is found, and the checks before anything of it is loaded."""

import json
from pathlib import Path

from clipsonic.errors import UserError

SHIPPED = Path(__file__).parent / "weights"

# What a folder may name; loading imports nothing else.
PARTS = {
    "encoder": {"MiniEncoder", "CLIPEncoder"},
    "unet": {"MelUNet"},
    "vocoder": {"GriffinLim"},
    "scheduler": {
        "DDPMScheduler",
        "DDIMScheduler",
        "DPMSolverMultistepScheduler",
        "UniPCMultistepScheduler",
    },
}
WEIGHTS = "diffusion_pytorch_model.safetensors"


def resolve(model: str) -> Path:
    """`mini`, a folder or a hub id => a folder.

    Raises:
        UserError: there is no such model here, and the hub does not give it.
    """
    if (SHIPPED / model / "model_index.json").exists():
        return SHIPPED / model
    if Path(model).is_dir():
        return Path(model)
    looks_like_id = model.count("/") == 1 and not model.startswith((".", "/", "~"))
    if not looks_like_id:
        raise UserError(f"no model folder {model}; shipped with clipsonic: {', '.join(shipped()) or 'none'}")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=["*.json", "*.safetensors", "*.txt"]))
    except Exception as error:  # the hub's client has a family of its own
        reason = str(error).splitlines()[0]
        raise UserError(f"no folder {model} here, and the hub does not give it: {reason}") from error


def shipped() -> list[str]:
    """Names of the models inside the package."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/model_index.json"))


def check_folder(folder: Path) -> None:
    """Refuses a folder that is not whole or that names parts of another system.

    Raises:
        UserError: with the file or the name at fault.
    """
    index = folder / "model_index.json"
    if not index.exists():
        raise UserError(f"{folder} is no model folder: it has no model_index.json")
    try:
        page = json.loads(index.read_bytes())
        named = {part: page[part][1] for part in PARTS}
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(f"{index} is damaged or of another kind of model ({error!r})") from error
    if page.get("_class_name") != "CLIPSonicPipeline":
        raise UserError(f"{folder} holds a {page.get('_class_name')}, not a CLIPSonicPipeline")
    for part, name in named.items():
        library = str(page[part][0])
        if name not in PARTS[part] or library.split(".")[0] not in ("clipsonic", "diffusers"):
            raise UserError(
                f"{index} names {library}.{name} as its {part}; known are {', '.join(sorted(PARTS[part]))}"
            )
        files = ["scheduler_config.json"] if part == "scheduler" else ["config.json", WEIGHTS]
        for file in files:
            if not (folder / part / file).is_file():
                raise UserError(f"the model {folder} lacks {part}/{file}; fetch or export it again")
