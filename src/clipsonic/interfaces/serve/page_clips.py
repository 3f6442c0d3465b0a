"""What the page shows of finished sounds: their cards, the picture of a mel, and the files behind the links."""

import io
import json
import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from clipsonic.config import LOG_MEL_FLOOR, LOG_MEL_TOP, SAMPLE_RATE
from clipsonic.interfaces.naming import SOUNDS, file_name
from clipsonic.interfaces.pictures import band_of
from clipsonic.loudness import within_full_scale

if TYPE_CHECKING:
    from clipsonic.interfaces.serve.jobs import Desk, Job

HERTZ = {125: "125 Hz", 500: "500 Hz", 1000: "1 kHz", 2000: "2 kHz", 4000: "4 kHz", 8000: "8 kHz"}
TICK_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120)
MOST_MADE = 50  # requests that a visit's history lists
MOST_TICKS = 6  # along the seconds, so that they stand apart on a phone


def files(desk: "Desk", folder: Path) -> Starlette:
    """The files of finished sounds, at /page/clips/ID/N.KIND: wav, flac, ogg, png of the mel, json.

    Args:
        folder: private; a sound is in it while it is sent.
    """

    def clip_file(request: Request) -> Response:
        job = desk.get(request.path_params["id"])
        number, kind = request.path_params["n"], request.path_params["kind"]
        if job is None or number >= len(job.clips):
            return PlainTextResponse("no longer kept", 404)
        wave, mel, page = job.clips[number]
        fresh = {"cache-control": "private, max-age=3600"}  # the same for as long as there is such an id
        if kind == "png":
            return Response(mel_png(mel), media_type="image/png", headers=fresh)
        if kind == "json":
            return JSONResponse(page, headers=fresh)
        if f".{kind}" not in SOUNDS:
            return PlainTextResponse("nothing here", 404)
        path = _sound(wave, kind, folder)
        return FileResponse(  # as a file, since players ask for pieces of it
            path, media_type=f"audio/{kind}", headers=fresh, background=BackgroundTask(path.unlink)
        )

    return Starlette(routes=[Route("/page/clips/{id:str}/{n:int}.{kind:str}", clip_file)])


def _sound(wave: Float[np.ndarray, "samples"], kind: str, folder: Path) -> Path:
    import soundfile

    with tempfile.NamedTemporaryFile(dir=folder, suffix=f".{kind}", delete=False) as file:
        soundfile.write(file, within_full_scale(wave), SAMPLE_RATE, SOUNDS[f".{kind}"], format=kind.upper())
    return Path(file.name)


def mel_png(mel: Float[np.ndarray, "mels frames"]) -> bytes:
    """A log-mel => a PNG of one point a frame and band; the page stretches it and writes the axes."""
    from matplotlib import colormaps
    from PIL import Image

    level = np.clip((mel[::-1] - LOG_MEL_FLOOR) / (LOG_MEL_TOP - LOG_MEL_FLOOR), 0, 1)
    png = io.BytesIO()
    Image.fromarray(colormaps["magma"](level, bytes=True)[..., :3]).save(png, "PNG")
    return png.getvalue()


def result(job: "Job") -> str:
    """A finished job => the cards of all its sounds."""
    return "".join(_card(job, number, "h2") for number in range(len(job.clips)))


def history(desk: "Desk", made: list[str]) -> str:
    """Finished jobs of this visit, newest first => their cards, those that are still kept.

    Args:
        made: ids, oldest first.
    """
    kept = [desk.get(id) for id in reversed(made)]
    cards = [_card(job, number, "h3") for job in kept if job is not None for number in range(len(job.clips))]
    gone = kept.count(None)
    if not cards and not gone:
        return '<p class="quiet">What you make is listed here until you close this tab.</p>'
    sounds = "request is" if gone == 1 else "requests are"
    note = f'<p class="quiet">{gone} older {sounds} no longer kept by the server.</p>' if gone else ""
    return "".join(cards) + note


def read_made(text: str | None) -> list[str]:
    """What the browser keeps of the visit => ids, oldest first; whatever else it holds is left out."""
    try:
        ids = json.loads(text or "[]")
    except ValueError:
        return []
    return [each[:100] for each in ids if isinstance(each, str)][-MOST_MADE:] if isinstance(ids, list) else []


def _card(job: "Job", number: int, heading: str) -> str:
    wave, mel, page = job.clips[number]
    opened = heading == "h2"
    title = str(page["query"])
    seconds, seed = len(wave) / SAMPLE_RATE, page["seed"]
    address = f"page/clips/{job.id}/{number}"
    name, words = escape(f"{file_name(title)}-{seed}", quote=True), escape(title, quote=True)
    links = " ".join(
        f'<a href="{address}.{kind}" download="{name}.{kind}" aria-label="Download {words} as {kind.upper()}">'
        f"{kind.upper()}</a>"
        for kind in ("wav", "flac", "ogg", "json")
    )
    mel_picture = _axes(address, seconds, words, len(mel))
    if not opened:
        mel_picture = f"<details><summary>Spectrogram</summary>{mel_picture}</details>"
    return (
        f'<article class="clip"><{heading}>{words}</{heading}> '
        f'<p class="about">seed <b>{seed}</b>, {seconds:.1f} s</p>'
        f'<audio controls preload="{"metadata" if opened else "none"}" src="{address}.wav" '
        f'aria-label="{words}, seed {seed}"></audio>'
        f'{mel_picture}<p class="files">{links}</p></article>'
    )


def _axes(address: str, seconds: float, words: str, bands: int) -> str:
    """The picture of a mel between its axes."""
    step = next((each for each in TICK_SECONDS if seconds / each <= MOST_TICKS), TICK_SECONDS[-1])
    times = [place * step for place in range(int(seconds / step) + 1)]
    along = "".join(f'<i style="left:{time / seconds:.1%}">{time:g} s</i>' for time in times)
    up = "".join(
        f'<i style="bottom:{band_of(hertz, bands) / bands:.1%}">{name}</i>' for hertz, name in HERTZ.items()
    )
    return (
        f'<figure class="mel"><div class="hertz" aria-hidden="true">{up}</div>'
        f'<div class="sight"><img src="{address}.png" loading="lazy" '
        f'alt="Mel spectrogram of {words}: {seconds:.1f} seconds from left to right, 0 to 8000 hertz upwards, '
        f'louder is brighter"><span class="head"></span></div>'
        f'<div class="seconds" aria-hidden="true">{along}</div></figure>'
    )
