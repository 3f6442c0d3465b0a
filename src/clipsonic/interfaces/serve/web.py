"""The page of `clipsonic serve`: static files over the HTTP API; spectrograms and videos for it."""

import io
from importlib.resources import files
from pathlib import Path

import numpy as np
from fastapi import APIRouter, HTTPException, Response
from jaxtyping import Float

from clipsonic.audio import mel_filters
from clipsonic.config import CLIP_SECONDS, LOG_MEL_FLOOR, LOG_MEL_TOP, N_FFT, SAMPLE_RATE
from clipsonic.errors import UserError
from clipsonic.interfaces.serve.jobs import Desk, Limits
from clipsonic.interfaces.serve.schema import About, RequestLimits
from clipsonic.limits import MIN_SECONDS

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
# Scripts, styles and data of this server alone; nothing inline, nothing evaluated.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "media-src blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def web() -> APIRouter:
    """Serve the page's files: `/` and `/web/NAME`."""
    router = APIRouter(include_in_schema=False)
    contents = {
        each.name: each.read_bytes()
        for each in files("clipsonic.interfaces.serve").joinpath("web").iterdir()
        if Path(each.name).suffix in TYPES
    }

    @router.get("/")
    @router.get("/web/{name}")
    def page(name: str = "index.html") -> Response:
        if name not in contents:
            raise HTTPException(404, "not found")
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
        return Response(
            contents[name], media_type=f"{TYPES[Path(name).suffix]}; charset=utf-8", headers=headers
        )

    return router


def about(desk: Desk, limits: Limits) -> About:
    """Return what a client needs to offer a form: the model's choices and this server's limits."""
    pipeline = desk.pipeline
    try:
        pipeline.sees()
        images = limits.pictures
    except UserError:
        images = 0
    return About(
        bridges=list(pipeline.bridges),
        bridge=desk.bridge,
        steps=min(pipeline.config.sampling_steps, limits.steps),
        seconds=min(CLIP_SECONDS, limits.seconds),
        labels=list(pipeline.config.get("labels") or []),
        bands=band_centres(),
        limits=RequestLimits(
            min_seconds=MIN_SECONDS,
            seconds=limits.seconds,
            steps=limits.steps,
            clips=limits.candidates,
            images=images,
            prompts=limits.prompts,
            prompt_characters=limits.prompt_characters,
            upload_bytes=limits.upload_bytes,
        ),
    )


def band_centres() -> list[float]:
    """Return the frequency in Hz at which each mel band's filter peaks."""
    return [round(float(bin) * SAMPLE_RATE / N_FFT, 1) for bin in mel_filters().argmax(1)]


def mel_png(mel: Float[np.ndarray, "mels frames"]) -> bytes:
    """Draw a log-mel as a PNG of one pixel a frame and band; the page stretches it and writes the axes."""
    from matplotlib import colormaps
    from PIL import Image

    level = np.clip((mel[::-1] - LOG_MEL_FLOOR) / (LOG_MEL_TOP - LOG_MEL_FLOOR), 0, 1)
    png = io.BytesIO()
    Image.fromarray(colormaps["magma"](level, bytes=True)[..., :3]).save(png, "PNG")
    return png.getvalue()
