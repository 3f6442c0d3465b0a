"""`clipsonic models` beside a hub of our own; a process a run, since the hub's client reads its settings once."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clipsonic import published
from clipsonic.errors import UserError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BIG = bytes(range(256)) * 12_000  # 3 MB
HALF = 1 << 20
VGGISH = f"vggish-{hashlib.sha256(BIG).hexdigest()[:8]}.pth"


class Hub:
    """A model hub and a web site on one port; `files` says what they hold."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []  # what was downloaded, and its Range
        self.stall: set[str] = set()  # names whose first download stops in the middle
        self.broken: set[str] = set()  # names that come with another last byte
        self.ranges = True  # whether Range is understood
        self.stalled, self.go_on = threading.Event(), threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer(body=False)

            def do_GET(self) -> None:
                self.answer(body=True)

            def answer(self, body: bool) -> None:
                name = self.path.lstrip("/").replace("/resolve/main/", "/")
                if name not in hub.files:
                    self.send_response(404)
                    self.send_header("X-Error-Code", "EntryNotFound")
                    self.send_header("X-Repo-Commit", COMMIT)
                    self.end_headers()
                    return
                content = hub.files[name]
                asked = self.headers.get("Range") if hub.ranges else None
                start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
                self.send_response(206 if asked else 200)
                self.send_header("Content-Length", str(len(content) - start))
                self.send_header("ETag", f'"{etag(content)}"')
                self.send_header("X-Repo-Commit", COMMIT)
                self.end_headers()
                if not body:
                    return
                hub.asked.append((name, asked))
                if name in hub.broken:
                    content = content[:-1] + b"?"
                if name in hub.stall:
                    hub.stall.remove(name)
                    self.wfile.write(content[start:HALF])
                    hub.stalled.set()
                    hub.go_on.wait(60)
                    self.close_connection = True
                    return
                self.wfile.write(content[start:])

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def publish(self, name: str) -> None:
        """Every file of a row, the weights big."""
        row = published.PUBLISHED[name]
        for file in row.files:
            *_, last = file.split("|")
            weights = last.endswith((".safetensors", ".bin", ".pt", ".pth"))
            self.files[f"{row.source}/{last}"] = BIG if weights else last.encode()


def etag(content: bytes) -> str:
    """As the hub's: SHA-256 of what is in git LFS, else git's SHA-1."""
    if len(content) > 1000:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.go_on.set()
    hub.server.shutdown()
    hub.server.server_close()


class Shell:
    """Runs `clipsonic models` with caches of its own, and with VGGish published by the hub."""

    def __init__(self, home: Path, hub: Hub) -> None:
        self.home = home
        self.cache = home / "hub"
        self.torch = home / "torch" / "hub" / "checkpoints"
        self.environment = os.environ | {
            "HF_HUB_OFFLINE": "0",
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(home),
            "TORCH_HOME": str(home / "torch"),
            "COLUMNS": "200",
        }
        self.environment.pop("HF_HUB_CACHE", None)
        self.code = (
            "import sys, dataclasses, clipsonic.published as published\n"
            "from clipsonic.interfaces import cli\n"
            f"place = {{'source': '{hub.url}/{VGGISH}', 'files': ('{VGGISH}',)}}\n"
            "row = published.PUBLISHED['vggish']\n"
            "published.PUBLISHED['vggish'] = dataclasses.replace(row, **place)\n"
            "try: cli.main()\n"
            "finally: assert 'torch' not in sys.modules\n"
        )

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", self.code, "models", *words],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str, **environment: str) -> tuple[int, str]:
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in err, err
        assert "Error" not in out
        return process.returncode, out + err

    def leftovers(self) -> list[str]:
        """Unfinished files and locks of ours."""
        return [path.name for path in self.home.rglob("*") if ".part" in path.name]


@pytest.fixture
def shell(tmp_path, hub) -> Shell:
    return Shell(tmp_path / "home", hub)


def one_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.startswith("clipsonic: ")]
    assert len(lines) == 1, said
    return lines[0]


def test_the_table_is_sound() -> None:
    assert list(published.PUBLISHED) == [row.name for row in published.TABLE]
    for row in published.TABLE:
        assert row.kind != "hub" or re.fullmatch(r"[\w.-]+/[\w.-]+", row.source)
        assert (row.kind == "package") == (row.files == ())
        assert row.kind != "url" or row.source.endswith("/" + row.files[0])
        assert row.licence
        assert row.megabytes > 0


