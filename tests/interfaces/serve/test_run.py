"""`clipsonic serve` itself: what it refuses, where it answers, and how it stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from clipsonic.errors import UserError
from clipsonic.interfaces.serve.run import Address


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "python_multipart"])
def test_without_the_extra_it_says_what_to_install(clipsonic_command, monkeypatch, missing) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else real(name))
    code, said = clipsonic_command("serve")
    assert code == 2
    assert 'pip install "clipsonic[serve]"' in said
    assert missing.replace("_", "-") in said
    assert "Traceback" not in said


def test_a_port_that_is_taken(clipsonic_command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = clipsonic_command("serve", "--port", str(taken.getsockname()[1]))
    assert code == 2
    assert "choose another --port" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "70000"], "0 (any that is free) to 65535"),
        (["--host", "256.0.0.1"], "choose another --host"),
        (["--token", ""], "the token is empty"),
        (["--token", "a b"], "without spaces"),
        (["--model", "nothing/here/at/all", "--port", "0"], "nothing/here/at/all"),
        (["--backend", "magic"], "got magic"),
    ],
)
def test_what_cannot_be_is_refused(clipsonic_command, words, said) -> None:
    code, printed = clipsonic_command("serve", "--no-page", *words)
    assert code == 2
    assert said in " ".join(printed.split())
    assert "Traceback" not in printed


def test_whom_it_answers() -> None:
    assert Address().is_local
    assert Address("::1").shown == "[::1]"
    assert {"localhost", "127.0.0.1", "[::1]"} <= set(Address().hosts or ())
    everywhere = Address("0.0.0.0")
    assert not everywhere.is_local
    assert everywhere.hosts is None
    assert "sounds.example.org" in (Address("0.0.0.0", names=("sounds.example.org",)).hosts or ())
    with pytest.raises(UserError, match="no address"):
        Address("no.such.host.invalid").bind()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.slow
def test_it_stops_well(tiny_model, tmp_path: Path, stop) -> None:
    words = ["serve", "--no-page", "--port", "0", "--json", "--model", str(tiny_model), "--max-steps", "1000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "clipsonic", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)},
    )
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        with httpx.Client(base_url=url, timeout=60) as client:
            ask = {"prompt": ["rain"], "seconds": 1}
            running = client.post("/v1/sounds", json=ask | {"steps": 25}).json()["links"]["self"]
            while client.get(running).json()["state"] != "running":
                time.sleep(0.01)
            waiting = client.post("/v1/sounds", json=ask).json()["links"]["self"]
            assert len(list(tmp_path.iterdir())) == 1
            process.send_signal(stop)
            while client.get("/health").json()["status"] != "stopping":
                time.sleep(0.01)
            assert client.post("/v1/sounds", json=ask).status_code == 503
            handed_back = client.get(waiting).json()
            assert (handed_back["state"], handed_back["error"]) == ("cancelled", "the server is stopping")
            while (page := client.get(running).json())["state"] == "running":
                time.sleep(0.02)
            assert page["state"] == "done"
            assert len(client.get(page["clips"][0]["wav"]).content) == 32_044
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert said == ""
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.wait()
