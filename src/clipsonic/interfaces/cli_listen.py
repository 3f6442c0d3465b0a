"""The commands `clipsonic listen ...`: their options."""

from pathlib import Path
from typing import Annotated

import typer

from clipsonic.interfaces.options import examples

listen_app = typer.Typer(help="Listening tests (Tables 3 and 4), and pages of samples.", no_args_is_help=True)
Systems = Annotated[
    list[str],
    typer.Option(help="NAME=FOLDER of sounds with an index.csv, as reproduce writes it; may be repeated."),
]
Prompts = Annotated[
    Path | None,
    typer.Option(
        help="CSV of what was asked: 'prompt' or 'image', and perhaps 'label' or 'clip', which sounds answer it; "
        "all prompts of the first system unless told."
    ),
]
Most = Annotated[int | None, typer.Option("--most", help="Only so many prompts, drawn by the seed.")]
Seconds = Annotated[float | None, typer.Option(help="Cut longer sounds to this length.")]
Lufs = Annotated[float, typer.Option(help="Loudness of every clip; lower if the peaks of one ask for it.")]


@listen_app.command(
    epilog=examples(
        "listen create --out test --system ZS=work/answers/ZS --system PD=work/answers/PD",
        "listen create --out test --system IQ=iq/ --system other=other/ --prompts pictures.csv --seconds 4",
    )
)
def create(
    out: Annotated[Path, typer.Option(help="Folder of the test; it must not be there yet.")],
    system: Systems,
    prompts: Prompts = None,
    most: Most = None,
    trials: Annotated[
        int | None, typer.Option(help="Clips a rater hears, each twice; about 24 unless told.")
    ] = None,
    seconds: Seconds = None,
    lufs: Lufs = -23.0,
    text: Annotated[
        Path | None, typer.Option(help="What raters are told and agree to; a plain text of ours unless told.")
    ] = None,
    title: Annotated[
        str, typer.Option(help="What raters see; it should not name a system.")
    ] = "Listening test",
    seed: Annotated[int | None, typer.Option(help="Of all that is random; drawn unless told.")] = None,
) -> None:
    """Make a blind test of several systems' sounds: one folder, all clips equally loud."""
    from clipsonic.interfaces.listen.create import run

    run(out, system, prompts, most, trials, seconds, lufs, text, title, seed)


@listen_app.command(
    epilog=examples(
        "listen serve test",
        "listen serve test --host 0.0.0.0 --port 8020 --token violet",
    )
)
def serve(
    test: Annotated[Path, typer.Argument(help="Folder of the test.")],
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any that is free.")] = 8020,
    token: Annotated[
        str | None, typer.Option(help="A word that the link must have for anyone to take part.")
    ] = None,
) -> None:
    """Let raters take the test in their browsers; answers are kept in the folder."""
    from clipsonic.interfaces.listen.serve import run

    run(test, host, port, token)


@listen_app.command(
    epilog=examples(
        "listen report test --out results",
        "listen report test --out results --exclude-failed --exclude-unfinished",
    )
)
def report(
    test: Annotated[Path, typer.Argument(help="Folder of the test, also while it is served.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html, tables as CSV and figures.")],
    exclude_failed: Annotated[
        bool, typer.Option("--exclude-failed", help="Leave out raters who failed a check.")
    ] = False,
    exclude_unfinished: Annotated[
        bool, typer.Option("--exclude-unfinished", help="Leave out raters who did not finish.")
    ] = False,
) -> None:
    """Opinion scores with intervals, differences between systems, agreement, and who failed a check."""
    from clipsonic.interfaces.listen.report import run

    run(test, out, exclude_failed, exclude_unfinished)


@listen_app.command(
    epilog=examples(
        "listen demo --out site --system ZS=work/answers/ZS --system PD=work/answers/PD --most 10",
    )
)
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the site; it must not be there yet.")],
    system: Systems,
    prompts: Prompts = None,
    most: Most = None,
    seconds: Seconds = None,
    lufs: Lufs = -23.0,
    title: Annotated[str, typer.Option(help="Of the page.")] = "Samples",
    text: Annotated[Path | None, typer.Option(help="Plain text under the title.")] = None,
    seed: Annotated[int, typer.Option(help="Of the prompts of --most.")] = 0,
) -> None:
    """Make a page of samples side by side, for any web server: a row a prompt, a column a system."""
    from clipsonic.interfaces.listen.demo import run

    run(out, system, prompts, most, seconds, lufs, title, text, seed)
