"""The command `clipsonic`: what can be asked, and how errors are told. The work is done in the files beside it.

Imports nothing heavy: `clipsonic --help` answers at once.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from clipsonic.errors import UserError
from clipsonic.interfaces.cli_data import catalogue_app
from clipsonic.interfaces.cli_evaluate import evaluate_app
from clipsonic.interfaces.cli_models import models_app
from clipsonic.interfaces.cli_train import train_app
from clipsonic.interfaces.options import Debug

app = typer.Typer(
    name="clipsonic",
    help="Sound for a word or a picture, learnt from unlabelled videos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(train_app, name="train")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(models_app, name="models")
app.add_typer(catalogue_app, name="catalogue")


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
    video: Annotated[
        Path | None,
        typer.Option(
            help="Make the sound of this video, as long as it is; -o out.mp4 puts it in, out.wav not."
        ),
    ] = None,
    frames: Annotated[
        str,
        typer.Option(help="Of the video: follow its pictures, their mean, or hold the one at that second."),
    ] = "follow",
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="W W ...", help="Of a mixture: one number each for texts, pictures and the video."
        ),
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
    vocoder: Annotated[
        str | None,
        typer.Option(
            help="From mel to sound: a vocoder's folder, or griffin-lim; the model's own unless told."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="WAV, FLAC or OGG, with --video also MP4, MOV, MKV or WebM; named after the query unless told. "
            "PNG and JSON beside it.",
        ),
    ] = None,
    onward: Annotated[
        Path | None, typer.Option("--continue", help="Go on from this sound by --seconds.")
    ] = None,
    base: Annotated[
        Path | None, typer.Option("--from", help="Vary this sound, or --fill a gap in it.")
    ] = None,
    strength: Annotated[
        float, typer.Option(help="How far to go from the sound of --from; 1 begins anew.")
    ] = 0.5,
    fill: Annotated[
        str | None,
        typer.Option(metavar="START:END", help="Seconds of the sound of --from to make anew."),
    ] = None,
    guidance_scale: Annotated[
        float, typer.Option(help="How strictly to follow the query; 1 is no guidance.")
    ] = 1.5,
    guidance_interval: Annotated[
        tuple[float, float],
        typer.Option(
            metavar="LOW HIGH",
            help="Guide between these shares of the noise only, 0 (clean) to 1 (noise); steps outside cost half.",
        ),
    ] = (0.0, 1.0),
    steps: Annotated[
        int | None, typer.Option(help="Sampling steps; the model's own number unless told.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="ddpm, ddim, dpm++ or unipc; the model's own unless told.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="Length, 0.1 to 600; 4.096, or that of --from or --video, unless told; of a video, its beginning."
        ),
    ] = None,
    rate: Annotated[int, typer.Option(help="Hz of the file; other than 16000 is resampled.")] = 16_000,
    peak: Annotated[float | None, typer.Option(help="Largest sample, dB of full scale, such as -1.")] = None,
    lufs: Annotated[float | None, typer.Option(help="Loudness by EBU R 128, such as -23.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same sound; drawn unless told.")
    ] = None,
    number: Annotated[int, typer.Option("-n", help="How many sounds; they take the seeds from SEED on.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps.")] = "cpu",
    prompts_file: Annotated[
        Path | None,
        typer.Option(
            "--prompts",
            help="Many: a .txt with a prompt a line, or .csv or .jsonl with prompt, image, video, seed, ... a row.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the clips of --prompts.")] = None,
    ending: Annotated[
        str, typer.Option("--format", help="Of the clips of --prompts: wav, flac, ogg.")
    ] = "wav",
    processes: Annotated[int, typer.Option(help="For --prompts; each has the model in memory.")] = 1,
    precision: Annotated[
        str, typer.Option(help="Of the U-Net: float32, or bfloat16, faster where the processor knows it.")
    ] = "float32",
    backend: Annotated[
        str, typer.Option(help="Of the U-Net: torch, or openvino, compiled once and kept in the cache.")
    ] = "torch",
    debug: Debug = False,
) -> None:
    """Make a sound for a text, a picture, or a mixture of them."""
    from clipsonic.interfaces.start import uncollected

    with uncollected():
        from clipsonic.interfaces.asking import Asked, Query, given
        from clipsonic.interfaces.engine import Engine, Sampling
        from clipsonic.interfaces.generate import run
        from clipsonic.interfaces.settings import numbers
        from clipsonic.interfaces.writing import Finish

    asked = Asked(
        Query(
            prompts or [],
            image or [],
            video,
            numbers("--weights", weights),
            negative,
            to,
            interpolate,
            bridge,
            frames,
        ),
        Sampling(guidance_scale, guidance_interval, steps, seconds),
        given(onward, base, fill, strength),
        Finish(rate, peak, lufs),
        output,
        seed,
        number,
    )
    engine = Engine(model, vocoder, scheduler, device, precision, backend)
    if prompts_file is None:
        run(asked, engine)
        return
    from clipsonic.interfaces import batch
    from clipsonic.interfaces.asking import check_many

    batch.run(prompts_file, asked, check_many(asked, out, ending), f".{ending}", engine, processes)


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


@app.command()
def reproduce(
    out: Annotated[Path, typer.Option(help="Folder of the reproduction; report.html is in it at the end.")],
    preset: Annotated[str, typer.Option(help="mini, music or vggsound.")] = "mini",
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A prepared data set with labels and held-out clips, or videos to make one of."),
    ] = None,
    captions: Annotated[
        Path | None, typer.Option(help="List of captioned pictures, to train the prior of PD on.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A model to measure, instead of the preset's or of training one.")
    ] = None,
    vocoder: Annotated[
        str | None, typer.Option(help="A vocoder's folder, instead of the model's own.")
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
    device: Annotated[
        str, typer.Option(help="Where the systems answer, such as cuda; what measures them stays on the cpu.")
    ] = "cpu",
    debug: Debug = False,
) -> None:
    """Train what is missing, measure Tables 1, 2 and 5 and Fig. 3 of the paper, and write one HTML report."""
    from clipsonic.interfaces.reproduce.run import run

    run(preset, change or [], data or [], captions, model, vocoder, system or [], out, dry_run, device)


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
