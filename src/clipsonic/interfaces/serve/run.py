"""`clipsonic serve`: loads the model, and answers until it is told to stop."""

import importlib.util
import ipaddress
import os
import socket
import tempfile
from dataclasses import dataclass
from typing import Any

from clipsonic.errors import UserError
from clipsonic.interfaces.engine import Engine
from clipsonic.interfaces.serve.guard import PREFIX
from clipsonic.interfaces.serve.requests import Limits
from clipsonic.interfaces.start import uncollected
from clipsonic.interfaces.telling import made, note

NEEDED = {"fastapi": "fastapi", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
REQUEST_KEYS = ("query", "texts", "images", "video", "frames", "weights", "negative", "bridge", "to")
DRAWN_KEYS = ("guidance_scale", "guidance_interval", "steps")


@dataclass(frozen=True)
class Address:
    """Where the server answers, and whom."""

    host: str = "127.0.0.1"
    port: int = 7860  # 0 for any that is free
    token: str | None = None  # that requests must bring
    names: tuple[str, ...] = ()  # under which it answers besides, such as those of a proxy
    prefix: str | None = None  # path at which a proxy mounts it; None takes each request's X-Forwarded-Prefix

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def hosts(self) -> tuple[str, ...] | None:
        """Names that requests may give for the server; None for any.

        A web site may let its own name point to this machine: its pages could then read the answers.
        """
        if not self.is_local and not self.names:
            return None
        return (*LOOPBACK, self.shown, *self.names)

    @property
    def shown(self) -> str:
        """The host as it stands in addresses."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def check(self) -> None:
        """Refuses what cannot be.

        Raises:
            UserError: with what to give instead.
        """
        if not 0 <= self.port <= 65_535:
            raise UserError(f"--port is {self.port}; it goes from 0 (any that is free) to 65535")
        if self.token is not None and not (
            self.token.isascii() and self.token.isprintable() and " " not in self.token
        ):
            raise UserError("the token should be of ASCII letters, digits and signs, without spaces")
        if self.token == "":
            raise UserError("the token is empty; leave it out for none")
        if self.prefix and not PREFIX.fullmatch(self.prefix):
            raise UserError(
                f"--root-path must be a path such as /clip, without a slash at its end, got {self.prefix}"
            )

    def bind(self) -> socket.socket:
        """Takes the port.

        Raises:
            UserError: it is taken, or there is no such address here.
        """
        try:
            kind, _, _, _, place = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except OSError as error:
            raise UserError(f"no address {self.host} on this machine; choose another --host") from error
        taken = socket.socket(kind, socket.SOCK_STREAM)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(place)
        except OSError as error:
            taken.close()
            said = f"cannot answer at {self.host}, port {self.port}: {error.strerror}"
            raise UserError(f"{said}; choose another --port or --host") from error
        return taken


def run(
    address: Address,
    engine: Engine,
    bridge: str | None,
    limits: Limits,
    page: bool,
    grace: float,
    access_log: bool = False,
) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        bridge: for requests that name none; the model's own choice unless told.
        page: whether there is a web page besides the API.
        grace: seconds that a batch which is being made may take when the server is stopped.
        access_log: whether each answer is a line on the error stream.

    Raises:
        UserError: a package is missing, the port is taken, or the model cannot be had.
    """
    check_installed()
    address.check()
    engine.check()
    taken = address.bind()
    with taken:
        with uncollected():
            from clipsonic.interfaces.serve.api import build
            from clipsonic.interfaces.serve.jobs import Desk
            from clipsonic.interfaces.serve.server import Server
            from clipsonic.interfaces.serve.uploads import Uploads

            pipeline, name = engine.load(bridge)
            about = about_model(pipeline, name, engine)
            pipeline("a photo of a dog", num_inference_steps=1)  # what is made at the first call is made now
        uploads = Uploads()
        try:
            confine(str(uploads.folder))
            desk = Desk(pipeline, name, limits, about)
            line = note if access_log else None
            app = build(desk, uploads, limits, address.token, address.hosts, address.prefix, line, page)
            taken.listen()  # so that whoever reads where it answers is answered
            greet(address, taken.getsockname()[1], page)
            Server(app, desk, grace).run([taken])
            desk.close(0.0)
        finally:
            uploads.remove()


def check_installed() -> None:
    """Refuses to begin without the packages of the extra `serve`.

    Raises:
        UserError: with what to install.
    """
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise UserError(f'{", ".join(missing)} missing; install them: pip install "clipsonic[serve]"')


def confine(folder: str) -> None:
    """Write everything temporary of this process to a folder, by other packages too."""
    tempfile.tempdir = folder
    os.environ["TMPDIR"] = folder


def about_model(pipeline: Any, bridge: str, engine: Engine) -> dict[str, Any]:
    """What the sidecars of all clips say of the model."""
    from clipsonic.interfaces.asking import Asked, Query
    from clipsonic.interfaces.sidecar import describe

    page = describe(pipeline, bridge, Asked(Query(["any"], [])), engine)
    page |= {"picture_bridge": pipeline.config.picture_bridge}  # of requests that do not ask with zs
    return {name: value for name, value in page.items() if name not in (*REQUEST_KEYS, *DRAWN_KEYS)}


def greet(address: Address, port: int, page: bool) -> None:
    """Says where it answers."""
    url = f"http://{address.shown}:{port}"
    what = "the page; the API is described at /docs" if page else "the API is described at /docs"
    made({"url": url, "page": page, "token": address.token is not None}, f"{url}  {what}; Ctrl-C stops")
    if not address.is_local and address.token is None:
        note("warning: whoever reaches this machine can ask for sounds; set a token with CLIPSONIC_TOKEN")
