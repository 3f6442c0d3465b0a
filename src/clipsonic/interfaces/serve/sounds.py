"""What the API does with sounds: they are asked for, followed, fetched and cancelled."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.requests import Request as HTTPRequest

from clipsonic.interfaces.serve.guard import HEAD
from clipsonic.interfaces.serve.incoming import body_schema, read
from clipsonic.interfaces.serve.job import DONE, Job
from clipsonic.interfaces.serve.jobs import Desk, Limits
from clipsonic.interfaces.serve.schema import FORMATS, Format, Problem, Sound, ask_of, sound
from clipsonic.interfaces.serve.uploads import Uploads
from clipsonic.interfaces.serve.web import mel_png
from clipsonic.interfaces.writing import Finish, sound_bytes
from clipsonic.loudness import EVEN_LUFS

TOKEN = "token"  # the owner of what is asked with the token and no session; shorter than any session
FADE = 0.01  # seconds, of clips at equal loudness
LOOK_SECONDS = 0.2  # between two looks at a job whose changes are followed
SAID = {
    400: "It is no such form as it says.",
    401: "The token is missing or wrong.",
    403: "There is neither a session nor a token.",
    404: "There is none of that name, or it was forgotten.",
    409: "It is not done, or will not be.",
    408: "It came in too slowly.",
    413: "It is larger than this server takes.",
    415: "It is of another kind than this server takes.",
    422: "It is out of bounds, or damaged.",
    429: "The queue is full: Retry-After says for how many seconds.",
    503: "The server is stopping.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the schema says of answers that are errors."""
    return {status: {"model": Problem, "description": SAID[status]} for status in statuses}


