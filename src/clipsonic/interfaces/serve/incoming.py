"""A request's body, JSON or a form with files => the request of the queue; nothing of it is kept if it is wrong."""

import asyncio
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request as HTTPRequest

from clipsonic.errors import UserError
from clipsonic.interfaces.serve.requests import Limits, Request
from clipsonic.interfaces.serve.schema import Ask
from clipsonic.interfaces.serve.uploads import Uploads, check_video, read_picture

JSON, FORM = "application/json", "multipart/form-data"
JSON_BYTES = 64 * 1024
FIELD_BYTES = 16 * 1024
LISTS = ("prompt", "weights")
FILES = ("image", "video")


def body_schema(ask: type[Ask], limits: Limits) -> dict[str, Any]:
    """What the schema says of a body."""
    page = ask.model_json_schema()
    file = {"type": "string", "format": "binary"}
    files = {"image": {"type": "array", "items": file, "maxItems": limits.pictures}, "video": file}
    fields = {name: _without_null(field) for name, field in page["properties"].items()}
    form = page | {"properties": fields | files, "anyOf": [{"required": [one]} for one in ("prompt", *FILES)]}
    # JSON brings no files: it must bring words.
    words = {name: said for name, said in page["properties"]["prompt"].items() if name != "default"}
    kinds = [kind | ({"minItems": 1} if kind["type"] == "array" else {}) for kind in words["anyOf"]]
    words |= {"anyOf": kinds}
    page |= {"properties": page["properties"] | {"prompt": words}, "required": ["prompt"]}
    return {"required": True, "content": {JSON: {"schema": page}, FORM: {"schema": form}}}


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """A field that may be null => the same in a form, where it is left out instead."""
    kinds = [kind for kind in field.get("anyOf", []) if kind.get("type") != "null"]
    rest = {name: value for name, value in field.items() if name not in ("anyOf", "default")}
    return field if not kinds else rest | kinds[0]


async def read(
    request: HTTPRequest, ask: type[Ask], uploads: Uploads, limits: Limits
) -> tuple[Request, Path | None]:
    """Reads the body => the request, and the video that was kept for it.

    Raises:
        HTTPException: it is too large, too slow, or of another kind.
        UserError: something in it is wrong.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in (JSON, FORM):
        raise HTTPException(415, f"send {JSON} or {FORM}")
    try:
        async with asyncio.timeout(limits.upload_seconds):
            if kind == JSON:
                return _request(_checked(ask, await _short(request), True), [], None), None
            form = await request.form(max_files=limits.pictures + 1, max_fields=64, max_part_size=FIELD_BYTES)
    except TimeoutError as error:
        raise HTTPException(408, f"the request took longer than {limits.upload_seconds:g} s") from error
    try:
        return await asyncio.to_thread(_from_form, form, ask, uploads, limits)
    finally:
        await form.close()


async def _short(request: HTTPRequest) -> bytes:
    """A body that holds no files."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > JSON_BYTES:
            raise HTTPException(413, f"the JSON has more than {JSON_BYTES // 1024} KB")
    return bytes(body)


def _from_form(
    form: FormData, ask: type[Ask], uploads: Uploads, limits: Limits
) -> tuple[Request, Path | None]:
    fields: dict[str, Any] = {}
    files: dict[str, list[UploadFile]] = {name: [] for name in FILES}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) != (name in FILES):
            raise UserError(f"{name[:20]!r} should be {'a file' if name in FILES else 'text, not a file'}")
        if isinstance(value, UploadFile):
            files[name].append(value)
        elif name in LISTS:
            fields.setdefault(name, []).append(value)
        elif name in fields:
            raise UserError(f"{name[:20]!r} is there more than once")
        else:
            fields[name] = value
    asked = _checked(ask, fields, False)
    if len(files["video"]) > 1:
        raise UserError("one video a request")
    if len(files["image"]) > limits.pictures:
        raise UserError(f"{len(files['image'])} pictures; this server takes {limits.pictures} at the most")
    pictures = [read_picture(file.file, limits) for file in files["image"]]
    kept = None
    for file in files["video"]:
        kept = uploads.keep(file.file)
        try:
            check_video(kept, limits, asked.seconds)
        except BaseException:
            kept.unlink(missing_ok=True)
            raise
    return _request(asked, pictures, kept), kept


def _checked(ask: type[Ask], said: Any, is_json: bool) -> Ask:
    """What was said, if it is of the right kind and within bounds; a form says numbers as text."""
    try:
        return ask.model_validate_json(said, strict=True) if is_json else ask.model_validate(said)
    except ValidationError as error:
        raise UserError(first_problem(error.errors(include_url=False, include_input=False))) from error


def first_problem(errors: Any) -> str:
    """The first of pydantic's findings in a few words, without what was sent."""
    place = ".".join(str(part)[:30] for part in errors[0]["loc"] if part not in ("body", "path"))
    return f"{place}: {errors[0]['msg']}" if place else str(errors[0]["msg"])


def _request(asked: Ask, pictures: list[Any], video: Path | None) -> Request:
    return Request(
        texts=asked.prompt,
        images=pictures or None,
        video=video,
        bridge=asked.bridge,
        negative=asked.negative,
        guidance_scale=asked.guidance_scale,
        steps=asked.steps,
        seconds=asked.seconds,
        seed=asked.seed,
        number=asked.number,
        weights=asked.weights,
        frames=asked.frames,
    )
