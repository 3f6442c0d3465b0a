"""The command `clipsonic serve`: its options."""

from typing import Annotated

import typer

from clipsonic.interfaces.choices import BACKENDS, BRIDGES, DEVICES, PRECISIONS, SCHEDULERS, among, models
from clipsonic.interfaces.options import examples

SERVE_EXAMPLES = examples(
    "serve",
    "serve --no-page --port 8080 --queue 64",
    "serve --host 0.0.0.0 --name sounds.example.org --max-seconds 10",
)


def serve(
    host: Annotated[str, typer.Option(help="Address to answer at; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.")] = 7860,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="CLIPSONIC_TOKEN",
            show_envvar=True,
            help="What requests must bring; better in the environment, where other users do not see it.",
        ),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option("--name", help="A host name that requests may use, such as a proxy's; may be repeated."),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(
            "--root-path",
            metavar="PATH",
            help="Path at which a proxy mounts the server, such as /clip (default: X-Forwarded-Prefix).",
        ),
    ] = None,
    access_log: Annotated[
        bool,
        typer.Option(
            "--access-log",
            help="A line on the error stream for each answer, without prompts, tokens and ids.",
        ),
    ] = False,
    page: Annotated[bool, typer.Option("--page/--no-page", help="With a web page, or the API alone.")] = True,
    model: Annotated[
        str, typer.Option(help="A model folder, a hub id, or 'mini'.", autocompletion=models)
    ] = "mini",
    bridge: Annotated[
        str | None,
        typer.Option(
            help="From words to pictures, of requests that name none.", autocompletion=among(BRIDGES)
        ),
    ] = None,
    vocoder: Annotated[str | None, typer.Option(help="A vocoder's folder, or griffin-lim.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="ddpm, ddim, dpm++ or unipc.", autocompletion=among(SCHEDULERS))
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps.", autocompletion=among(DEVICES))] = "cpu",
    precision: Annotated[
        str, typer.Option(help="Of the U-Net: float32 or bfloat16.", autocompletion=among(PRECISIONS))
    ] = "float32",
    backend: Annotated[
        str, typer.Option(help="Of the U-Net: torch or openvino.", autocompletion=among(BACKENDS))
    ] = "torch",
    queue: Annotated[int, typer.Option(help="Requests that may wait.", min=1)] = 32,
    most_seconds: Annotated[
        float, typer.Option("--max-seconds", help="Of sound that one clip may last.", min=0.1, max=600)
    ] = 30.0,
    most_steps: Annotated[int, typer.Option("--max-steps", help="Of a request.", min=1, max=1000)] = 100,
    most_clips: Annotated[int, typer.Option("--max-clips", help="Of a request.", min=1, max=64)] = 8,
    most_megabytes: Annotated[int, typer.Option("--max-upload", help="MB of a request.", min=1)] = 64,
    grace: Annotated[
        float, typer.Option(help="Seconds to finish what is being made when the server is stopped.", min=0)
    ] = 20.0,
) -> None:
    """Answer over HTTP, with a web page: words, a picture or a video in, sound out."""
    from clipsonic.interfaces.engine import Engine
    from clipsonic.interfaces.serve.requests import Limits
    from clipsonic.interfaces.serve.run import Address, run

    limits = Limits(
        queue=queue,
        seconds=most_seconds,
        steps=most_steps,
        candidates=most_clips,
        upload_bytes=most_megabytes * 2**20,
    )
    engine = Engine(model, vocoder, scheduler, device, precision, backend)
    address = Address(host, port, token, tuple(names or ()), prefix)
    run(address, engine, bridge, limits, page, grace, access_log)