def json_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same where all is well with another type than JSON, which FastAPI would say of the errors too."""
    as_json = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {status: {"content": as_json, "description": SAID[status]} for status in statuses}


def sounds(
    desk: Desk, uploads: Uploads, limits: Limits, keeper: list[Any], has_token: bool = False
) -> APIRouter:
    """All below /v1/sounds.

    Args:
        keeper: what lets in those who may ask.
        has_token: whether requests bring a token, so that they are told from those of others.
    """
    router = APIRouter(prefix="/v1/sounds", tags=["sounds"], dependencies=keeper)
    ask = ask_of(limits, desk.pipeline.bridges)

    # Ids of another form are none that there are: 404, like all that are unknown.
    form = {"pattern": "^[A-Za-z0-9_-]{22}$"}
    Id = Annotated[
        str, Path(description="As it was given when the sound was asked for.", json_schema_extra=form)
    ]

    def found(id: Id) -> Job:
        job = desk.get(id)
        if job is None:
            raise HTTPException(404, "no such sound, or it was forgotten")
        return job

    Found = Annotated[Job, Depends(found)]

    def clip(job: Job, number: int) -> Any:
        if job.state != DONE:
            raise HTTPException(409, f"the sound is {job.state}")
        if not 1 <= number <= len(job.clips):
            raise HTTPException(
                404, f"no clip {number}: clips count from 1, and the sound has {len(job.clips)}"
            )
        return job.clips[number - 1]

    bounds = {"minimum": 1, "maximum": 1_000_000}
    Number = Annotated[int, Path(description="Of the clip, from 1.", json_schema_extra=bounds)]
    Session = Annotated[
        str | None,
        Header(
            alias="Clipsonic-Session",
            pattern="^[A-Za-z0-9_-]{16,128}$",
            description="A secret of your own: sounds that are asked for with it are listed with it.",
        ),
    ]

    def owner(session: str | None) -> str | None:
        """Whose sounds a request may list: those of its session, or without one those asked with the token."""
        return session if session is not None else TOKEN if has_token else None

    Level = Annotated[bool, Query(description=f"At {EVEN_LUFS:g} LUFS, so that sounds are equally loud.")]

    def finish(level: bool) -> Finish:
        return Finish(lufs=EVEN_LUFS, fade=FADE) if level else Finish()

    @router.post(
        "",
        status_code=202,
        summary="Ask for a sound",
        response_model=Sound,
        responses=problems(400, 401, 408, 413, 415, 422, 429, 503),
        openapi_extra={"requestBody": body_schema(ask, limits)},
    )
    async def submit(request: HTTPRequest, response: Response, session: Session = None) -> Sound:
        """Puts a request into the queue. Follow it by the links in the answer."""
        desk.check_room()
        asked, kept = await read(request, ask, uploads, limits)

        def remove() -> None:
            if kept is not None:
                kept.unlink(missing_ok=True)

        try:
            job = await asyncio.to_thread(desk.submit, asked, remove, owner(session))
        except BaseException:
            remove()
            raise
        page = sound(job, request.scope["root_path"])
        response.headers["Location"] = page.links["self"]
        return page

    @router.get("", summary="List your sounds", responses=problems(401, 403, 422))
    def listed(request: HTTPRequest, session: Session = None) -> list[Sound]:
        """Those asked for with the same Clipsonic-Session or, without one, with the token; newest first."""
        whose = owner(session)
        if whose is None:
            raise HTTPException(
                403,
                "sounds are listed to who asked for them: send the header Clipsonic-Session, a secret of your own, "
                "with each request, or run the server with a token",
            )
        return [sound(job, request.scope["root_path"]) for job in desk.of(whose)]

    @router.get("/{id}", summary="See what has become of it", responses=problems(401, 404))
    def look(request: HTTPRequest, job: Found) -> Sound:
        """Says how far it is, and where its clips are when it is done."""
        return sound(job, request.scope["root_path"])

    @router.get(
        "/{id}/events",
        summary="Follow it",
        response_class=EventSourceResponse,
        responses=json_problems(401, 404),
    )
    async def events(request: HTTPRequest, job: Found) -> AsyncIterator[ServerSentEvent]:
        """Server-sent events: `progress` at every change, and `end` when nothing more will come of it."""
        said = None
        while not request.scope.get(HEAD):
            page = sound(job, request.scope["root_path"])
            now = (page.state, page.progress, page.ahead)
            if job.over and page.state == job.state:
                yield ServerSentEvent(event="end", data=page)
                return
            if now != said:
                yield ServerSentEvent(event="progress", data=page)
                said = now
            await asyncio.sleep(LOOK_SECONDS)

    @router.get("/{id}/clips/{number}.json", summary="Fetch a clip's page", responses=problems(401, 404, 409))
    def page(job: Found, number: Number, level: Level = False) -> dict[str, Any]:
        """All it takes to make the clip again: what was asked, the seed, the model and its checksum."""
        wave, _, about = clip(job, number)
        how = finish(level)
        return dict(about) | how.describe(wave, how(wave))

    @router.get(
        "/{id}/clips/{number}.png",
        summary="Fetch a clip's mel spectrogram",
        response_class=Response,
        responses=json_problems(401, 404, 409)
        | {200: {"content": {"image/png": {"schema": {"type": "string"}}}}},
    )
    def spectrogram(job: Found, number: Number) -> Response:
        """One pixel a frame and mel band, high bands on top, louder is brighter; `/v1/about` has the bands."""
        return Response(mel_png(clip(job, number)[1]), media_type="image/png")

    @router.get(
        "/{id}/clips/{number}.mp4",
        summary="Fetch the video with a clip as its sound",
        response_class=Response,
        responses=json_problems(401, 404, 409, 422)
        | {200: {"content": {"video/mp4": {"schema": {"type": "string"}}}}},
    )
    def film(job: Found, number: Number, level: Level = False) -> Response:
        """The pictures are those of the upload, not encoded again."""
        wave = clip(job, number)[0]
        if job.request.video is None:
            raise HTTPException(404, "the sound was not made for a video")
        return Response(sound_bytes(wave, ".mp4", finish(level), job.request.video), media_type="video/mp4")

    @router.get(
        "/{id}/clips/{number}.{format}",
        summary="Fetch a clip",
        response_class=Response,
        responses=problems(401, 404, 409)
        | {200: {"content": {kind: {"schema": {"type": "string"}} for kind in FORMATS.values()}}},
    )
    def fetch(job: Found, number: Number, format: Format, level: Level = False) -> Response:
        """16 kHz, mono; WAV and FLAC hold 16 bits."""
        wave, _, about = clip(job, number)
        name = f'inline; filename="clipsonic-{about["seed"]}.{format}"'
        file = sound_bytes(wave, f".{format}", finish(level))
        return Response(file, media_type=FORMATS[format], headers={"Content-Disposition": name})

    @router.delete("/{id}", status_code=204, summary="Cancel and forget it", responses=problems(401, 404))
    def cancel(job: Found) -> None:
        """Stops what waits or runs, and gives up what was made."""
        desk.forget(job)

    return router
