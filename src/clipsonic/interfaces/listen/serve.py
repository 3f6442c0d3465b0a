"""`clipsonic listen serve`: the test on a port, until Ctrl-C."""

import socket
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from clipsonic.errors import UserError
from clipsonic.interfaces import telling
from clipsonic.interfaces.listen.plan import CLIPS, read_plan


def run(test: Path, host: str, port: int, token: str | None) -> None:
    """Serves; what is missing is told before.

    Raises:
        UserError: no test, a clip of it is missing, the port is taken, or the extra `serve` is not installed.
    """
    plan = read_plan(test)
    if missing := [clip.name for clip in plan.clips if not (test / CLIPS / f"{clip.name}.flac").is_file()]:
        raise UserError(f"{test} lacks {len(missing)} of its clips; make it anew")
    if token is not None and not 1 <= len(token) <= 200:
        raise UserError("--token is a word of 1 to 200 letters")
    try:
        import uvicorn

        from clipsonic.interfaces.listen.app import build_app
        from clipsonic.interfaces.serve.server import Protocol
    except ImportError as error:
        raise UserError(f"{error.name} is not installed: pip install 'clipsonic[serve]'") from error
    from clipsonic.interfaces.listen.store import Store

    bound = _bind(host, port)
    with bound, closing(Store(test)) as store:
        app = build_app(test, plan, store, token)
        bound.listen()  # whoever opens the link at once waits, and is not refused
        address = f"[{host}]" if ":" in host else host
        link = f"http://{address}:{bound.getsockname()[1]}/" + (
            f"?token={quote(token, safe='')}" if token else ""
        )
        telling.show({"link": link}, link)
        sys.stdout.flush()  # before the first rater, also where it is piped
        telling.note(f"answers are kept in {test}; Ctrl-C ends it")
        config = uvicorn.Config(app, http=Protocol, log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[bound])


def _bind(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise UserError(f"--port is {port}; it goes from 0 (any that is free) to 65535")
    try:
        family, kind, proto, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, proto)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(place)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise UserError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
    return bound
