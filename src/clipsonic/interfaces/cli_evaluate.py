"""The commands `clipsonic evaluate ...`: their options."""

from pathlib import Path
from typing import Annotated

import typer

from clipsonic.interfaces.choices import BRIDGES, EARS, EYES, SCORERS, among, models
from clipsonic.interfaces.options import Device, examples

evaluate_app = typer.Typer(help="Measure a model, or a folder of sounds.", no_args_is_help=True)


@evaluate_app.command(
    "audio",
    epilog=examples(
        "evaluate audio sounds/ --reference real/ --embedding mini",
        "evaluate audio sounds/ --reference real/ --prompts prompts.csv --json",
    ),
)
def evaluate_audio(
    folder: Annotated[Path, typer.Argument(help="Sounds to measure, of clipsonic or of any other system.")],
    reference: Annotated[Path, typer.Option(help="Folder of real sounds to compare with.")],
    prompts: Annotated[
        Path | None,
        typer.Option(
            help="CSV or JSON lines with 'file', 'prompt' and perhaps 'label' and 'picture' (default: index.csv in "
            "the folder, or the JSON beside each clip)."
        ),
    ] = None,
    embedding: Annotated[
        str,
        typer.Option(
            help="What the Fréchet audio distance hears with: vggish, clap, pe-av, mini or an encoder's folder.",
            autocompletion=among(EARS),
        ),
    ] = "vggish",
    score_with: Annotated[
        str | None,
        typer.Option(
            help="What scores clips against their words: clap, pe-av (also against their pictures), mini, an "
            "encoder's folder or none (default: the embedding, but none for vggish).",
            autocompletion=among(SCORERS),
        ),
    ] = None,
    images_with: Annotated[
        str,
        typer.Option(
            help="What sees the mels for FID: mini, a CLIP's hub id or folder, or none.",
            autocompletion=among(EYES),
        ),
    ] = "mini",
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="All labels to choose from (default: those of the clips); one with commas stands in quotes.",
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="One of the labels to choose from, taken as it is; may be repeated."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for audio.json.")] = None,
    device: Device = "cpu",
) -> None:
    """Sounds against real ones and against their words: FAD, FID of mels, CLAP score, class agreement."""
    from clipsonic.interfaces.evaluate_audio import run_audio, split_labels

    choices = [*split_labels(labels), *(label or [])]
    run_audio(folder, reference, prompts, embedding, score_with, images_with, choices, out, device)


@evaluate_app.command(
    "gap",
    epilog=examples(
        "evaluate gap --data data --out gap",
        "evaluate gap --data data --with sd=sd/model --out gap",
    ),
)
def evaluate_gap(
    data: Annotated[Path, typer.Option(help="A prepared data set with labels and held-out clips.")],
    out: Annotated[Path, typer.Option(help="Folder for gap.json and gap.png.")],
    model: Annotated[
        str, typer.Option(help="A model folder, a hub id, or 'mini'.", autocompletion=models)
    ] = "mini",
    bridge: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these of the model's bridges; may be repeated.", autocompletion=among(BRIDGES)
        ),
    ] = None,
    with_bridge: Annotated[
        list[str] | None,
        typer.Option("--with", help="Add one from elsewhere: NAME=FOLDER, such as sd=run/model."),
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="All but train unless told.")] = None,
    condition_noise: Annotated[
        float | None, typer.Option(help="Also show the cosine that this much noise on the condition leaves.")
    ] = None,
    clips: Annotated[
        int | None, typer.Option(min=1, help="Measure at most so many held-out clips, drawn at random (all).")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the frames and clips drawn, and of bridges that sample.")
    ] = 0,
    device: Device = "cpu",
) -> None:
    """The modality gap (Table 2): how near each bridge comes to the true image embeddings."""
    from clipsonic.interfaces.evaluate import run_gap

    run_gap(
        model, data, out, bridge or [], with_bridge or [], split or [], condition_noise, seed, clips, device
    )


@evaluate_app.command(
    "reconstruction",
    epilog=examples(
        "evaluate reconstruction --data data --out ceiling --embedding mini",
        "evaluate reconstruction --data real/ --vocoder vocoder/model --out ceiling",
    ),
)
def evaluate_reconstruction(
    data: Annotated[
        list[Path],
        typer.Option(
            help="A prepared data set, a folder of sound or a CSV list; its held-out recordings are taken."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for reconstruction.json and examples to hear and see.")],
    vocoder: Annotated[
        list[str] | None,
        typer.Option(help="A vocoder's folder; may be repeated; that of 'mini' unless told."),
    ] = None,
    embedding: Annotated[
        str,
        typer.Option(
            help="What the Fréchet distance hears with: vggish, clap, mini or none.",
            autocompletion=among(EARS),
        ),
    ] = "vggish",
    score_with: Annotated[
        str | None,
        typer.Option(
            help="What scores sounds against labels: clap, mini or none.", autocompletion=among(SCORERS)
        ),
    ] = None,
    device: Device = "cpu",
) -> None:
    """How much of a sound survives mel and vocoder, beside Griffin-Lim on the same recordings."""
    from clipsonic.interfaces.reconstruction import run

    run(data, vocoder or [], out, embedding, score_with, device)
