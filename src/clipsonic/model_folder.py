"""A model on disk: where it is found, and the checks before anything of it is loaded."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from clipsonic.errors import UserError, first_line
from clipsonic.files import whole_folder, write_json

SHIPPED = Path(__file__).parent / "weights"

INDEX = "model_index.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"


def resolve(model: str) -> Path:
    """`mini`, a folder or a hub id => a folder.

    Raises:
        UserError: there is no such model here, and the hub does not give it.
    """
    if (SHIPPED / model / INDEX).exists():
        return SHIPPED / model
    if Path(model).is_dir():
        return Path(model)
    if not is_hub_id(model):
        raise UserError(f"no model folder {model}; shipped with clipsonic: {', '.join(shipped()) or 'none'}")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=["*.json", "*.safetensors", "*.txt"]))
    except Exception as error:  # the hub's client has a family of its own
        raise UserError(
            f"no folder {model} here, and the hub does not give it: {first_line(error)}"
        ) from error


def hub_file(source: str, file: str, revision: str | None = None) -> Path:
    """One file of a published model, from a local folder or the hub (its cache first) => where it is.

    Raises:
        UserError: it is in neither, with the place to put it.
    """
    if Path(source).is_dir():
        path = Path(source) / file
        if not path.is_file():
            raise UserError(f"the folder {source} lacks {file}; place it there as it was published")
        return path
    if not is_hub_id(source):
        raise UserError(f"no folder {source}, and no hub id: those are owner/name")
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(source, file, revision=revision))
    except Exception as error:  # the hub's client has a family of its own
        raise UserError(
            f"{file} of {source} is not here, and the hub does not give it ({first_line(error)}); "
            f"place the published file in a folder of yours and name that folder instead of {source}"
        ) from error


def is_hub_id(name: str) -> bool:
    """`owner/name`, with no folder `owner` here: the only words that make clipsonic ask the network."""
    owner, _, rest = name.partition("/")
    return (
        bool(owner and rest)
        and "/" not in rest
        and owner not in (".", "..", "~")
        and not Path(owner).exists()
    )


def add_part(folder: Path, name: str, part: Any, settings: Mapping[str, Any]) -> None:
    """Saves a component into a model folder and enters it in the folder's page, both or neither.

    Args:
        part: the component, of a class the model may hold.
        settings: entries of `model_index.json` to change with it.
    """
    with whole_folder(folder / name) as aside:
        part.save_pretrained(aside, safe_serialization=True)
        config = aside / "config.json"
        entries = json.loads(config.read_bytes())
        entries.pop("_name_or_path", None)  # where it lay on this machine is nobody's business
        write_json(config, entries)
        index = folder / INDEX
        entry = {name: [type(part).__module__, type(part).__name__]}
        page = json.loads(index.read_bytes()) | entry | settings
        write_json(index, dict(sorted(page.items())))  # what can fail is done when the folder takes its place


def shipped() -> list[str]:
    """Names of the models inside the package."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/model_index.json"))


def check_folder(
    folder: Path, parts: Mapping[str, Mapping[str, type]], required: Collection[str]
) -> dict[str, Any]:
    """Refuses a folder that is not whole or that names parts of another system.

    Args:
        parts: component => the classes it may be of, by name. Nothing else is imported, whatever a folder says.
        required: the components that no model lacks.

    Returns:
        The folder's `model_index.json`.

    Raises:
        UserError: with the file or the name at fault.
    """
    index = folder / INDEX
    if not index.exists():
        raise UserError(f"{folder} is no model folder: it has no model_index.json")
    try:
        page: dict[str, Any] = json.loads(index.read_bytes())
        named = {part: page[part][1] for part in parts if part in required or page.get(part, [None])[0]}
        for setting in ("sampling_steps", "mel", "encoder_id"):
            page[setting]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise UserError(f"{index} is damaged or of another kind of model ({error!r})") from error
    for part, name in named.items():
        if not isinstance(name, str) or name not in parts[part]:
            raise UserError(f"{index} names {name} as its {part}; known are {', '.join(sorted(parts[part]))}")
        files = ["scheduler_config.json"] if part == "scheduler" else ["config.json", WEIGHTS]
        for file in files:
            if not (folder / part / file).is_file():
                raise UserError(f"the model {folder} lacks {part}/{file}; fetch or export it again")
    return page
