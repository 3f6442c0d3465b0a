"""The commands `clipsonic models ...` and `clipsonic evaluate ...`: their options."""

from pathlib import Path
from typing import Annotated

import typer

from clipsonic.interfaces.options import Debug

evaluate_app = typer.Typer(help="Measure a model.", no_args_is_help=True)
models_app = typer.Typer(
    help="Published models: what is here, and how to get the rest.", invoke_without_command=True
)


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


@models_app.command("add-bridge")
def models_add_bridge(
    model: Annotated[Path, typer.Argument(help="A model folder of yours.")],
    name: Annotated[str, typer.Argument(help="pd, sd, shift, linear or retrieval.")],
    source: Annotated[
        str, typer.Argument(help="Folder of a bridge, or hub id or folder of a published prior.")
    ],
    default: Annotated[bool, typer.Option("--default", help="Take it where no bridge is named.")] = False,
    debug: Debug = False,
) -> None:
    """Put a bridge from words to pictures into a model."""
    from clipsonic.interfaces.models import run_add_bridge

    run_add_bridge(model, name, source, default)


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
