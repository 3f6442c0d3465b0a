"""The HTTP API: the application, who is let in, and how errors are told."""

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request as HTTPRequest
from starlette.routing import Match

from clipsonic import __version__
from clipsonic.errors import UserError
from clipsonic.interfaces.serve.guard import Guard
from clipsonic.interfaces.serve.incoming import first_problem
from clipsonic.interfaces.serve.job import Closed, Full
from clipsonic.interfaces.serve.jobs import Desk, Limits
from clipsonic.interfaces.serve.metrics import MEDIA_TYPE, metrics
from clipsonic.interfaces.serve.reference import reference
from clipsonic.interfaces.serve.schema import About, Health
from clipsonic.interfaces.serve.sounds import json_problems, problems, sounds
from clipsonic.interfaces.serve.uploads import NoMedia, TooLarge, Uploads
from clipsonic.interfaces.serve.web import about, web

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def build(
    desk: Desk,
    uploads: Uploads,
    limits: Limits,
    token: str | None,
    hosts: Sequence[str] | None,
    prefix: str | None = None,
    log: Callable[[str], None] | None = None,
    page: bool = False,
) -> FastAPI:
    """Build the application.

    Args:
        token: that requests must bring, unless it is None.
        hosts: names under which the server answers; None for any.
        prefix: path at which a proxy mounts the server; None takes each request's X-Forwarded-Prefix.
        log: gets a line for each answer.
        page: whether it has a web page at "/".
    """
    app = FastAPI(
        title="clipsonic",
        version=__version__,
        description="Sound for a word, a picture or a video.",
        docs_url=None,
        redoc_url=None,
    )
    responses: Counter[int] = Counter()
    if hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=limits.upload_bytes)
    app.add_middleware(Guard, responses=responses, most_bytes=limits.upload_bytes, prefix=prefix, log=log)
    app.include_router(sounds(desk, uploads, limits, _keeper(token), token is not None))
    app.include_router(_about(app, desk, limits, responses, _keeper(token)))
    if page:
        app.include_router(web())
    _end(app)
    for kind, status in (
        (TooLarge, 413),
        (NoMedia, 415),
        (UserError, 422),
        (Full, 429),
        (Closed, 503),
        (Exception, 500),
    ):
        app.add_exception_handler(kind, _told(status))
    app.add_exception_handler(AnyHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


def _about(app: FastAPI, desk: Desk, limits: Limits, responses: Counter[int], keeper: list[Any]) -> APIRouter:
    """What concerns the server."""
    router = APIRouter(tags=["server"])

    @router.get("/health", summary="See whether requests are taken", responses={503: {"model": Health}})
    def health(response: Response) -> Health:
        """200 while requests are taken, 503 when the server is stopping."""
        if desk.closed:
            response.status_code = 503
        return Health(
            status="stopping" if desk.closed else "ok",
            clipsonic=__version__,
            waiting=desk.stats.waiting,
            bridges=desk.pipeline.bridges,
        )

    @router.get(
        "/v1/about",
        summary="See what the model and this server can do",
        dependencies=keeper,
        responses=problems(401),
    )
    def abilities() -> About:
        """Bridges, sounds that the model knows, defaults, and the limits of a request."""
        return about(desk, limits)

    @router.get(
        "/metrics",
        summary="Numbers for Prometheus",
        response_class=PlainTextResponse,
        dependencies=keeper,
        responses=json_problems(401),
    )
    def numbers() -> Response:
        """Jobs, clips, times, memory."""
        return Response(metrics(desk.stats, responses), media_type=MEDIA_TYPE)

    @router.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """The API for readers."""
        text, policy = reference(app.openapi())
        return HTMLResponse(text, headers={"Content-Security-Policy": policy})

    return router


def _end(app: FastAPI) -> None:
    """Answers what is below /v1 and nowhere else, so that it does not go to the page that comes after."""
    ours = list(app.router.routes)

    @app.api_route("/v1{rest:path}", methods=METHODS, include_in_schema=False)
    def nothing(request: HTTPRequest) -> None:
        scopes = {method: dict(request.scope) | {"method": method} for method in METHODS}
        fit = [
            method
            for method, scope in scopes.items()
            if any(route.matches(scope)[0] is Match.FULL for route in ours)
        ]
        if "GET" in fit:
            fit.insert(1, "HEAD")
        if fit:
            raise HTTPException(405, "Method Not Allowed", {"Allow": ", ".join(fit)})
        raise HTTPException(404, "Not Found")


def _keeper(token: str | None) -> list[Any]:
    """What lets in those who bring the token; all, if there is none."""
    if token is None:
        return []
    right = token.encode()

    def check(
        brought: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    ) -> None:
        if brought is None or not secrets.compare_digest(brought.credentials.encode(), right):
            raise HTTPException(
                401, "this server wants a token: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
            )

    return [Depends(check)]


def _told(status: int) -> Any:
    """A handler that says what an error says; of mistakes of ours, only that there was one."""

    def handle(request: HTTPRequest, error: Exception) -> JSONResponse:
        said = "a mistake of the program; its log says more" if status == 500 else str(error)
        headers = {"Retry-After": str(round(error.retry_after + 0.5))} if isinstance(error, Full) else {}
        return JSONResponse({"error": said}, status, headers)

    return handle


def _refused(request: HTTPRequest, error: Any) -> JSONResponse:
    headers = dict(error.headers or {})
    if error.status_code == 413 and "content-length" not in request.headers:
        headers["Connection"] = "close"  # of a body without an end, the rest is not waited for
    return JSONResponse({"error": str(error.detail)}, error.status_code, headers)


def _invalid(request: HTTPRequest, error: Any) -> JSONResponse:
    found = error.errors()
    return JSONResponse({"error": first_problem(found)}, 404 if found[0]["loc"][0] == "path" else 422)
