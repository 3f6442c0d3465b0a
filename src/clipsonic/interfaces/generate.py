"""`clipsonic generate`: a query => sound file, picture and sidecar."""

import secrets
from pathlib import Path
from typing import Any

from clipsonic.interfaces.answering import answer
from clipsonic.interfaces.asking import Asked
from clipsonic.interfaces.engine import Engine
from clipsonic.interfaces.naming import companions
from clipsonic.interfaces.progress import bar
from clipsonic.interfaces.start import absent, uncollected
from clipsonic.interfaces.stopping import unbroken
from clipsonic.interfaces.telling import made, note
from clipsonic.interfaces.writing import write_clip


def run(asked: Asked, engine: Engine) -> None:
    """Generates and writes; what can be refused is refused before the model is loaded."""
    paths = asked.check()
    with uncollected():
        engine.check(asked.query.bridge)
        # A fifth of all imports, for beta-distributed noise levels that no model here has.
        with absent("scipy"):
            from clipsonic.interfaces.sidecar import describe, remarks
            from clipsonic.pipeline import BATCH
        pipeline, bridge = engine.load(asked.query.bridge)
    pipeline.check_inputs(None, None, num_inference_steps=asked.sampling.steps)
    if asked.query.images or asked.query.video is not None:
        pipeline.sees()
    understood = remarks(pipeline, asked.query)
    for line in understood["notes"]:
        note(line)
    first_seed = secrets.randbelow(2**31) if asked.seed is None else asked.seed
    with bar("steps") as progress:
        steps = asked.sampling.steps or pipeline.config.sampling_steps
        task = progress.add_task("generating", total=steps * -(-len(paths) // BATCH), note="")
        answers = answer(
            pipeline, bridge, asked, first_seed, lambda step: progress.update(task, completed=step)
        )
    about = describe(pipeline, bridge, asked, engine) | understood
    for path, (audio, mel, page) in zip(paths, answers, strict=True):
        with unbroken():
            page = write_clip(path, audio, mel, about | page, asked.finish, asked.query.video)
        if missed := asked.finish.missed(page):
            note(f"{path}: {missed}")
        made(*about_clip(path, page))


def about_clip(path: Path, page: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """A clip's files, seed and seconds, for programs and in a line."""
    picture, sidecar = companions(path)
    files = {"file": str(path), "picture": str(picture), "sidecar": str(sidecar)}
    numbers = {name: page[name] for name in ("query", "seed", "seconds")}
    return files | numbers, f"{path}  {picture.name}  {sidecar.name}  seed {page['seed']}"
