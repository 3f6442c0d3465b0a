"""The commands `clipsonic models ...`: their options."""

from pathlib import Path
from typing import Annotated

import typer

from clipsonic.interfaces.choices import BRIDGES, among, published
from clipsonic.interfaces.choices import models as models_here
from clipsonic.interfaces.options import examples

models_app = typer.Typer(
    help="Published models: what is here, and how to get the rest.",
    invoke_without_command=True,
    epilog=examples("models", "models --json", "models fetch clip"),
)


@models_app.callback()
def models(
    context: typer.Context,
) -> None:
    """List the published models that clipsonic can use, and where they are."""
    if context.invoked_subcommand is None:
        from clipsonic.interfaces.models import show

        show()


@models_app.command(
    "fetch",
    epilog=examples(
        "models fetch clip",
        "models fetch clap vggish",
    ),
)
def models_fetch(
    names: Annotated[
        list[str], typer.Argument(help="Names from the list, such as clip.", autocompletion=published)
    ],
) -> None:
    """Download models; the same command goes on where it was stopped."""
    from clipsonic.interfaces.models import run_fetch

    run_fetch(names)


@models_app.command(
    "sounds",
    epilog=examples("models sounds", "models sounds run/model --json"),
)
def models_sounds(
    model: Annotated[
        str, typer.Argument(help="A model folder, a hub id, or 'mini'.", autocompletion=models_here)
    ] = "mini",
) -> None:
    """List the sounds that a model was trained on."""
    from clipsonic.interfaces.models import show_sounds

    show_sounds(model)


@models_app.command(
    "check",
    epilog=examples(
        "models check",
        "models check clip --quiet",
    ),
)
def models_check(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Names from the list; all unless told.", autocompletion=published),
    ] = None,
) -> None:
    """Compare what is here with its checksums."""
    from clipsonic.interfaces.models import run_check

    run_check(names or [])


@models_app.command(
    "convert-vocoder",
    epilog=examples(
        "models convert-vocoder bigvgan/ vocoder/",
        "models convert-vocoder nvidia/bigvgan_22khz_80band vocoder/",
    ),
)
def models_convert_vocoder(
    source: Annotated[str, typer.Argument(help="Folder or hub id of a BigVGAN as NVIDIA publishes it.")],
    out: Annotated[Path, typer.Argument(help="Folder of the vocoder.")],
) -> None:
    """Turn a published BigVGAN into a vocoder of clipsonic's form."""
    from clipsonic.interfaces.models import run_convert_vocoder

    run_convert_vocoder(source, out)


@models_app.command(
    "add-bridge",
    epilog=examples(
        "models add-bridge run/model sd sd/model --default",
        "models add-bridge run/model pd laion/DALLE2-PyTorch",
        "models add-bridge run/model retrieval centres --pictures",
    ),
)
def models_add_bridge(
    model: Annotated[Path, typer.Argument(help="A model folder of yours.")],
    name: Annotated[
        str, typer.Argument(help="pd, sd, shift, linear or retrieval.", autocompletion=among(BRIDGES[1:]))
    ],
    source: Annotated[
        str, typer.Argument(help="Folder of a bridge, or hub id or folder of a published prior.")
    ],
    default: Annotated[bool, typer.Option("--default", help="Take it where no bridge is named.")] = False,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Take pictures over it; of retrieval with image keys.")
    ] = False,
) -> None:
    """Put a bridge from words to pictures into a model, or one that pictures are taken over."""
    from clipsonic.interfaces.models import run_add_bridge

    run_add_bridge(model, name, source, default, pictures)


@models_app.command(
    "set-vocoder",
    epilog=examples(
        "models set-vocoder run/model vocoder/model",
        "models set-vocoder run/model mini",
        "models set-vocoder run/model griffin-lim",
    ),
)
def models_set_vocoder(
    model: Annotated[Path, typer.Argument(help="A model folder of yours.")],
    source: Annotated[
        str,
        typer.Argument(
            help="Folder of a vocoder or of a model that has one, mini, or griffin-lim.",
            autocompletion=among(("mini", "griffin-lim")),
        ),
    ],
) -> None:
    """Put a vocoder from mel to sound into a model, in place of its own."""
    from clipsonic.interfaces.models import run_set_vocoder

    run_set_vocoder(model, source)
