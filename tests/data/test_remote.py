"""Data sets behind a URL: the same batches, a bounded cache, and plain words for what goes wrong."""

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from clipsonic.data import remote
from clipsonic.data.dataset import ClipDataset, batches, encoder_of
from clipsonic.data.draws import Draws
from clipsonic.data.prepare import prepare
from clipsonic.data.shards import ShardIndex, read_info
from clipsonic.data.sources import find_videos
from clipsonic.errors import UserError
from clipsonic.files import cache_folder
from tests.helpers import tone, write_video

fsspec = pytest.importorskip("fsspec", reason="needs the extra clipsonic[remote]")
pytest.importorskip("aiohttp", reason="needs the extra clipsonic[remote]")


class Files(SimpleHTTPRequestHandler):
    """A web server's folder that knows one range a request."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if self.server.fails > 0:
            self.server.fails -= 1
            self.send_error(503)
        elif not path.is_file() or "Range" not in self.headers:
            self.server.asked.append(path.name)
            super().do_GET()
        else:
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            part = path.read_bytes()[first : last + 1]
            self.server.asked.append(f"{path.name} {len(part)}")
            self.send_response(206)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("Content-Range", f"bytes {first}-{last}/{path.stat().st_size}")
            self.end_headers()
            self.wfile.write(part)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, mini_encoder) -> Path:
    """Six clips in three shards."""
    folder = tmp_path_factory.mktemp("remote")
    for number in range(6):
        write_video(folder / "videos" / f"{number}.mp4", tone(3.0, 300 + 200 * number), 3.0)
    videos = find_videos([folder / "videos"])
    list(prepare(videos, folder / "data", mini_encoder, workers=1, shard_clips=2))
    return folder / "data"


@pytest.fixture
def data(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to do harm to, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "WAITS", (0.01, 0.01))
    return Path(shutil.copytree(prepared, tmp_path / "data"))


@pytest.fixture
def server(data: Path) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=data.parent))
    server.asked, server.fails = [], 0
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def at(server: ThreadingHTTPServer) -> Path:
    """As the command line hands on `--data http://...`."""
    return Path(f"http://127.0.0.1:{server.server_address[1]}/data")


def seen(folder: Path) -> list[torch.Tensor]:
    dataset = ClipDataset(folder, {"train"}, speed=0.05)
    drawn = zip(batches(dataset, Draws(len(dataset), 3, seed=1)), range(4), strict=False)
    return [part for batch, _ in drawn for part in (batch.wave, batch.embedding)]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) > 0 and all(map(torch.equal, one, other))


def bytes_kept() -> int:
    return sum(path.stat().st_size for path in (cache_folder() / "shards").glob("*"))


@pytest.mark.parametrize("gigabytes", ["1", "0", "0.00011"])
def test_the_same_batches_over_http(data, server, monkeypatch, gigabytes) -> None:
    """With room for all shards, for none, and for some."""
    monkeypatch.setenv(remote.BOUND, gigabytes)
    assert same(seen(at(server)), seen(data))
    assert bytes_kept() <= float(gigabytes) * 1e9
    whole = {name for name in server.asked if name.endswith(".tar")}
    parts = {name.split()[0] for name in server.asked if ".tar " in name}
    assert len(whole) == {"1": 3, "0": 0, "0.00011": 1}[gigabytes]
    assert whole | parts == {path.name for path in data.glob("*.tar")}
    assert not whole & parts
    server.asked.clear()
    assert same(seen(at(server)), seen(data))
    assert not [name for name in server.asked if name.endswith(".tar")]  # what is kept is not asked for again


def test_the_same_batches_from_any_store(data) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(f"{data}/", "/bucket/data", recursive=True)
    folder = Path("memory://bucket/data")
    assert same(seen(folder), seen(data))
    assert encoder_of(folder).id == encoder_of(data).id == read_info(folder).encoder_id
    memory.rm("/bucket", recursive=True)
    assert same(seen(data), seen(data))


def test_a_model_trained_from_a_url(data, server, tmp_path, tiny_settings) -> None:
    from clipsonic.training.loop import train
    from clipsonic.training.spectrogram import SpectrogramRecipe

    settings = tiny_settings.model_copy(
        update={"training": tiny_settings.training.model_copy(update={"steps": 1, "workers": 0})}
    )
    here, there = (SpectrogramRecipe(settings, place) for place in (data, at(server)))
    assert there.data_id == here.data_id  # a run may go on from either
    one, other = (next(train(recipe, tmp_path / name)) for name, recipe in {"h": here, "t": there}.items())
    assert one.losses == other.losses


def test_the_cache_makes_room_for_other_data(data, monkeypatch) -> None:
    """Never more than its bound, whatever is read; what was read last stays."""
    memory = fsspec.filesystem("memory")
    memory.put(f"{data}/", "/bucket/data", recursive=True)
    shards = [(f"memory://bucket/data/{name}", sum) for name, sum in read_info(data).shards.items()]
    size = max(path.stat().st_size for path in data.glob("*.tar"))
    monkeypatch.setenv(remote.BOUND, str(2 * size / 1e9))
    for second, number in enumerate((0, 1, 0, 2, 0, 1, 2), 10**9):
        path = remote.kept(*shards[number])
        assert path.read_bytes() == (data / f"shard-{number:06d}.tar").read_bytes()
        os.utime(path, (second, second))  # a clock that tells the reads apart
        assert bytes_kept() <= 2 * size
        if second == 10**9 + 3:
            assert {path.stem for path in path.parent.glob("*.tar")} == {shards[0][1], shards[2][1]}
    monkeypatch.setenv(remote.BOUND, str(size / 2e9))
    with pytest.raises(UserError, match="more than CLIPSONIC_SHARDS_GB allows"):
        remote.kept(*shards[0])
    memory.rm("/bucket", recursive=True)


@pytest.mark.parametrize("gigabytes", ["1", "0"])
def test_a_damaged_shard_is_refused(data, server, monkeypatch, gigabytes) -> None:
    monkeypatch.setenv(remote.BOUND, gigabytes)
    shard = data / "shard-000001.tar"
    index = ShardIndex.model_validate_json(shard.with_suffix(".index.json").read_bytes())
    content = bytearray(shard.read_bytes())
    for clip in index.clips:  # one bit of each sound
        content[clip.sound[0] + clip.sound[1] // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(UserError, match=r"shard-000001\.tar is damaged"):
        seen(at(server))
    assert not list((cache_folder() / "shards").glob(f"{index.sha256}*"))


def test_indexes_that_are_not_of_this_data_are_refused(data, server) -> None:
    index = data / "shard-000001.index.json"
    right = index.read_text("utf-8")
    index.write_text(right[:-20])
    with pytest.raises(UserError, match=r"index of .* is damaged"):
        ClipDataset(at(server))
    index.write_text((data / "shard-000000.index.json").read_text("utf-8"))
    with pytest.raises(UserError, match="not of this data set"):
        ClipDataset(at(server))
    index.unlink()
    with pytest.raises(UserError, match=r"cannot be read: FileNotFoundError"):
        ClipDataset(at(server))


def test_a_server_that_goes_away_gives_one_line(data, monkeypatch) -> None:
    monkeypatch.setenv(remote.BOUND, "0")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=data.parent))
    server.asked, server.fails = [], 0
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    dataset = ClipDataset(at(server), {"train"}, speed=0.05)
    work = batches(dataset, Draws(len(dataset), 3, seed=1))
    first = next(work)
    assert same([first.wave, first.embedding], seen(data)[:2])
    server.shutdown()
    server.server_close()
    thread.join()
    with pytest.raises(UserError, match=r"cannot be read.*goes on when it can$") as told:
        next(work)
    assert "\n" not in str(told.value)
    assert str(told.value).startswith("http://127.0.0.1")


def test_one_line_from_a_reader_process_too(data) -> None:
    dataset = ClipDataset(data)
    shard = remote.RemoteShard("nosuch://bucket/shard-000000.tar", "", whole=False)
    dataset.clips = [(shard, clip) for _, clip in dataset.clips]
    with pytest.raises(UserError, match=r"^nosuch://.* cannot be read: Protocol not known: nosuch$"):
        next(batches(dataset, Draws(len(dataset), 2, seed=1), workers=1))


def test_a_hiccup_is_waited_for_and_a_server_without_parts_is_named(data, server, monkeypatch) -> None:
    server.fails = 2
    assert read_info(at(server)) == read_info(data)
    monkeypatch.setenv(remote.BOUND, "0")
    monkeypatch.setattr(Files, "do_GET", SimpleHTTPRequestHandler.do_GET)
    with pytest.raises(UserError, match="gives no parts of files"):
        seen(at(server))


def test_what_is_a_url(tmp_path, monkeypatch) -> None:
    assert remote.url_of(Path("s3://bucket/data")) == "s3://bucket/data"
    assert remote.url_of(Path("https://host:80/a/b")) == "https://host:80/a/b"
    assert remote.url_of(Path("data")) is remote.url_of(tmp_path) is remote.url_of(Path("C:/data")) is None
    monkeypatch.chdir(tmp_path)
    Path("odd:/data").mkdir(parents=True)
    assert remote.url_of(Path("odd:/data")) is None
    monkeypatch.setenv(remote.BOUND, "much")
    with pytest.raises(UserError, match="no number of gigabytes"):
        remote.bound()
    with pytest.raises(UserError, match="cannot be read: Protocol not known"):
        read_info(Path("nosuch://bucket/data"))
