"""The HTTP server, and how it stops: what runs is finished and can still be fetched, what waits is handed back."""

import json
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

if TYPE_CHECKING:
    import socket

    from clipsonic.interfaces.serve.jobs import Desk

LINGER = 2.0  # seconds: more than clients take between two looks
CONNECTIONS = 256  # at once


class Server:
    """An application at an address.

    Args:
        grace: seconds that a batch which is being made may take when the server is stopped.
        linger: seconds for which what was finished then can be fetched.
    """

    def __init__(self, app: Any, desk: "Desk", grace: float, linger: float = LINGER) -> None:
        self.desk, self.grace, self.linger = desk, grace, linger
        self._stopping = False
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="error",  # whoever sends rubbish could fill the log with warnings
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            http=Protocol,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=5,
        )
        self._server = _Uvicorn(config, self)

    def run(self, sockets: "Sequence[socket.socket]") -> None:
        """Answers until SIGTERM or SIGINT; a second one ends it at once."""
        self._server.run(list(sockets))

    def stop(self) -> None:
        """Begins to stop, without waiting for it; called again, waits for nothing any more."""
        if self._stopping:
            self._server.should_exit = self._server.force_exit = True
            return
        self._stopping = True
        threading.Thread(target=self._leave, name="clipsonic-stop", daemon=True).start()

    def _leave(self) -> None:
        ran = self.desk.stats.running
        self.desk.close(self.grace)
        if ran:
            time.sleep(self.linger)
        self._server.should_exit = True


class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # one of two classes, by what is installed
    """HTTP as uvicorn reads it; what is no HTTP is answered in JSON, as every other error."""

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read, and close the connection."""
        body = json.dumps({"error": msg}).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


class _Uvicorn(uvicorn.Server):
    """uvicorn, but that a signal is not raised again when all is done: the process then ends well."""

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self._owner = server

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM and SIGINT alike."""
        self._owner.stop()
