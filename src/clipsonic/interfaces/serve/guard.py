"""What surrounds every answer of the server: headers, and the requests that no browser page of others may send."""

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


class Guard:
    """An ASGI application around another.

    A page of another site that a user has open could send forms to a server on their machine: browsers let it, and
    only hide the answer. Such requests are refused by what browsers say of where they come from.

    Args:
        responses: counts those sent, by status.
        most_bytes: that a body may announce; what does not say is counted while it is read.
    """

    def __init__(self, app: "ASGIApp", responses: Counter[int], most_bytes: int) -> None:
        self.app, self.responses, self.most_bytes = app, responses, most_bytes

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        from starlette.datastructures import Headers, MutableHeaders
        from starlette.responses import JSONResponse

        async def send_guarded(message: "Message") -> None:
            if message["type"] == "http.response.start":
                self.responses[message["status"]] += 1
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(OURS):
                    headers.setdefault("Content-Security-Policy", NOTHING)
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal is not None:
            status, said = refusal
            answer = JSONResponse({"error": said}, status)
            await answer(scope, receive, send_guarded)
            return
        await self.app(scope, receive, send_guarded)

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
