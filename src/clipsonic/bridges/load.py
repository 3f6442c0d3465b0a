"""A name or folder => the bridge it holds, of ours or of those that others published."""

import json
from pathlib import Path

from clipsonic.bridges import laion
from clipsonic.bridges.base import Bridge
from clipsonic.bridges.diffusion_prior import DiffusionPrior
from clipsonic.bridges.laion import LAIONPrior, load_laion
from clipsonic.bridges.training_free import LinearMap, MeanShift, Retrieval
from clipsonic.bridges.unclip import KARLO_SCHEDULER, UnCLIPPrior, load_unclip
from clipsonic.errors import UserError, first_line
from clipsonic.model_folder import hub_file

KINDS: dict[str, type[Bridge]] = {
    kind.__name__: kind for kind in (DiffusionPrior, MeanShift, LinearMap, Retrieval, LAIONPrior, UnCLIPPrior)
}
SCHEDULERS = {  # where each publisher keeps the scheduler of the prior in the folder `prior`
    "kakaobrain/karlo-v1-alpha": KARLO_SCHEDULER,
    "kandinsky-community/kandinsky-2-1-prior": "scheduler",
}


def load_bridge(source: str) -> Bridge:
    """A hub id, or a folder laid out as published or as ours => the prior.

    Published ones are `laion/DALLE2-PyTorch`, `kakaobrain/karlo-v1-alpha` and
    `kandinsky-community/kandinsky-2-1-prior`.

    Raises:
        UserError: there is none, it is damaged, or it belongs to another CLIP.
    """
    folder = Path(source)
    if (folder / "config.json").is_file():
        return _load_own(folder)
    if folder.is_dir():
        if (folder / laion.WEIGHTS).is_file():
            config = folder / laion.CONFIG
            return load_laion(folder / laion.WEIGHTS, config if config.is_file() else None)
        for scheduler in SCHEDULERS.values():
            if (folder / scheduler / "scheduler_config.json").is_file():
                return load_unclip(folder / "prior", folder / scheduler)
        raise UserError(
            f"no prior in {folder}: it has neither config.json, nor {laion.WEIGHTS}, nor prior/ with its scheduler"
        )
    if source in SCHEDULERS:
        network = hub_file(source, "prior/config.json").parent
        hub_file(source, "prior/diffusion_pytorch_model.safetensors")
        return load_unclip(network, hub_file(source, f"{SCHEDULERS[source]}/scheduler_config.json").parent)
    if source.startswith("kandinsky-community/kandinsky-2-2"):
        raise UserError(
            f"{source} makes embeddings of CLIP ViT-bigG/14, which mean nothing to a model trained on ViT-L/14; "
            "use kandinsky-community/kandinsky-2-1-prior"
        )
    return load_laion(hub_file(source, laion.WEIGHTS), hub_file(source, laion.CONFIG))


def is_bridge(folder: Path) -> bool:
    """Whether a folder holds a bridge of ours."""
    try:
        page = json.loads((folder / "config.json").read_bytes())
        return page["_class_name"] in KINDS
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _load_own(folder: Path) -> Bridge:
    try:
        kind = json.loads((folder / "config.json").read_bytes())["_class_name"]
        prior: Bridge = KINDS[kind].from_pretrained(folder, use_safetensors=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder} does not hold a prior ({first_line(error)})") from error
    return prior.eval()
