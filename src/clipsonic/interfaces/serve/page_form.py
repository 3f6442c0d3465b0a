"""What is filled in on the page => a request, or one short sentence on what is wrong with it."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipsonic.errors import UserError
from clipsonic.interfaces.serve.requests import Limits, Request
from clipsonic.interfaces.serve.uploads import check_video, read_picture

MAX_DIGITS = 19  # of the largest seed


def read_form(form: Mapping[str, Any], limits: Limits) -> Request:
    """The fields of the page, as a browser sends them, => a request.

    Raises:
        UserError: a field holds what it should not, or the picture or the video cannot be read.
    """
    words, unlike = str(form["words"] or "").strip(), str(form["negative"] or "").strip()
    picture, video = _upload(form["picture"]), _upload(form["video"])
    if not words and picture is None and video is None:
        raise UserError("say what to hear: write some words, or give a picture or a video")
    guidance = _number(form["guidance"], "the guidance")
    guidance = Request.guidance_scale if guidance is None else guidance
    if unlike and guidance <= 1:
        raise UserError("“not like” needs a guidance above 1")
    seconds = _number(form["seconds"], "the length")
    if video is not None:
        check_video(video, limits, seconds)
    return Request(
        texts=[words] if words else [],
        images=None if picture is None else [read_picture(picture, limits)],
        video=video,
        bridge=None if form["bridge"] is None else str(form["bridge"]),
        negative=unlike or None,
        guidance_scale=guidance,
        steps=_whole(form["steps"], "the number of steps"),
        seconds=seconds,
        seed=_whole(form["seed"], "the seed"),
        number=_whole(form["number"], "the number of sounds") or 1,
    )


def _upload(value: Any) -> Path | None:
    """The file that the browser has sent; Gradio has seen to it that it is one of its uploads."""
    path = value.get("path") if isinstance(value, Mapping) else None
    return None if path is None else Path(str(path))


def _number(value: Any, name: str) -> float | None:
    """A number, or the text of one; None if there is none."""
    if value is None or not str(value).strip():
        return None
    try:
        number = float(str(value).strip().replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{name} is no number")
    return number


def _whole(value: Any, name: str) -> int | None:
    text = "" if value is None else str(value).strip().removesuffix(".0")
    if not text:
        return None
    if not text.isdecimal() or len(text) > MAX_DIGITS:
        raise UserError(f"{name} is no whole number")
    return int(text)
