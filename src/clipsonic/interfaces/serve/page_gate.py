"""What stands before the page: the token, where a request may go, and what a browser may fetch."""

import asyncio
import hmac
import re
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "clipsonic"
SIGN_IN = "/page/sign-in"
WRONG_TOKEN_SECONDS = 0.5  # a wrong token waits, so that guessing is slow
MAX_FORM = 4096  # bytes of the sign-in form

# All that the page needs of Gradio. Left out is what fetches from elsewhere (proxy=, file=http...), describes
# or steers the server (info, openapi.json, config, monitoring, dev, runs), or that nobody here uses.
OPEN = re.compile(
    r"/|/theme\.css|/manifest\.json|/favicon\.ico|/(assets|static|page)/.+"
    r"|/gradio_api/(theme\.css|startup-events|upload|upload_progress|queue/(join|data)|run/predict|cancel|reset"
    r"|heartbeat/\w+|file=(?!(?i:https?):).+)"
)

# Gradio's page has scripts and styles in it, and compiles its own snippets; everything else is of this server.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
BARE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"

NOT_LONG = "no-cache"
FOR_GOOD = "private, max-age=31536000, immutable"  # of files whose names change with what is in them

FORM = """<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>clipsonic: token</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }}
body {{ display: grid; place-items: center; min-height: 90vh; margin: 0 1rem }}
form {{ display: grid; gap: .75rem; width: min(22rem, 100%) }}
h1 {{ font-size: 1.5rem; margin: 0 }} p {{ margin: 0 }}
input, button {{ font: inherit; padding: .6rem .75rem; border: 1px solid #8888; border-radius: .5rem }}
button {{ background: #0f766e; color: #fff; border-color: #0f766e; cursor: pointer }}
</style>
<main><form method="post" action="{action}">
<h1>clipsonic</h1>
<p{role}>{words}</p>
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Enter</button>
</form></main>
</html>
"""


class Gate:
    """An ASGI application before the page: without the token nothing behind it answers.

    Args:
        page: Gradio's application.
        clips: what answers below /page/.
        token: asked for once a browser session; None lets everybody in.
    """

    def __init__(self, page: ASGIApp, clips: ASGIApp, token: str | None) -> None:
        self.page = page
        self.clips = clips
        self.token = token
        self.key = secrets.token_urlsafe(32)  # what the cookie holds; gone with this process

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        path, headers = scope["path"].removeprefix(scope["root_path"]), Headers(scope=scope)
        answer: Response | None = None
        if self.token is not None and path == SIGN_IN and scope["method"] == "POST":
            answer = await self._sign_in(scope, receive, headers)
        elif not self._knows(headers):
            answer = _form(scope) if path == "/" else PlainTextResponse("a token is needed", 401)
        elif not OPEN.fullmatch(path):
            answer = PlainTextResponse("nothing here", 404)
        if answer is not None:
            await answer(scope, receive, _with_headers(send, BARE_POLICY))
        elif path.startswith("/page/"):
            await self.clips(scope, receive, _with_headers(send, BARE_POLICY))
        elif path == "/":
            plain = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
            await self.page({**scope, "headers": plain}, receive, _Tidy(_with_headers(send, POLICY)))
        else:
            keep = FOR_GOOD if path.startswith("/assets/") else NOT_LONG
            await self.page(scope, receive, _with_headers(send, POLICY, keep))

    def _knows(self, headers: Headers) -> bool:
        """Whether the request carries the cookie."""
        if self.token is None:
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self.key.encode())

    async def _sign_in(self, scope: Scope, receive: Receive, headers: Headers) -> Response:
        assert self.token is not None
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > MAX_FORM or message["type"] == "http.disconnect":
                return PlainTextResponse("too long", 413)
            if not message.get("more_body"):
                break
        given = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip()
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            await asyncio.sleep(WRONG_TOKEN_SECONDS)
            return _form(scope, wrong=True)
        home = f"{scope['root_path']}/"
        answer = RedirectResponse(home, 303)
        secure = scope.get("scheme") == "https"
        answer.set_cookie(COOKIE, self.key, path=home, httponly=True, samesite="strict", secure=secure)
        return answer


def _form(scope: Scope, wrong: bool = False) -> Response:
    words = "That was not the token." if wrong else "This server asks for its token."
    role = ' role="alert"' if wrong else ""
    return HTMLResponse(FORM.format(action=scope["root_path"] + SIGN_IN, words=words, role=role), 401)


def _with_headers(send: Send, policy: str, keep: str = NOT_LONG) -> Send:
    """What is sent => the same with the headers that keep a browser to this server."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["content-security-policy"] = policy
            headers["referrer-policy"] = "same-origin"  # so that browsers say where the sign-in form is from
            headers.setdefault("cache-control", keep)
        await send(message)

    return wrapped


class _Tidy:
    """Sends Gradio's page with our title, and without its notes on Gradio for other sites' previews."""

    NOTES = re.compile(rb'<meta\s+(?:property="og:|name="twitter:)[^>]*/>\s*')

    def __init__(self, send: Send) -> None:
        self.send = send
        self.start: Message = {}
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        self.body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = self.NOTES.sub(b"", self.body)
        body = body.replace(b"<head>", b"<head><title>clipsonic</title>", 1)
        body = body.replace(b'href="/manifest.json"', b'href="manifest.json"')  # wherever a proxy mounts it
        if self.body:  # not for HEAD, whose length is that of the body it does not send
            MutableHeaders(scope=self.start)["content-length"] = str(len(body))
        await self.send(self.start)
        await self.send({"type": "http.response.body", "body": body})
