"""The command `clipsonic`: what can be asked, and how errors are told. The work is done in the files beside it.

Imports nothing heavy: `clipsonic --help` answers at once.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from clipsonic.errors import UserError

app = typer.Typer(
    name="clipsonic",
    help="Sound for a word or a picture, learnt from unlabelled videos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
train_app = typer.Typer(help="Train a model on a prepared data set.", no_args_is_help=True)
app.add_typer(train_app, name="train")
evaluate_app = typer.Typer(help="Measure a model.", no_args_is_help=True)
app.add_typer(evaluate_app, name="evaluate")
models_app = typer.Typer(
    help="Published models: what is here, and how to get the rest.", invoke_without_command=True
)
app.add_typer(models_app, name="models")

Debug = Annotated[bool, typer.Option("--debug", help="Show where in the program an error arose.")]


def _version(asked: bool) -> None:
    if asked:
        from clipsonic import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    debug: Debug = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Options of every command."""


@app.command()
def generate(
    prompts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]...", help='What to hear, such as "a photo of a dog"; several are mixed.'
        ),
    ] = None,
    image: Annotated[
        list[Path] | None, typer.Option(help="Ask with this picture, alone or mixed; may be repeated.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="W W ...", help="Of a mixture: one number each, texts before pictures."),
    ] = None,
    negative: Annotated[str | None, typer.Option(help="What it should not sound like.")] = None,
    to: Annotated[str | None, typer.Option(help="Go from the query to this text, in several clips.")] = None,
    interpolate: Annotated[int, typer.Option(help="How many clips on that way.")] = 5,
    bridge: Annotated[
        str | None,
        typer.Option(
            help="From words to pictures: zs (none), pd, sd, shift, linear, retrieval, or the folder or hub id of "
            "a prior; the model's own choice unless told."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A model folder, a hub id, or 'mini'.")] = "mini",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="WAV, FLAC or OGG, named after the query unless told; PNG and JSON beside it.",
        ),
    ] = None,
    guidance_scale: Annotated[
        float, typer.Option(help="How strictly to follow the query; 1 is no guidance.")
    ] = 1.5,
    steps: Annotated[
        int | None, typer.Option(help="Sampling steps; the model's own number unless told.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="ddpm, ddim, dpm++ or unipc; the model's own unless told.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Length of the sound, 0.1 to 30.")] = 4.096,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same sound; drawn unless told.")
    ] = None,
    number: Annotated[int, typer.Option("-n", help="How many sounds; they take the seeds from SEED on.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps.")] = "cpu",
    debug: Debug = False,
) -> None:
    """Make a sound for a text, a picture, or a mixture of them."""
    from clipsonic.interfaces.generate import Query, run
    from clipsonic.interfaces.settings import numbers

    query = Query(
        prompts or [], image or [], numbers("--weights", weights), negative, to, interpolate, bridge
    )
    run(query, model, output, guidance_scale, steps, scheduler, seconds, seed, number, device)


@app.command()
def prepare(
    videos: Annotated[
        list[Path], typer.Argument(help="Video files, folders of them, or CSV lists with a column path.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the prepared data set.")],
    encoder: Annotated[
        str,
        typer.Option(
            help="A model folder or 'mini' whose encoder to use, or a CLIP by its hub id or folder."
        ),
    ] = "mini",
    clip_seconds: Annotated[float, typer.Option(help="Length of a clip.")] = 10.0,
    workers: Annotated[int | None, typer.Option(help="Reader processes; one a core unless told.")] = None,
    debug: Debug = False,
) -> None:
    """Turn videos into a data set to train on; the same command goes on where it was stopped."""
    from clipsonic.interfaces.prepare import run

    run(videos, out, encoder, clip_seconds, workers)


@train_app.command("spectrogram")
def train_spectrogram(
    data: Annotated[Path, typer.Option(help="A prepared data set.")],
    out: Annotated[Path, typer.Option(help="Folder of the run: logs, checkpoint and the finished model.")],
    preset: Annotated[str, typer.Option(help="paper or mini.")] = "mini",
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting: training.batch_size=8. May be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and stop.")] = False,
    debug: Debug = False,
) -> None:
    """Train the diffusion U-Net; the same command goes on where it was stopped."""
    from clipsonic.interfaces.train import run_spectrogram

    run_spectrogram(data, out, preset, change or [], dry_run)


@models_app.callback()
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the published models that clipsonic can use, and where they are."""
    if context.invoked_subcommand is None:
        from clipsonic.interfaces.models import show

        show(as_json)


@models_app.command("fetch")
def models_fetch(
    names: Annotated[list[str], typer.Argument(help="Names from the list, such as clip.")],
    debug: Debug = False,
) -> None:
    """Download models; the same command goes on where it was stopped."""
    from clipsonic.interfaces.models import run_fetch

    run_fetch(names)


@models_app.command("check")
def models_check(
    names: Annotated[list[str] | None, typer.Argument(help="Names from the list; all unless told.")] = None,
    debug: Debug = False,
) -> None:
    """Compare what is here with its checksums."""
    from clipsonic.interfaces.models import run_check

    run_check(names or [])


@models_app.command("convert-vocoder")
def models_convert_vocoder(
    source: Annotated[str, typer.Argument(help="Folder or hub id of a BigVGAN as NVIDIA publishes it.")],
    out: Annotated[Path, typer.Argument(help="Folder of the vocoder.")],
    debug: Debug = False,
) -> None:
    """Turn a published BigVGAN into a vocoder of clipsonic's form."""
    from clipsonic.interfaces.models import run_convert_vocoder

    run_convert_vocoder(source, out)


@train_app.command("prior")
def train_prior(
    out: Annotated[Path, typer.Option(help="Folder of the run: logs, checkpoint and the finished prior.")],
    data: Annotated[
        Path | None,
        typer.Option(help="A prepared data set with labels, to train on its labels and frames (SD)."),
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option(
            help="CSV or JSON lines of pictures with 'path' and 'caption', to train on instead (PD)."
        ),
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="With --captions: a model, encoder folder or CLIP to embed them with.")
    ] = "mini",
    preset: Annotated[str, typer.Option(help="paper or mini.")] = "mini",
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: training.steps=500. May be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and stop.")] = False,
    debug: Debug = False,
) -> None:
    """Train a diffusion prior, from words to pictures; the same command goes on where it was stopped."""
    from clipsonic.interfaces.train_bridges import run_prior

    run_prior(out, data, captions, encoder, preset, change or [], dry_run)


