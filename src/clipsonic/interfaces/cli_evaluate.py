"""The commands `clipsonic evaluate ...`: their options."""

from pathlib import Path
from typing import Annotated

import typer

from clipsonic.interfaces.options import Debug

evaluate_app = typer.Typer(help="Measure a model, or a folder of sounds.", no_args_is_help=True)


@evaluate_app.command("audio")
def evaluate_audio(
    folder: Annotated[Path, typer.Argument(help="Sounds to measure, of clipsonic or of any other system.")],
    reference: Annotated[Path, typer.Option(help="Folder of real sounds to compare with.")],
    prompts: Annotated[
        Path | None,
        typer.Option(
            help="CSV or JSON lines with 'file', 'prompt' and perhaps 'label'; unless told, index.csv in the "
            "folder or the JSON beside each clip."
        ),
    ] = None,
    embedding: Annotated[
        str,
        typer.Option(
            help="What the Fréchet audio distance hears with: vggish, clap, mini or an encoder's folder."
        ),
    ] = "vggish",
    score_with: Annotated[
        str | None,
        typer.Option(
            help="What scores clips against their words: clap, mini, an encoder's folder or none; the embedding "
            "unless told, and none for vggish."
        ),
    ] = None,
    images_with: Annotated[
        str, typer.Option(help="What sees the mels for FID: mini, a CLIP's hub id or folder, or none.")
    ] = "mini",
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...", help="All labels to choose from; those of the clips themselves unless told."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for audio.json.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Sounds against real ones and against their words: FAD, FID of mels, CLAP score, class agreement."""
    from clipsonic.interfaces.evaluate_audio import run_audio

    run_audio(folder, reference, prompts, embedding, score_with, images_with, labels, out, as_json)


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


@evaluate_app.command("reconstruction")
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
        str, typer.Option(help="What the Fréchet distance hears with: vggish, clap, mini or none.")
    ] = "vggish",
    score_with: Annotated[
        str | None, typer.Option(help="What scores sounds against labels: clap, mini or none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """How much of a sound survives mel and vocoder, beside Griffin-Lim on the same recordings."""
    from clipsonic.interfaces.reconstruction import run

    run(data, vocoder or [], out, embedding, score_with, as_json)