def test_what_came_with_clipsonic_is_found() -> None:
    assert (published.require("mini") / "model_index.json").exists()
    assert list(published.require("efficientnet-lite0").glob("**/*"))
    assert published.require("minilm").is_dir()


def test_require_tells_how_to_get_what_is_absent(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / "vggish-10086976.pth"
    assert published.locate("vggish") is None
    with pytest.raises(UserError) as refusal:
        published.require("vggish")
    for word in ("clipsonic models fetch vggish", str(place), "https://github.com/harritaylor/torchvggish/"):
        assert word in str(refusal.value)
    place.parent.mkdir(parents=True)
    place.touch()
    assert published.require("vggish") == place
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert published.torch_hub_folder() == tmp_path / "torch" / "hub" / "checkpoints"
    with pytest.raises(UserError, match="no model 'vgish'; clipsonic knows mini, "):
        published.locate("vgish")


def test_lists_what_is_here_and_what_is_not(shell) -> None:
    code, said = shell()
    assert code == 0
    for word in ("clip ", "about 1710 MB", "MIT", "absent: clipsonic models fetch vggish", "weights/mini"):
        assert word in said
    code, said = shell("--json")
    rows = {row["name"]: row for row in json.loads(said)}
    assert list(rows) == list(published.PUBLISHED)
    assert rows["clip"]["path"] is None
    assert rows["clip"]["source"] == "openai/clip-vit-large-patch14"
    assert rows["mini"]["path"].endswith("mini")


@pytest.mark.slow
def test_fetches_from_hub_and_web_into_their_usual_places(shell, hub) -> None:
    hub.publish("clap")  # whose weights are published as pytorch_model.bin: the second choice
    hub.files[VGGISH] = BIG
    code, said = shell("fetch", "clap", "vggish", "mini")
    assert code == 0, said
    for word in ("licence Apache-2.0", "3.1/3.1 MB", "vggish is here", "mini is installed with clipsonic"):
        assert word in said
    snapshot = shell.cache / "models--laion--clap-htsat-fused" / "snapshots" / COMMIT
    assert (snapshot / "pytorch_model.bin").read_bytes() == BIG
    assert (snapshot / "config.json").read_bytes() == b"config.json"
    assert (shell.torch / VGGISH).read_bytes() == BIG
    assert not shell.leftovers()
    rows = {row["name"]: row for row in json.loads(shell("--json")[1])}
    assert rows["clap"]["path"] == str(snapshot)
    assert rows["vggish"]["path"] == str(shell.torch / VGGISH)

    hub.asked.clear()
    assert shell("fetch", "clap", "vggish", HF_HUB_OFFLINE="1")[0] == 0  # all is here: no network is needed
    assert not hub.asked
    code, said = shell("check")
    assert code == 0
    assert "clap: as published" in said
    assert "clip: 0 of 8 files are here" in said
    code, said = shell("check", "clip")
    assert code == 2
    assert "absent: clip; `clipsonic models fetch clip`" in one_line(said)


def test_files_of_subfolders_are_fetched(shell, hub) -> None:
    hub.publish("karlo-prior")
    assert shell("fetch", "karlo-prior")[0] == 0
    folder = shell.cache / "models--kakaobrain--karlo-v1-alpha" / "snapshots" / COMMIT
    assert (folder / "prior" / "diffusion_pytorch_model.safetensors").read_bytes() == BIG
    rows = {row["name"]: row["path"] for row in json.loads(shell("--json")[1])}
    assert rows["karlo-prior"] == str(folder)


@pytest.mark.parametrize("name", ["vggish", "bigvgan-24khz"])
@pytest.mark.slow
def test_ctrl_c_leaves_what_the_same_command_goes_on_from(shell, hub, name) -> None:
    hub.publish("bigvgan-24khz")
    hub.files[VGGISH] = BIG
    weights = VGGISH if name == "vggish" else "nvidia/bigvgan_v2_24khz_100band_256x/bigvgan_generator.pt"
    hub.stall.add(weights)
    process = shell.start("fetch", name)
    assert hub.stalled.wait(60)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not any(path.stat().st_size for path in shell.home.rglob("*.part")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "the same command goes on from here" in said
    assert "Traceback" not in said
    (part,) = shell.home.rglob("*.part")
    kept = part.stat().st_size
    assert 0 < kept <= HALF
    rows = {row["name"]: row["path"] for row in json.loads(shell("--json")[1])}
    assert rows[name] is None  # half a file is no file

    code, said = shell("fetch", name)
    assert code == 0, said
    assert hub.asked[-1] == (weights, f"bytes={kept}-")
    assert shell("check", name)[0] == 0
    assert not shell.leftovers()


def test_a_broken_connection_is_taken_up_again(shell, hub) -> None:
    hub.files[VGGISH] = BIG
    hub.stall.add(VGGISH)
    hub.go_on.set()  # the first answer ends in the middle
    code, said = shell("fetch", "vggish")
    assert code == 0, said
    (_, first), (_, second) = hub.asked
    assert first is None
    assert re.fullmatch(r"bytes=[1-9]\d*-", second or "")
    assert (shell.torch / VGGISH).read_bytes() == BIG


def test_what_was_left_is_used_if_it_can_be(shell, hub) -> None:
    hub.files[VGGISH] = BIG
    hub.ranges = False
    part = shell.torch / f"{VGGISH}.part"
    for left, downloads in ((BIG[:HALF], 1), (BIG, 0), (BIG + b"more", 1), (b"other" * 9, 1)):
        hub.asked.clear()
        shell.torch.mkdir(parents=True, exist_ok=True)
        part.write_bytes(left)
        code, said = shell("fetch", "vggish")
        assert code == 0, said
        assert len(hub.asked) == downloads
        assert (shell.torch / VGGISH).read_bytes() == BIG
        (shell.torch / VGGISH).unlink()


@pytest.mark.parametrize("name", ["vggish", "bigvgan-24khz"])
def test_what_has_another_checksum_is_refused_and_removed(shell, hub, name) -> None:
    hub.publish("bigvgan-24khz")
    hub.files[VGGISH] = BIG
    hub.broken |= {VGGISH, "nvidia/bigvgan_v2_24khz_100band_256x/bigvgan_generator.pt"}
    code, said = shell("fetch", name)
    assert code == 2
    assert "is damaged: its checksum is not" in one_line(said)
    assert "it was deleted" in one_line(said)
    assert not shell.leftovers()
    assert not list(shell.home.rglob("*generator.pt"))
    assert not list(shell.home.rglob(VGGISH))


@pytest.mark.parametrize("file", ["config.json", "bigvgan_generator.pt"])
def test_a_file_that_was_damaged_later_is_found_and_mended(shell, hub, file) -> None:
    hub.publish("bigvgan-24khz")
    shell("fetch", "bigvgan-24khz")
    path = shell.cache / "models--nvidia--bigvgan_v2_24khz_100band_256x" / "snapshots" / COMMIT / file
    right = path.read_bytes()
    path.write_bytes(b"?" + right[1:])
    code, said = shell("check", "bigvgan-24khz")
    assert code == 2
    assert f"damaged: {path} of bigvgan-24khz" in one_line(said)
    code, said = shell("fetch", "bigvgan-24khz")
    assert code == 0, said
    assert f"{file} was damaged and has been deleted; it is fetched again" in said
    assert path.read_bytes() == right


@pytest.mark.parametrize("name", ["vggish", "clip"])
def test_without_network_one_line_says_what_to_place_where(shell, hub, name) -> None:
    by_hand = (
        str(shell.torch / VGGISH) if name == "vggish" else "a folder of yours and name that folder instead"
    )
    code, said = shell("fetch", name, HF_HUB_OFFLINE="1")
    assert code == 2
    assert f"HF_HUB_OFFLINE is set, so {name} is not fetched" in one_line(said)
    assert by_hand in one_line(said)
    hub.server.shutdown()
    hub.server.server_close()
    code, said = shell("fetch", name)
    assert code == 2
    assert f"{name} cannot be fetched from {hub.url}" in one_line(said)
    assert "onnection refused" in one_line(said)
    assert by_hand in one_line(said)
    assert not [path for path in shell.home.rglob("*") if path.is_file() and path.stat().st_size]


def test_what_the_hub_does_not_have_is_told(shell, hub) -> None:
    code, said = shell("fetch", "clip")
    assert code == 2
    assert "clip cannot be fetched from" in one_line(said)
    code, said = shell("fetch", "vggish")
    assert code == 2
    assert "404" in one_line(said)
    code, said = shell("fetch", "clipp")
    assert code == 2
    assert "no model 'clipp'; clipsonic knows mini" in one_line(said)