@train_app.command("bridge")
def train_bridge(
    kind: Annotated[str, typer.Argument(help="shift, linear or retrieval.")],
    out: Annotated[Path, typer.Option(help="Folder of the bridge.")],
    data: Annotated[Path | None, typer.Option(help="A prepared data set with labels.")] = None,
    captions: Annotated[Path | None, typer.Option(help="Or a list of captioned pictures.")] = None,
    encoder: Annotated[str, typer.Option(help="With --captions: what to embed them with.")] = "mini",
    keys: Annotated[str, typer.Option(help="Of retrieval: compare with text or image embeddings.")] = "text",
    debug: Debug = False,
) -> None:
    """Compute a bridge that needs no training, from words to pictures."""
    from clipsonic.interfaces.train_bridges import run_bridge

    run_bridge(kind, out, data, captions, encoder, keys)


@evaluate_app.command("gap")
def evaluate_gap(
    data: Annotated[Path, typer.Option(help="A prepared data set with labels and held-out clips.")],
    out: Annotated[Path, typer.Option(help="Folder for gap.json and gap.png.")],
    model: Annotated[str, typer.Option(help="A model folder, a hub id, or 'mini'.")] = "mini",
    bridge: Annotated[
        list[str] | None, typer.Option(help="Only these of the model's bridges; may be repeated.")
    ] = None,
    with_bridge: Annotated[
        list[str] | None,
        typer.Option("--with", help="Add one from elsewhere: NAME=FOLDER, such as sd=run/model."),
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="All but train unless told.")] = None,
    condition_noise: Annotated[
        float | None, typer.Option(help="Also show the cosine that this much noise on the condition leaves.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the bridges that draw.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """The modality gap (Table 2): how near each bridge comes to the true image embeddings."""
    from clipsonic.interfaces.evaluate import run_gap

    run_gap(model, data, out, bridge or [], with_bridge or [], split or [], condition_noise, seed, as_json)


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
    """Runs the command line: 0 done, 2 the user's to mend, 130 stopped by Ctrl-C (typer sees to that)."""
    debug = "--debug" in sys.argv
    if not debug:
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
        os.environ.setdefault("HF_HUB_VERBOSITY", "error")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        app(gather_numbers(sys.argv[1:]))
    except UserError as error:
        if debug:
            raise
        typer.echo(f"clipsonic: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
