"""The commands `clipsonic catalogue ...`: their options."""

from pathlib import Path
from typing import Annotated

import typer

from clipsonic.interfaces.options import examples

catalogue_app = typer.Typer(
    help="Published data sets: which of their videos are here, as a list for `prepare`.", no_args_is_help=True
)

Files = Annotated[Path, typer.Option(help="Folder of your videos, searched to the bottom.")]
Out = Annotated[
    Path | None,
    typer.Option(help="CSV of the videos that are there, for `clipsonic prepare`; counts only unless told."),
]
Missing = Annotated[Path | None, typer.Option(help="Text file for the YouTube ids that are not there.")]


@catalogue_app.command(
    "vggsound",
    epilog=examples(
        "catalogue vggsound vggsound.csv --files videos/ --out list.csv",
        "catalogue vggsound vggsound.csv --files videos/ --missing ids.txt",
    ),
)
def catalogue_vggsound(
    catalogue: Annotated[
        Path,
        typer.Argument(
            metavar="LIST.csv", help="VGGSound's list: id, start, label, split; or file name and label."
        ),
    ],
    files: Files,
    out: Out = None,
    missing: Missing = None,
    split: Annotated[str, typer.Option(help="The split of rows that name none.")] = "test",
    ids_are_clips: Annotated[
        bool,
        typer.Option("--ids-are-clips", help="Files named ID.mp4 are the 10 s clips, not the whole videos."),
    ] = False,
) -> None:
    """VGGSound: clips named ID_000030.mp4, ID_30.mp4, ID_30_40.mp4, ID_30000_40000.mp4, or whole videos ID.mp4."""
    from clipsonic.interfaces.catalogue import run_vggsound

    run_vggsound(catalogue, split, ids_are_clips, files, out, missing)


@catalogue_app.command(
    "music",
    epilog=examples(
        "catalogue music MUSIC21_solo_videos.json --files videos/ --out list.csv",
        "catalogue music solo.json duets.json --files videos/ --seed 1",
    ),
)
def catalogue_music(
    catalogues: Annotated[
        list[Path], typer.Argument(metavar="FILE.json...", help="MUSIC's lists: solo, MUSIC21 solo, duets.")
    ],
    files: Files,
    out: Out = None,
    missing: Missing = None,
    seed: Annotated[int, typer.Option(help="Of the 9:1 split by video.")] = 0,
) -> None:
    """MUSIC: whole videos named ID.mp4, split 9:1 over the whole list, whatever of it is here."""
    from clipsonic.interfaces.catalogue import run_music

    run_music(catalogues, seed, files, out, missing)


@catalogue_app.command(
    "imagehear",
    epilog=examples(
        "catalogue imagehear ImageHear/ --out imagehear.csv",
        "catalogue imagehear ImageHear/ --json",
    ),
)
def catalogue_imagehear(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures: dog1.jpg, or dog/1.jpg.")],
    out: Annotated[
        Path | None,
        typer.Option(help="CSV of the pictures for `clipsonic generate --prompts` (only counted)."),
    ] = None,
) -> None:
    """ImageHear: its pictures by class, to ask CLIPSonic-IQ with."""
    from clipsonic.interfaces.catalogue import run_imagehear

    run_imagehear(folder, out)
