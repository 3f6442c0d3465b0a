"""What a rater's browser talks to. No answer of it names a system."""

import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as AnyHTTPException

from clipsonic.interfaces.listen.assignment import QUESTIONS, Trial, trials_of
from clipsonic.interfaces.listen.plan import CLIPS, PAGES, PICTURES, SETUP, WELCOME, Plan
from clipsonic.interfaces.listen.store import Rater, Store, TooManyChanges
from clipsonic.interfaces.serve.guard import Guard

LARGEST_BODY = 2048  # bytes
Key = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
FILES = {"": "listen.html", "listen.css": "listen.css", "listen.js": "listen.js"}


class Join(BaseModel):
    """Someone agrees to take part."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: Key  # drawn by their browser
    token: str = Field(default="", max_length=200)


class Said(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rating: int = Field(ge=1, le=5)
    plays: int = Field(ge=1, le=10_000)  # times the clip was heard to its end
    click: Key  # the same when the same answer is sent again


def build_app(test: Path, plan: Plan, store: Store, token: str | None) -> FastAPI:
    """The application.

    Args:
        token: what a new rater has to bring, if anything.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    cookie = f"rater_{plan.id}"
    clips = {f"{clip.name}.flac" for clip in plan.clips}
    pictures = {prompt.picture for prompt in plan.prompts if prompt.picture}
    prompt_of = {clip.name: plan.prompts[clip.prompt] for clip in plan.clips}
    grid = plan.grid()

    def rater_of(request: Request) -> Rater:
        rater = store.rater(request.cookies.get(cookie, ""))
        if rater is None:
            raise HTTPException(401, "begin at the first page")
        return rater

    def reached(rater: Rater, ratings: dict[str, int]) -> list[Trial]:
        """Trials of the parts so far: words are not shown before all sounds were judged without them."""
        found: list[Trial] = []
        for question in QUESTIONS:
            if any(trial.trial not in ratings for trial in found):
                break
            found += [trial for trial in rater.trials if trial.question == question]
        return found

    @app.middleware("http")
    async def guard(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        response: Response
        if request.method in ("POST", "PUT"):
            length = request.headers.get("content-length", "")
            if not length.isascii() or not length.isdigit():
                return _refused(411, "say how long the request is")
            if int(length) > LARGEST_BODY:
                return _refused(413, "the request is too long")
        response = await go_on(request)
        response.headers.update(HEADERS)
        if request.url.path.startswith("/api/"):
            response.headers["Cache-Control"] = "no-store"
        return response

    app.add_middleware(Guard, responses=Counter(), most_bytes=2**20)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        """Says which field is wrong, and repeats nothing of what was sent."""
        fields = sorted({str(each["loc"][-1]) for each in error.errors() if len(each["loc"]) > 1})
        known = [field for field in fields if field in (*Said.model_fields, *Join.model_fields)]
        return _refused(422, f"not valid: {', '.join(known) or 'the request'}")

    @app.exception_handler(AnyHTTPException)
    async def refused(request: Request, error: AnyHTTPException) -> Response:
        return _refused(error.status_code, str(error.detail))

    @app.get("/api/test")
    def about(request: Request) -> dict[str, Any]:
        known = store.rater(request.cookies.get(cookie, "")) is not None
        welcome = (test / WELCOME).read_text("utf-8")
        return {
            "title": plan.title,
            "id": plan.id,
            "welcome": welcome,
            "minutes": plan.minutes,
            "known": known,
        }

    @app.post("/api/join")
    def join(said: Join, response: Response) -> dict[str, Any]:
        known = store.rater(said.key) is not None
        if (
            token is not None
            and not known
            and not secrets.compare_digest(said.token.encode(), token.encode())
        ):
            raise HTTPException(403, "this link is not valid; ask for the whole link of the test")
        if not known:
            store.join(said.key, lambda number: trials_of(number, grid, plan.trials, plan.seed))
        response.set_cookie(cookie, said.key, max_age=90 * 86400, httponly=True, samesite="strict")
        return {}

    @app.get("/api/trials")
    def trials(request: Request) -> dict[str, Any]:
        rater = rater_of(request)
        ratings = store.ratings(rater.number)
        shown = []
        for trial in reached(rater, ratings):
            page: dict[str, Any] = {
                "trial": trial.trial,
                "question": trial.question,
                "clip": f"{CLIPS}/{trial.clip}.flac",
                "instruction": trial.answer,
                "rating": ratings.get(trial.trial),
            }
            if trial.question == "relevance":
                prompt = prompt_of[trial.clip]
                page |= {"text": prompt.text, "picture": prompt.picture and f"{PICTURES}/{prompt.picture}"}
            shown.append(page)
        return {"rater": request.cookies[cookie], "trials": shown, "total": len(rater.trials)}

    @app.put("/api/trials/{name}")
    def rate(name: str, said: Said, request: Request) -> dict[str, Any]:
        rater = rater_of(request)
        if name not in {trial.trial for trial in reached(rater, store.ratings(rater.number))}:
            raise HTTPException(404, "there is no such clip to rate")
        try:
            store.rate(rater.number, name, said.rating, said.plays, said.click)
        except TooManyChanges as error:
            raise HTTPException(429, "this answer was changed too often") from error
        return {"rating": store.ratings(rater.number)[name]}

    def sent(request: Request, folder: str, name: str, names: set[str]) -> FileResponse:
        rater_of(request)
        if name not in names:
            raise HTTPException(404, "there is no such file")
        return FileResponse(test / folder / name, headers={"Cache-Control": "private, max-age=86400"})

    @app.get("/clips/{name}")
    def clip(name: str, request: Request) -> FileResponse:
        return sent(request, CLIPS, name, clips)

    @app.get("/pictures/{name}")
    def picture(name: str, request: Request) -> FileResponse:
        return sent(request, PICTURES, name, pictures)

    @app.get(f"/{SETUP}")
    def setup(request: Request) -> FileResponse:
        return sent(request, "", SETUP, {SETUP})

    for address, file in FILES.items():
        app.add_api_route(f"/{address}", _page(file), methods=["GET"])
    return app


def _page(file: str) -> Callable[[], FileResponse]:
    def page() -> FileResponse:
        return FileResponse(PAGES / file, headers={"Cache-Control": "no-cache"})

    return page


def _refused(status: int, why: str) -> JSONResponse:
    return JSONResponse({"error": why}, status, HEADERS)
