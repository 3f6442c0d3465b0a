"""What surrounds every answer of the server: where it is mounted, headers, errors as JSON, the access log.

Requests that no page of another site may send are refused here.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")  # a path at which a proxy mounts the server, such as /clip

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# Of answers that are no pages: nothing in them is to be run or shown.
NOTHING = "default-src 'none'; frame-ancestors 'none'"
OURS = ("/v1/", "/health", "/metrics", "/openapi.json")
SAFE = ("GET", "HEAD", "OPTIONS")
HEAD = "clipsonic.head"  # in the scope of a request whose answer's body is not sent


class Guard:
    """An ASGI application around another.

    A page of another site that a user has open could send forms to a server on their machine: browsers let it, and
    only hide the answer. Such requests are refused by what browsers say of where they come from.

    A HEAD is answered as GET, without its body.

    Args:
        responses: counts those sent, by status.
        most_bytes: that a body may announce; what does not say is counted while it is read.
        prefix: path at which a proxy mounts the server; None takes the request's X-Forwarded-Prefix.
        log: gets a line for each answer, without prompts, tokens or ids.
    """

    def __init__(
        self,
        app: "ASGIApp",
        responses: Counter[int],
        most_bytes: int,
        prefix: str | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.app, self.responses, self.most_bytes = app, responses, most_bytes
        self.prefix, self.log = prefix, log

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        from starlette.datastructures import Headers
        from starlette.responses import JSONResponse

        headers, method, began = Headers(scope=scope), scope["method"], time.monotonic()
        scope, path = _mounted(scope, _prefix(headers) if self.prefix is None else self.prefix)
        if method == "HEAD":
            scope = {**scope, "method": "GET", HEAD: True}
        answer = _Answer(send, self.responses, path)
        refusal = self._refusal(method, headers)
        try:
            if refusal is not None:
                status, said = refusal
                await JSONResponse({"error": said}, status)(scope, receive, answer.send)
            else:
                await self.app(scope, receive, answer.send)
        finally:
            if self.log is not None:
                self.log(_line(scope, method, path, answer, time.monotonic() - began))

    def _refusal(self, method: str, headers: "Mapping[str, str]") -> tuple[int, str] | None:
        """Status and reason, if a request is refused for what its headers say."""
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.most_bytes:
            return 413, f"the request has more than {self.most_bytes / 2**20:g} MB"
        if method not in SAFE and _from_elsewhere(headers):
            return 403, "requests of pages from elsewhere are not taken"
        return None


def _from_elsewhere(headers: "Mapping[str, str]") -> bool:
    """Whether a browser says that a page of another site sends this; programs say nothing."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


class _Answer:
    """What is sent, with our headers; an error in plain text becomes JSON."""

    def __init__(self, send: "Send", responses: Counter[int], path: str) -> None:
        self._send, self._responses, self._path = send, responses, path
        self._start: Message | None = None  # of an error in plain text, until its body is there
        self._text = b""
        self.status, self.bytes = 0, 0

    async def send(self, message: "Message") -> None:
        from starlette.datastructures import MutableHeaders

        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._responses[self.status] += 1
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self._path.startswith(OURS):
                headers.setdefault("Content-Security-Policy", NOTHING)
                headers.setdefault("Cache-Control", "no-store")
            if self.status >= 400 and headers.get("content-type", "").startswith("text/plain"):
                self._start = message
                return
        elif self._start is not None:
            self._text += message.get("body", b"")
            if message.get("more_body"):
                return
            said = json.dumps({"error": self._text.decode("utf-8", "replace")}).encode()
            headers = MutableHeaders(scope=self._start)
            headers["content-type"], headers["content-length"] = "application/json", str(len(said))
            await self._send(self._start)
            message = {**message, "body": said}
        self.bytes += len(message.get("body", b""))
        await self._send(message)


def _prefix(headers: "Mapping[str, str]") -> str:
    """The path at which a proxy says that it mounts the server; "" for none, or for what is no such path."""
    said = headers.get("x-forwarded-prefix", "").split(",")[0].strip().rstrip("/")
    return said if PREFIX.fullmatch(said) else ""


def _mounted(scope: "Scope", prefix: str) -> tuple["Scope", str]:
    """The scope of a request to a server at `prefix`, whether or not the proxy takes it off; the path below it."""
    path = scope["path"]
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        path = path[len(prefix) :] or "/"
    raw = quote(f"{prefix}{path}").encode()
    return {**scope, "root_path": prefix, "path": f"{prefix}{path}", "raw_path": raw}, path


def _line(scope: "Scope", method: str, path: str, answer: _Answer, seconds: float) -> str:
    """A line of the access log; ids in paths are left out, since whoever has one may fetch the sound."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    shown = quote(re.sub(r"[^/]{16,}", "*", path[:200]), safe="/*.")
    client = (scope.get("client") or ("-",))[0]
    return f"{now} {client} {quote(method)} {shown} {answer.status} {answer.bytes} bytes {seconds:.3f} s"
