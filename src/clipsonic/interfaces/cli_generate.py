"""The command `clipsonic generate`: its options."""

from pathlib import Path
from typing import Annotated

import typer

from clipsonic.errors import UserError
from clipsonic.interfaces.choices import (
    BACKENDS,
    BRIDGES,
    DEVICES,
    FORMATS,
    FRAMES,
    PRECISIONS,
    SCHEDULERS,
    among,
    models,
)
from clipsonic.interfaces.options import Ray, examples

EXAMPLES = examples(
    'generate "a photo of a dog" -o dog.wav --seed 7 -n 3',
    "generate --video street.mp4 -o street-with-sound.mp4",
    "generate --prompts rows.csv --out clips --json --quiet",
)


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
        list[Path] | None,
        typer.Option(
            help="Make the sound of this video, as long as it is; -o out.mp4 puts it in, out.wav not."
        ),
    ] = None,
    frames: Annotated[
        str,
        typer.Option(
            help="Of the video: follow its pictures, their mean, or hold the one at that second.",
            autocompletion=among(FRAMES),
        ),
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
            help="From words to pictures: zs (none, nor for pictures), pd, sd, shift, linear, retrieval, or the "
            "folder or hub id of a prior; the model's own choice unless told.",
            autocompletion=among(BRIDGES),
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A model folder, a hub id, or 'mini'.", autocompletion=models)
    ] = "mini",
    vocoder: Annotated[
        str | None,
        typer.Option(
            help="From mel to sound: a vocoder's folder, or griffin-lim; the model's own unless told.",
            autocompletion=among(("griffin-lim",)),
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="WAV, FLAC or OGG, with --video also MP4, MOV, MKV or WebM; "
            "a new name made of the prompt by default. PNG and JSON beside it.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file of -o if it exists.")
    ] = False,
    onward: Annotated[
        Path | None, typer.Option("--continue", help="Go on from this sound by --seconds.")
    ] = None,
    base: Annotated[
        Path | None, typer.Option("--from", help="Vary this sound, or --fill a gap in it.")
    ] = None,
    strength: Annotated[
        float, typer.Option(help="Variation strength of --from, above 0 (keeps it) to 1 (ignores it).")
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
        str | None,
        typer.Option(
            help="ddpm, ddim, dpm++ or unipc; the model's own unless told.", autocompletion=among(SCHEDULERS)
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="Length, 0.1 to 600; 4.096, or that of --from or --video, unless told; of a video, its beginning."
        ),
    ] = None,
    rate: Annotated[int, typer.Option(help="Hz of the file; other than 16000 is resampled.")] = 16_000,
    peak: Annotated[float | None, typer.Option(help="Largest sample, dB of full scale, such as -1.")] = None,
    lufs: Annotated[
        float | None, typer.Option(help="Loudness by EBU R 128, such as -23, as far as the peaks allow.")
    ] = None,
    fade: Annotated[float, typer.Option(help="Seconds of fade-in and fade-out.")] = 0.0,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same sound; drawn unless told.")
    ] = None,
    number: Annotated[int, typer.Option("-n", help="How many sounds; they take the seeds from SEED on.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps.", autocompletion=among(DEVICES))] = "cpu",
    prompts_file: Annotated[
        Path | None,
        typer.Option(
            "--prompts",
            help="Many: a .txt with a prompt a line, or .csv or .jsonl with prompt, image, video, seed, ... a row.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the clips of --prompts.")] = None,
    ending: Annotated[
        str,
        typer.Option(
            "--format", help="Of the clips of --prompts: wav, flac, ogg.", autocompletion=among(FORMATS)
        ),
    ] = "wav",
    processes: Annotated[int, typer.Option(help="For --prompts; each has the model in memory.")] = 1,
    ray: Ray = None,
    precision: Annotated[
        str,
        typer.Option(
            help="Of the U-Net: float32, or bfloat16, faster where the processor knows it.",
            autocompletion=among(PRECISIONS),
        ),
    ] = "float32",
    backend: Annotated[
        str,
        typer.Option(
            help="Of the U-Net: torch, or openvino, compiled once and kept in the cache.",
            autocompletion=among(BACKENDS),
        ),
    ] = "torch",
) -> None:
    """Make a sound for a text, a picture, or a mixture of them."""
    from clipsonic.interfaces.start import uncollected

    with uncollected():
        from clipsonic.interfaces.asking import Asked, Query, given
        from clipsonic.interfaces.engine import Engine, Sampling
        from clipsonic.interfaces.generate import run
        from clipsonic.interfaces.settings import as_text, numbers
        from clipsonic.interfaces.writing import Finish

    if video is not None and len(video) > 1:
        raise UserError(f"--video must be given once, got {len(video)}: {', '.join(map(str, video))}")
    asked = Asked(
        Query(
            [as_text(each) for each in prompts or []],
            image or [],
            video[0] if video else None,
            numbers("--weights", weights),
            None if negative is None else as_text(negative),
            None if to is None else as_text(to),
            interpolate,
            bridge,
            frames,
        ),
        Sampling(guidance_scale, guidance_interval, steps, seconds),
        given(onward, base, fill, strength),
        Finish(rate, peak, lufs, fade),
        output,
        seed,
        number,
        "any" if overwrite else "nothing",
    )
    engine = Engine(model, vocoder, scheduler, device, precision, backend)
    if prompts_file is None:
        if ray is not None:
            raise UserError("--ray is for --prompts: one request is made on this machine")
        run(asked, engine)
        return
    from clipsonic.interfaces import batch
    from clipsonic.interfaces.asking import check_many

    batch.run(prompts_file, asked, check_many(asked, out, ending), f".{ending}", engine, processes, ray)
