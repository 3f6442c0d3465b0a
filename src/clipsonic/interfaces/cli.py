"""The command `clipsonic`: what can be asked, and what its exit codes are. The work is done in the files beside it.

Imports nothing heavy: `clipsonic --help` answers at once.
"""

import errno
import io
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from clipsonic.errors import UserError
from clipsonic.files import ensure_cache
from clipsonic.interfaces import telling
from clipsonic.interfaces.choices import REPRODUCTIONS, SHELLS, among, models
from clipsonic.interfaces.cli_data import catalogue_app
from clipsonic.interfaces.cli_evaluate import evaluate_app
from clipsonic.interfaces.cli_generate import EXAMPLES, generate
from clipsonic.interfaces.cli_listen import listen_app
from clipsonic.interfaces.cli_models import models_app
from clipsonic.interfaces.cli_serve import SERVE_EXAMPLES, serve
from clipsonic.interfaces.cli_train import train_app
from clipsonic.interfaces.options import Device, Program, Ray, examples, exit_codes
from clipsonic.interfaces.stopping import terminable
from clipsonic.interfaces.threads import share_cores

COMPLETING = "_CLIPSONIC_COMPLETE"  # set by the shell that asks what could come next

app = typer.Typer(
    name="clipsonic",
    cls=Program,
    epilog=exit_codes(),
    help="Sound for a word or a picture, learnt from unlabelled videos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(epilog=EXAMPLES)(generate)
app.command(epilog=SERVE_EXAMPLES)(serve)
app.add_typer(train_app, name="train")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(models_app, name="models")
app.add_typer(catalogue_app, name="catalogue")
app.add_typer(listen_app, name="listen")


def _version(asked: bool) -> None:
    if asked:
        from clipsonic import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Options of every command."""


@app.command(
    epilog=examples(
        "prepare videos/ --out data",
        "prepare list.csv --out data --clip-seconds 5 --workers 2",
        "prepare videos/ --out data --json --quiet",
    )
)
def prepare(
    videos: Annotated[
        list[Path], typer.Argument(help="Video files, folders of them, or CSV lists with a column path.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the prepared data set.")],
    encoder: Annotated[
        str,
        typer.Option(
            help="A model folder or 'mini' whose encoder to use, or a CLIP or PE-AV by its hub id or folder.",
            autocompletion=models,
        ),
    ] = "mini",
    clip_seconds: Annotated[float, typer.Option(help="Length of a clip.")] = 10.0,
    workers: Annotated[int | None, typer.Option(help="Reader processes; one a core unless told.")] = None,
    ray: Ray = None,
    device: Device = "cpu",
) -> None:
    """Turn videos into a data set to train on; the same command goes on where it was stopped."""
    from clipsonic.interfaces.prepare import run

    run(videos, out, encoder, clip_seconds, workers, ray, device)


@app.command(
    epilog=examples(
        "reproduce --data data --out work --dry-run",
        "reproduce --preset mini --data data --out work",
        "reproduce --data data --out work --set clips=64 --system other=sounds/",
    )
)
def reproduce(
    out: Annotated[Path, typer.Option(help="Folder of the reproduction; report.html is in it at the end.")],
    preset: Annotated[
        str, typer.Option(help="mini, music or vggsound.", autocompletion=among(REPRODUCTIONS))
    ] = "mini",
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A prepared data set with labels and held-out clips, or videos to make one of."),
    ] = None,
    captions: Annotated[
        Path | None, typer.Option(help="List of captioned pictures, to train the prior of PD on.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A model to measure, instead of the preset's or of training one.", autocompletion=models
        ),
    ] = None,
    vocoder: Annotated[
        str | None,
        typer.Option(help="A vocoder's folder or griffin-lim (the model's own, or one trained here)."),
    ] = None,
    trained: Annotated[
        list[str] | None,
        typer.Option(
            help="A part trained elsewhere: STEP=FOLDER with clip-words, clap-words, sd or pd, such as "
            "sd=run/model. May be repeated."
        ),
    ] = None,
    imagehear: Annotated[
        Path | None, typer.Option(help="Folder of ImageHear's pictures, for IQ to answer and to be measured.")
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option(help="Another system's sounds: NAME=FOLDER with an index.csv; may be repeated."),
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: clips=64. May be repeated.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and its costs, and stop.")
    ] = False,
    device: Device = "cpu",
) -> None:
    """Train what is missing, measure Tables 1, 2 and 5 and Fig. 3 of the paper, and write one HTML report."""
    if dry_run:
        telling.note("counting the operations of each step ...")  # the networks take seconds to import
    from clipsonic.interfaces.reproduce.run import run

    run(
        preset,
        change or [],
        data or [],
        captions,
        model,
        vocoder,
        system or [],
        out,
        dry_run,
        device,
        trained or [],
        imagehear,
    )


@app.command(
    epilog=examples(
        "completion bash > ~/.local/share/bash-completion/completions/clipsonic",
        "completion zsh > ~/.zfunc/_clipsonic",
        "completion fish > ~/.config/fish/completions/clipsonic.fish",
    )
)
def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.", autocompletion=among(SHELLS))],
) -> None:
    """Print a script for your shell that completes commands, options and names on Tab."""
    if shell not in SHELLS:
        raise UserError(f"no completion for '{shell}'; choose one of {', '.join(SHELLS)}")
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # not in its __all__

    script = get_completion_script(prog_name="clipsonic", complete_var=COMPLETING, shell=shell)
    telling.show({"shell": shell, "script": script}, script)


def gather_numbers(words: list[str], option: str = "--weights") -> list[str]:
    """Words of a command line => the same with the numbers after the option as one word: `--weights 0.7 0.3`."""
    if option not in words:
        return words
    start = words.index(option) + 1
    end = start
    while end < len(words) and _is_number(words[end]):
        end += 1
    return words if end == start else [*words[:start], " ".join(words[start:end]), *words[end:]]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def main() -> None:
    """Run the command line; `EXIT_CODES` says how it ends."""
    _open_streams()
    words = gather_numbers(sys.argv[1:])
    telling.begin(words)
    ensure_cache()
    if not telling.manner.debug:
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
        os.environ.setdefault("HF_HUB_VERBOSITY", "error")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # a font cache, a folder that is not there
        if not sys.warnoptions:  # what the libraries warn each other of is not the user's to mend
            warnings.simplefilter("ignore")
            os.environ.setdefault("PYTHONWARNINGS", "ignore")  # of worker processes
    if COMPLETING in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]  # not in its __all__

        completion_init()
    else:
        share_cores()
    with terminable():
        code = _run(words)
    if code:
        sys.exit(code)


def _open_streams() -> None:
    """Make output possible that was closed, or whose encoding lacks a character: that is written as an escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started the program
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run(words: Sequence[str]) -> int:
    """Runs a command and tells what ended it => the exit code."""
    as_json = telling.manner.as_json
    code = 0
    try:
        code = app(list(words), prog_name="clipsonic", standalone_mode=not as_json) or 0
    except SystemExit as end:  # typer's, which has told why
        code = int(end.code or 0)
    except UserError as error:
        if telling.manner.debug:
            raise
        telling.error(str(error))
        code = 2
    except OSError as error:
        if error.errno != errno.ENOSPC or telling.manner.debug:
            raise
        telling.forsake_output()  # the help's, which is not written by us
        telling.error(f"cannot write: {error.strerror}")
        code = 2
    except Exception as error:
        if not as_json or not hasattr(error, "format_message"):  # what typer has against the words
            raise
        telling.error(error.format_message())
        code = int(getattr(error, "exit_code", 2))
    if code == 130:
        telling.error("stopped")
    try:
        sys.stdout.flush()
    except OSError:  # of help: whoever read it has gone, such as head
        telling.forsake_output()
        code = code or 1
    return code


if __name__ == "__main__":
    main()
