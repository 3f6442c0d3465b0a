"""What stands beside a generated file: everything it takes to make it again."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic import __version__
from clipsonic.interfaces.asking import Asked, Query
from clipsonic.interfaces.engine import Engine
from clipsonic.model_folder import WEIGHTS, resolve
from clipsonic.vocoder.griffin_lim import GriffinLim
from clipsonic.vocoder.load import WITHOUT_WEIGHTS

if TYPE_CHECKING:
    from clipsonic.pipeline import CLIPSonicPipeline


def describe(pipeline: "CLIPSonicPipeline", bridge: str, asked: Asked, engine: Engine) -> dict[str, Any]:
    """The request and the parts that answered it, weights by their SHA-256."""
    query, sampling = asked.query, asked.sampling
    model = resolve(engine.model)
    folder = model / "vocoder" if engine.vocoder is None else Path(engine.vocoder)
    without = isinstance(pipeline.vocoder, GriffinLim)
    page: dict[str, Any] = {
        "query": query.title,
        "texts": query.texts,
        "images": [str(image) for image in query.images],
        "video": None if query.video is None else str(query.video),
        "frames": query.frames,
        "weights": query.weights,
        "negative": query.negative,
        "bridge": (query.bridge or bridge) if query.texts or query.negative or query.to else "none",
        "picture_bridge": picture_bridge(pipeline, query.bridge or bridge),
        "model": engine.model,
        "model_sha256": fingerprint(model / "unet" / WEIGHTS),
        "encoder": pipeline.config.encoder_id,
        "condition": pipeline.config.condition,
        "vocoder": type(pipeline.vocoder).__name__,
        "vocoder_from": engine.vocoder or "the model",
        "vocoder_sha256": WITHOUT_WEIGHTS if without else fingerprint(folder / WEIGHTS),
        "scheduler": type(pipeline.scheduler).__name__,
        "guidance_scale": sampling.guidance_scale,
        "guidance_interval": sampling.guidance_interval,
        "steps": sampling.steps or pipeline.config.sampling_steps,
        "precision": engine.precision,
        "backend": engine.backend,
        "clipsonic": __version__,
    }
    return page if query.to is None else page | {"to": query.to}


def remarks(pipeline: "CLIPSonicPipeline", query: Query) -> dict[str, Any]:
    """Return what the model makes of each prompt, and what the user should know of that, a line each."""
    texts = [*query.texts, *(each for each in (query.negative, query.to) if each is not None)]
    found = pipeline.understand(list(dict.fromkeys(texts))) if texts else []
    return {
        "prompts": [each.metadata for each in found],
        "notes": [line for each in found for line in each.notes],
    }


def picture_bridge(pipeline: "CLIPSonicPipeline", bridge: str) -> str:
    """What pictures are taken over in a request with this bridge."""
    return "zs" if bridge == "zs" else str(pipeline.config.picture_bridge)


def fingerprint(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
