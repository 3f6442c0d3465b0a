"""The commands `clipsonic train ...`: their options; the work is done in `train.py` and `train_bridges.py`."""

from pathlib import Path
from typing import Annotated

import typer

from clipsonic.interfaces.choices import (
    AUDIO_ENCODERS,
    FITTED,
    KEYS,
    PRIORS,
    SPECTROGRAMS,
    VOCODERS,
    among,
    models,
)
from clipsonic.interfaces.options import examples

train_app = typer.Typer(help="Train a model, or a part of one.", no_args_is_help=True)


@train_app.command(
    "spectrogram",
    epilog=examples(
        "train spectrogram --preset mini --data data --out run",
        "train spectrogram --preset mini --data data --out tuned --from mini",
        "train spectrogram --pairs pairs.csv --out tuned --from mini --set training.steps=200",
    ),
)
def train_spectrogram(
    out: Annotated[Path, typer.Option(help="Folder of the run: logs, checkpoint and the finished model.")],
    data: Annotated[Path | None, typer.Option(help="A prepared data set.")] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="Or a list of sounds with 'path' and 'caption' (CSV, JSON lines), to fine-tune --from on."
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="paper or mini.", autocompletion=among(SPECTROGRAMS))] = "mini",
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting: training.batch_size=8. May be repeated."),
    ] = None,
    condition_encoder: Annotated[
        str | None,
        typer.Option(
            help="With --set condition=text: what reads the labels (CLAP-TTA): mini, clap, pe-av or a folder.",
            autocompletion=among(("mini", "clap", "pe-av")),
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="A model whose U-Net to go on from, instead of random weights.",
            autocompletion=models,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and stop.")] = False,
) -> None:
    """Train the diffusion U-Net; the same command goes on where it was stopped."""
    from clipsonic.interfaces.train import run_spectrogram

    run_spectrogram(data, pairs, out, preset, change or [], condition_encoder, start, dry_run)


@train_app.command(
    "vocoder",
    epilog=examples(
        "train vocoder --data data --out vocoder",
        "train vocoder --preset paper-base --data sounds/ --out vocoder --dry-run",
    ),
)
def train_vocoder(
    data: Annotated[
        list[Path],
        typer.Option(
            help="A prepared data set, a folder of sound or a CSV list with 'path' and 'split'; may be repeated."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run: logs, checkpoint and the finished vocoder.")],
    preset: Annotated[
        str, typer.Option(help="paper-large, paper-base or mini.", autocompletion=among(VOCODERS))
    ] = "mini",
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: training.steps=500. May be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and stop.")] = False,
) -> None:
    """Train a vocoder, from mel to wave; the same command goes on where it was stopped."""
    from clipsonic.interfaces.train import run_vocoder

    run_vocoder(data, out, preset, change or [], dry_run)


@train_app.command(
    "audio-encoder",
    epilog=examples(
        "train audio-encoder --data data --out ear",
        "train audio-encoder --data data --out ear --set training.steps=500",
    ),
)
def train_audio_encoder(
    data: Annotated[Path, typer.Option(help="A prepared data set with labels.")],
    out: Annotated[Path, typer.Option(help="Folder of the run: logs, checkpoint and the finished encoder.")],
    preset: Annotated[str, typer.Option(help="mini.", autocompletion=among(AUDIO_ENCODERS))] = "mini",
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: training.steps=500. May be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and stop.")] = False,
) -> None:
    """Train a small CLAP, from sounds to their labels; the same command goes on where it was stopped."""
    from clipsonic.interfaces.train import run_audio_encoder

    run_audio_encoder(data, out, preset, change or [], dry_run)


@train_app.command(
    "prior",
    epilog=examples(
        "train prior --data data --out sd",
        "train prior --captions pictures.csv --out pd",
    ),
)
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
        str,
        typer.Option(
            help="With --captions: a model, encoder folder or CLIP to embed them with.", autocompletion=models
        ),
    ] = "mini",
    preset: Annotated[str, typer.Option(help="paper or mini.", autocompletion=among(PRIORS))] = "mini",
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: training.steps=500. May be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and stop.")] = False,
) -> None:
    """Train a diffusion prior, from words to pictures; the same command goes on where it was stopped."""
    from clipsonic.interfaces.train_bridges import run_prior

    run_prior(out, data, captions, encoder, preset, change or [], dry_run)


@train_app.command(
    "bridge",
    epilog=examples(
        "train bridge linear --data data --out linear",
        "train bridge retrieval --captions pictures.csv --out nearest",
        "train bridge retrieval --data data --keys image --centres 100 --out centres",
    ),
)
def train_bridge(
    kind: Annotated[str, typer.Argument(help="shift, linear or retrieval.", autocompletion=among(FITTED))],
    out: Annotated[Path, typer.Option(help="Folder of the bridge.")],
    data: Annotated[Path | None, typer.Option(help="A prepared data set with labels.")] = None,
    captions: Annotated[Path | None, typer.Option(help="Or a list of captioned pictures.")] = None,
    encoder: Annotated[
        str, typer.Option(help="With --captions: what to embed them with.", autocompletion=models)
    ] = "mini",
    keys: Annotated[
        str,
        typer.Option(help="Of retrieval: compare with text or image embeddings.", autocompletion=among(KEYS)),
    ] = "text",
    centres: Annotated[
        int | None,
        typer.Option(min=2, help="With --keys image: store so many centres in place of all pictures."),
    ] = None,
) -> None:
    """Compute a bridge that needs no training, from words to pictures, or from pictures to those it knows."""
    from clipsonic.interfaces.train_bridges import run_bridge

    run_bridge(kind, out, data, captions, encoder, keys, centres)
