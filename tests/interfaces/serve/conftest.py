"""A server as it runs, on a port of its own, over the tiny model."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from clipsonic.interfaces.serve.api import build
from clipsonic.interfaces.serve.jobs import Desk, Limits
from clipsonic.interfaces.serve.run import Address
from clipsonic.interfaces.serve.server import Server
from clipsonic.interfaces.serve.uploads import Uploads
from tests.helpers import PATIENCE

QUICK = {"steps": 2, "seconds": 0.5}
LONG = {"steps": 100, "seconds": 4}  # some seconds of work, so that something can happen meanwhile


@dataclass
class Served:
    desk: Desk
    uploads: Uploads
    url: str
    client: httpx.Client

    def ask(self, **fields: Any) -> dict[str, Any]:
        answer = self.client.post("/v1/sounds", json=QUICK | {"prompt": ["a dog"]} | fields)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def when_over(self, id: str) -> dict[str, Any]:
        job = self.desk.get(id)
        assert job is not None
        assert job.wait(PATIENCE)
        return self.client.get(f"/v1/sounds/{id}").json()


@contextmanager
def serving(
    pipeline: Any, limits: Limits, token: str | None = None, log: Callable[[str], None] | None = None
) -> Iterator[Served]:
    desk, uploads = Desk(pipeline, "zs", limits), Uploads()
    taken = Address(port=0).bind()
    taken.listen()
    app = build(desk, uploads, limits, token, Address().hosts, log=log)
    server = Server(app, desk, 0.0, 0.0)
    thread = threading.Thread(target=server.run, args=([taken],))
    thread.start()
    url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    try:
        with httpx.Client(base_url=url, timeout=60) as client:
            yield Served(desk, uploads, url, client)
    finally:
        server.stop()
        thread.join(30)
        taken.close()
        uploads.remove()
        assert not thread.is_alive()


@pytest.fixture
def serve(tiny_pipeline) -> Iterator[Callable[..., Served]]:
    """Begins a server with limits of the test's own; it is stopped afterwards."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda token=None, **limits: stack.enter_context(
            serving(tiny_pipeline, Limits(**limits), token)
        )


@pytest.fixture
def served(serve) -> Served:
    return serve()


class Stepped:
    """The tiny pipeline, but that a call of 100 steps waits before each until `go` lets it take some."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline, self._steps = pipeline, threading.Semaphore(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    def go(self, steps: int) -> None:
        self._steps.release(steps)

    def __call__(self, *args: Any, num_inference_steps: int, on_step: Any, **settings: Any) -> Any:
        if num_inference_steps != LONG["steps"]:
            return self._pipeline(*args, num_inference_steps=num_inference_steps, on_step=on_step, **settings)
        for step in range(num_inference_steps):
            while not self._steps.acquire(timeout=0.01):
                on_step(step)  # which raises when it is cancelled
            on_step(step + 1)
        return self._pipeline(*args, num_inference_steps=1, **settings)


@pytest.fixture
def desk(tiny_pipeline) -> Iterator[Callable[..., Desk]]:
    """Makes desks with limits of the test's own over a pipeline that waits; they are closed afterwards."""
    made: list[Desk] = []

    def begin(**limits: Any) -> Desk:
        made.append(Desk(Stepped(tiny_pipeline), "zs", Limits(**limits)))
        return made[-1]

    yield begin
    for each in made:
        each.close(0)


def raw(url: str, *pieces: bytes) -> bytes:
    """What a server answers to bytes as they are."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while more := connection.recv(65536):
            answer += more
        return answer
