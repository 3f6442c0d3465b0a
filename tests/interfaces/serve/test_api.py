"""The API with a real client: what is asked for comes, and what is wrong is said in one line with its status."""

import io
import json
import multiprocessing
import os
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from PIL import Image

from clipsonic.interfaces.serve.jobs import Limits
from clipsonic.loudness import within_full_scale

from ...data.harmful import broken, hungry, starved
from ...films import write_film, write_record
from .conftest import LONG, QUICK, Served, raw, serving

SHORT = {"prompt": "rain", "steps": "2", "seconds": "0.5"}  # of a form
NAMES, READERS = {"picture": "image", "video": "video"}, {"picture": "_picture", "video": "_check"}


@pytest.fixture(scope="module")
def shared(tiny_pipeline) -> Iterator[Served]:
    """One server for all that it refuses."""
    with serving(tiny_pipeline, Limits()) as served:
        yield served


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 128).save(file, kind)
    return file.getvalue()


def huge_png(width: int = 30_000, height: int = 30_000) -> bytes:
    """A header that says so, and hardly any pixels behind it."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(10_000_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(20_000_000))
    return file.getvalue()


def left(served) -> list[str]:
    return sorted(path.name for path in served.uploads.folder.iterdir())


def test_a_sound_is_asked_for_and_fetched(served) -> None:
    answer = served.client.post(
        "/v1/sounds", json={"prompt": ["a dog"], "steps": 2, "seconds": 0.5, "seed": 4, "number": 2}
    )
    assert answer.status_code == 202
    page = answer.json()
    assert answer.headers["location"] == page["links"]["self"] == f"/v1/sounds/{page['id']}"
    assert len(page["id"]) >= 22  # 128 bits
    done = served.when_over(page["id"])
    assert (done["state"], done["progress"], done["error"]) == ("done", 1.0, None)
    assert [clip["seed"] for clip in done["clips"]] == [4, 5]
    first = done["clips"][0]
    for kind, tolerance in (("wav", 4e-5), ("flac", 4e-5), ("ogg", 1.0)):
        got = served.client.get(first[kind])
        assert got.headers["content-type"] == f"audio/{kind}"
        wave, rate = soundfile.read(io.BytesIO(got.content), dtype="float32")
        assert (rate, len(wave)) == (16_000, 8000)
        job = served.desk.get(page["id"])
        assert np.abs(wave - within_full_scale(job.clips[0][0])).max() < tolerance
    sidecar = served.client.get(first["page"]).json()
    assert (sidecar["seed"], sidecar["texts"], sidecar["steps"]) == (4, ["a dog"], 2)
    assert served.client.delete(page["links"]["self"]).status_code == 204
    assert served.client.get(page["links"]["self"]).status_code == 404
    assert served.client.get(first["wav"]).status_code == 404


def test_pictures_and_a_video_come_in_a_form_and_go_with_their_sound(served, tmp_path) -> None:
    files = [("image", ("../../etc/passwd", picture(kind))) for kind in ("PNG", "JPEG", "WEBP")]
    asked = {
        "prompt": ["rain", "wind"],
        "steps": "2",
        "seconds": "0.5",
        "weights": ["1", "1", "0.5", "0", "0"],
    }
    answer = served.client.post("/v1/sounds", data=asked, files=files)
    assert answer.status_code == 202, answer.text
    assert served.when_over(answer.json()["id"])["state"] == "done"
    film = write_film(tmp_path / "film.mp4", range(0, 1000, 100)).read_bytes()
    block = served.ask(**LONG)
    answer = served.client.post(
        "/v1/sounds", data={"steps": "2", "frames": "mean"}, files={"video": ("/etc/cron.d/x", film)}
    )
    assert answer.status_code == 202, answer.text
    (name,) = left(served)
    assert "cron" not in name
    assert stat.S_IMODE(served.uploads.folder.stat().st_mode) == 0o700
    waiting = served.client.post("/v1/sounds", data={"steps": "2"}, files={"video": ("x", film)}).json()
    assert len(left(served)) == 2
    served.client.delete(waiting["links"]["self"])
    assert left(served) == [name]
    served.client.delete(block["links"]["self"])
    done = served.when_over(answer.json()["id"])
    assert done["state"] == "done"
    assert abs(done["clips"][0]["seconds"] - 1.0) < 0.11
    assert left(served) == [name]  # its pictures go with the sound into an MP4
    film = served.client.get(done["clips"][0]["wav"].replace(".wav", ".mp4")).raise_for_status()
    assert film.headers["content-type"] == "video/mp4" and film.content[4:8] == b"ftyp"
    served.client.delete(done["links"]["self"])
    assert left(served) == []


def test_pictures_are_turned_upright_and_shrunk(served) -> None:
    from clipsonic.interfaces.serve.uploads import read_picture

    turned = Image.Exif()
    turned[0x0112] = 6  # taken on its side
    file = io.BytesIO()
    Image.new("RGB", (3000, 2000), "red").save(file, "JPEG", exif=turned)
    file.seek(0)
    shown = read_picture(file, Limits())
    assert max(shown.size) == 1024 == shown.height
    assert abs(shown.width - 683) <= 1
    for mode in ("1", "L", "P", "RGBA", "I;16"):
        shown = read_picture(io.BytesIO(picture("PNG", (2000, 100), mode)), Limits())
        assert shown.size == (1024, 51)
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).quantize().save(file, "GIF", transparency=0)
    file.seek(0)
    assert read_picture(file, Limits()).convert("RGBA").getpixel((0, 0))[3] == 0


def test_progress_is_followed(served) -> None:
    block = served.ask(**LONG)
    page = served.ask(prompt=["rain"], steps=30, seconds=2)
    said = []
    with served.client.stream("GET", page["links"]["events"]) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("event: "):
                said.append([line.removeprefix("event: ")])
            elif line.startswith("data: "):
                said[-1].append(json.loads(line.removeprefix("data: ")))
                if len(said) == 1:
                    assert said[0][1]["ahead"] == 1
                    served.client.delete(block["links"]["self"])
    assert [event for event, _ in said][-1] == "end"
    assert {event for event, _ in said[:-1]} == {"progress"}
    assert said[0][1]["state"] == "waiting"
    assert said[-1][1]["state"] == "done"
    grows = [page["progress"] for _, page in said]
    assert grows == sorted(grows)
    assert any(0 < progress < 1 for progress in grows)


def test_a_full_queue_is_429(serve) -> None:
    served = serve(queue=1)
    block = served.ask(**LONG)
    while served.client.get(block["links"]["self"]).json()["state"] != "running":
        time.sleep(0.01)
    waiting = served.ask()
    for again in ({"json": {"prompt": ["rain"]}}, {"data": SHORT, "files": {"image": picture()}}):
        refused = served.client.post("/v1/sounds", **again)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) < 120
        assert "the queue is full" in refused.json()["error"]
    assert served.client.get(waiting["links"]["self"]).json()["ahead"] == 1
    served.client.delete(block["links"]["self"])
    assert served.when_over(waiting["id"])["state"] == "done"


def test_the_token(serve) -> None:
    served = serve("s3cret")
    ways = [("POST", "/v1/sounds"), ("GET", "/v1/sounds/x"), ("DELETE", "/v1/sounds/x"), ("GET", "/metrics")]
    for method, path in ways:
        for brought in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret"}):
            refused = served.client.request(method, path, headers=brought)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert "s3cret" not in refused.text
    served.client.headers["Authorization"] = "Bearer s3cret"
    assert served.when_over(served.ask()["id"])["state"] == "done"
    assert served.client.get("/metrics").status_code == 200
    assert served.client.get("/health", headers={"Authorization": ""}).status_code == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"[" * 50_000, "Invalid JSON"),
        (b"[]", "object"),
        (b"{}", "say what to hear"),
        (b'{"prompt": ""}', "prompt.0"),
        (b'{"prompt": 5}', "prompt"),
        (b'{"prompt": ["  "]}', "prompt.0"),
        (b'{"prompt": [1]}', "prompt.0"),
        (b'{"prompt": ["\\ud800"]}', "Invalid JSON"),
        (json.dumps({"prompt": ["a" * 301]}).encode(), "300 characters"),
        (b'{"prompt": ["a"], "guidance_scale": NaN}', "guidance_scale"),
        (b'{"prompt": ["a"], "guidance_scale": 1e999}', "guidance_scale"),
        (b'{"prompt": ["a"], "seconds": -Infinity}', "seconds"),
        (b'{"prompt": ["a"], "seconds": 31}', "seconds"),
        (b'{"prompt": ["a"], "steps": 101}', "steps"),
        (b'{"prompt": ["a"], "steps": "2"}', "steps"),
        (b'{"prompt": ["a"], "number": 9}', "number"),
        (b'{"prompt": ["a"], "seed": -1}', "seed"),
        (b'{"prompt": ["a"], "weights": [NaN]}', "weights.0"),
        (b'{"prompt": ["a"], "weights": [1, 2]}', "2 weights for 1 queries"),
        (b'{"prompt": ["a"], "bridge": "../../sd"}', "bridge"),
        (b'{"prompt": ["a"], "video": "/etc/passwd"}', "video"),
        (b'{"prompt": ["a"], "frames": "7"}', "frames"),
    ],
)
def test_json_that_is_wrong_is_422(shared, body, said) -> None:
    answer = shared.client.post("/v1/sounds", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert said in answer.json()["error"]
    assert len(answer.text) < 250
    assert shared.desk.stats.waiting == shared.desk.stats.running == 0


PLAYLIST = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    ("name", "content", "status", "said"),
    [
        ("image", b"this is no picture", 415, "none of JPEG, PNG"),
        ("image", b"", 415, "none of JPEG, PNG"),
        ("image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, "none of JPEG, PNG"),
        ("image", zip_bomb(), 415, "none of JPEG, PNG"),
        ("image", picture()[:60], 422, "damaged"),
        ("image", huge_png(), 413, "100 million pixels"),
        ("image", huge_png(10_100, 10_000), 413, "100 million pixels"),
        ("image", huge_png(60_000, 60_000), 413, "100 million pixels"),
        ("video", b"this is no video", 415, "no MP4"),
        ("video", b"", 415, "no MP4"),
        ("video", PLAYLIST, 415, "no MP4"),
        ("video", b"ffconcat version 1.0\nfile /etc/passwd\n", 415, "no MP4"),
        ("video", zip_bomb(), 415, "no MP4"),
        ("video", b"\0\0\0\x18ftypisom" + bytes(500), 422, "damaged"),
        ("file", picture(), 422, "should be text, not a file"),
    ],
)
def test_files_that_are_wrong_are_refused_and_not_kept(shared, name, content, status, said) -> None:
    answer = shared.client.post("/v1/sounds", data=SHORT, files={name: ("a.png", content)})
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]
    assert "/" not in answer.json()["error"]
    assert left(shared) == []
    assert shared.desk.stats.waiting == shared.desk.stats.running == 0


@pytest.mark.parametrize("what", ["picture", "video"])
@pytest.mark.parametrize(
    ("harm", "said"),
    [(starved, "ran out of memory"), (broken, "crashed"), (hungry, "more than 4 GB of memory")],
)
@pytest.mark.slow
def test_files_that_kill_their_reader_are_refused(
    shared, monkeypatch, what: str, harm: Callable[..., None], said: str
) -> None:
    monkeypatch.setattr(f"clipsonic.interfaces.serve.uploads.{READERS[what]}", harm)
    answer = shared.client.post("/v1/sounds", data=SHORT, files={NAMES[what]: picture()})
    check_refused(shared, answer, f"the {what} cannot be read: ", said)


@pytest.mark.slow
def test_files_that_would_hold_their_reader_for_ever(shared, monkeypatch) -> None:
    monkeypatch.setattr("clipsonic.interfaces.serve.uploads.LOOK_SECONDS", 1.0)
    jpeg = shared.client.post("/v1/sounds", data=SHORT, files={"image": endless_jpeg()})
    check_refused(shared, jpeg, "the picture cannot be read: ", "too long")

    def keep(uploads, file) -> Path:
        os.mkfifo(uploads.folder / "pipe")
        return uploads.folder / "pipe"

    monkeypatch.setattr("clipsonic.interfaces.serve.uploads.Uploads.keep", keep)
    film = shared.client.post("/v1/sounds", data=SHORT, files={"video": b"any"})
    check_refused(shared, film, "the video cannot be read: ", "too long")


def check_refused(served: Served, answer: httpx.Response, *said: str) -> None:
    """The client has its line, nothing is left, and the server goes on."""
    error = answer.json()["error"]
    assert answer.status_code == 422, answer.text
    assert all(each in error for each in said), error
    assert "/" not in error
    assert left(served) == []
    assert not multiprocessing.active_children()
    assert served.when_over(served.ask()["id"])["state"] == "done"


def endless_jpeg() -> bytes:
    """A progressive picture whose last pass over 16 million pixels comes again and again."""
    file = io.BytesIO()
    Image.new("L", (4000, 4000), 128).save(file, "JPEG", progressive=True)
    whole = file.getvalue()
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + 100_000 * whole[last:-2] + whole[-2:]


def test_videos_that_would_cost_too_much(serve, tmp_path) -> None:
    served = serve(seconds=2.0)

    def post(film: bytes, **fields: str) -> httpx.Response:
        return served.client.post("/v1/sounds", data={"steps": "1"} | fields, files={"video": ("a", film)})

    long = write_film(tmp_path / "long.mkv", range(0, 4000, 100)).read_bytes()
    assert post(long).status_code == 413
    taken = post(long, seconds="1")
    assert taken.status_code == 202
    fast = write_film(tmp_path / "fast.mp4", range(0, 800)).read_bytes()  # a thousand pictures a second
    assert post(fast).status_code == 413
    record = write_record(tmp_path / "record.mp4").read_bytes()
    assert (post(record).status_code, post(record).json()["error"]) == (
        422,
        "the video has no moving pictures",
    )
    narrow = serve(pixels=20_000)
    film = write_film(tmp_path / "film.mp4", range(0, 500, 100)).read_bytes()
    wide = narrow.client.post("/v1/sounds", data={"steps": "1"}, files={"video": ("a", film)})
    assert (wide.status_code, left(narrow)) == (413, [])
    served.client.delete(taken.json()["links"]["self"])
    assert left(served) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"guidance_scale": "nan"}, "guidance_scale"),
        ({"seconds": "inf"}, "seconds"),
        ({"seconds": "1e999"}, "seconds"),
        ({"steps": "2.5"}, "steps"),
        ({"steps": ["2", "3"]}, "more than once"),
        ({"image": "/etc/passwd"}, "should be a file"),
        ({"a" * 500: "1"}, "aaa"),
        ({"prompt": ["a"] * 9}, "prompt"),
    ],
)
def test_fields_of_a_form_that_are_wrong_are_422(shared, fields, said) -> None:
    answer = shared.client.post("/v1/sounds", data=SHORT | fields, files={"image": picture()})
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["error"]
    assert len(answer.text) < 250


@pytest.mark.slow
def test_an_upload_of_two_gigabytes_is_refused_before_it_is_read(serve) -> None:
    served = serve(upload_bytes=2**20)
    head = b"POST /v1/sounds HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    head += b"Content-Type: multipart/form-data; boundary=b\r\n"
    told = raw(served.url, head + b"Content-Length: 2147483648\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 413")
    assert told.endswith(b'{"error":"the request has more than 1 MB"}')
    part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'

    sent = 0

    def endless():
        nonlocal sent
        yield part
        while sent < 2**31:
            sent += 2**16
            yield bytes(2**16)

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    try:
        answer = served.client.post("/v1/sounds", content=endless(), headers=kind)
        assert (answer.status_code, set(answer.json())) == (413, {"error"})
    except httpx.TransportError:  # it hung up on what went on being sent
        pass
    assert sent < 64 * 2**20
    json_kind = {"Content-Type": "application/json"}
    long = served.client.post("/v1/sounds", content=b'{"prompt": ["' + b"a" * 100_000, headers=json_kind)
    assert long.status_code == 413
    assert left(served) == []
    assert served.when_over(served.ask()["id"])["state"] == "done"


def test_a_slow_upload_is_given_up(serve) -> None:
    served = serve(upload_seconds=0.3)
    head = b"POST /v1/sounds HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    head += b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    assert raw(served.url, head).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b"prompt=rain", "application/x-www-form-urlencoded", 415),
        (b"rubbish", "multipart/form-data; boundary=b", 400),
        (b"rubbish", "multipart/form-data", 400),
    ],
)
def test_bodies_of_another_kind(shared, content, kind, status) -> None:
    answer = shared.client.post("/v1/sounds", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}


def test_one_prompt_needs_no_list(served) -> None:
    answer = served.client.post("/v1/sounds", json=QUICK | {"prompt": "a dog"})
    assert answer.status_code == 202, answer.text
    assert served.desk.get(answer.json()["id"]).request.texts == ["a dog"]


def test_head_is_answered_where_get_is(served) -> None:
    done = served.when_over(served.ask()["id"])
    for path in (
        "/health",
        "/docs",
        "/openapi.json",
        "/metrics",
        done["links"]["self"],
        done["clips"][0]["wav"],
    ):
        head, get = served.client.head(path), served.client.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
    assert served.client.head(done["clips"][0]["wav"]).headers["content-length"] == "16044"
    running = served.ask(**LONG)
    assert served.client.head(running["links"]["events"], timeout=2).status_code == 200
    assert served.client.head("/v1/sounds/unknown").status_code == 404
    assert served.client.head("/nothing").status_code == 404


def test_links_work_behind_a_proxy(serve) -> None:
    served = serve()
    behind = {"X-Forwarded-Prefix": "/clip"}  # as a proxy says that takes the prefix off
    answer = served.client.post("/v1/sounds", json=QUICK | {"prompt": ["a dog"]}, headers=behind)
    here = f"/clip/v1/sounds/{answer.json()['id']}"
    assert answer.headers["location"] == answer.json()["links"]["self"] == here
    served.when_over(answer.json()["id"])
    page = served.client.get(here.removeprefix("/clip"), headers=behind).json()
    assert page["clips"][0]["wav"] == f"{here}/clips/1.wav"
    assert page["links"]["events"] == f"{here}/events"
    assert served.client.get(here, headers=behind).json() == page  # of one that leaves it
    assert served.client.get("/openapi.json", headers=behind).json()["servers"] == [{"url": "/clip"}]
    for rubbish in ("//evil.example", "clip", "/a b", "/<script>", "/"):
        said = served.client.get(here.removeprefix("/clip"), headers={"X-Forwarded-Prefix": rubbish}).json()
        assert said["links"]["self"] == here.removeprefix("/clip")
    assert "servers" not in served.client.get("/openapi.json").json()


def test_sounds_are_listed_to_who_asked_for_them(serve) -> None:
    served = serve()
    nobody = served.ask()
    assert served.client.get("/v1/sounds").status_code == 403
    mine, other = {"Clipsonic-Session": "m" * 20}, {"Clipsonic-Session": "o" * 20}
    asked = [
        served.client.post("/v1/sounds", json=QUICK | {"prompt": word}, headers=mine).json()["id"]
        for word in ("rain", "wind")
    ]
    assert [page["id"] for page in served.client.get("/v1/sounds", headers=mine).json()] == asked[::-1]
    assert served.client.get("/v1/sounds", headers=other).json() == []
    assert served.client.get("/v1/sounds", headers={"Clipsonic-Session": "token"}).status_code == 422
    assert nobody["id"] not in served.client.get("/v1/sounds", headers=mine).text
    with_token = serve("s3cret")
    assert with_token.client.get("/v1/sounds").status_code == 401
    with_token.client.headers["Authorization"] = "Bearer s3cret"
    id = with_token.ask()["id"]
    with_token.client.post("/v1/sounds", json=QUICK | {"prompt": "rain"}, headers=mine)
    with_token.desk.submit(with_token.desk.get(id).request)  # as the page does
    assert [page["id"] for page in with_token.client.get("/v1/sounds").json()] == [id]


def test_the_access_log_holds_no_secrets(tiny_pipeline) -> None:
    lines: list[str] = []
    with serving(tiny_pipeline, Limits(), "s3cret", lines.append) as served:
        served.client.headers["Authorization"] = "Bearer s3cret"
        done = served.when_over(served.ask(prompt=["a red dog"])["id"])
        size = len(served.client.get(done["clips"][0]["wav"]).content)
        served.client.get("/v1/nothing%0Aelse?token=s3cret")
    assert [line.split()[1:5] for line in lines] == [
        ["127.0.0.1", "POST", "/v1/sounds", "202"],
        ["127.0.0.1", "GET", "/v1/sounds/*", "200"],
        ["127.0.0.1", "GET", "/v1/sounds/*/clips/1.wav", "200"],
        ["127.0.0.1", "GET", "/v1/nothing%0Aelse", "404"],
    ]
    assert lines[2].split()[5] == str(size)
    for secret in ("s3cret", "dog", done["id"]):
        assert secret not in "".join(lines)


def test_names_that_are_none(served) -> None:
    done = served.when_over(served.ask()["id"])
    here = done["links"]["self"]
    for path, status in (
        ("/v1/sounds/unknown", 404),
        ("/v1/sounds/..%2f..%2fetc%2fpasswd", 404),
        ("/v1/sounds/%00", 404),
        (f"{here}/clips/2.wav", 404),
        (f"{here}/clips/0.wav", 404),
        (f"{here}/clips/-1.json", 404),
        (f"{here}/clips/1.mp3", 404),
        (f"{here}/clips/nan.wav", 404),
        (f"{here}/clips/..%2f1.wav", 404),
        (f"{here}/clips/{'9' * 5000}.wav", 404),
        ("/v1/nothing", 404),
    ):
        answer = served.client.get(path)
        assert answer.status_code == status, (path, answer.text)
        assert set(answer.json()) == {"error"}
        assert len(answer.text) < 250
    traversal = (
        b"GET /v1/sounds/../../../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )
    assert raw(served.url, traversal).startswith(b"HTTP/1.1 404")
    wrong = served.client.put(here)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, DELETE")
    assert "count from 1" in served.client.get(f"{here}/clips/0.wav").json()["error"]
    assert raw(served.url, b"rubbish\r\n\r\n").endswith(b'"}')
    running = served.ask(**LONG)
    assert served.client.get(f"/v1/sounds/{running['id']}/clips/1.wav").status_code == 409


def test_what_pages_of_other_sites_may_not(served) -> None:
    rebound = served.client.get("/health", headers={"Host": "evil.example"})  # DNS rebinding
    assert (rebound.status_code, rebound.json()) == (400, {"error": "Invalid host header"})
    port = served.url.rsplit(":", 1)[1]
    for host in ("localhost", f"127.0.0.1:{port}", "[::1]:80", "LOCALHOST"):
        assert served.client.get("/health", headers={"Host": host}).status_code == 200
    for said in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = served.client.post("/v1/sounds", data=SHORT, files={"image": picture()}, headers=said)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    own = {"Origin": f"http://127.0.0.1:{port}"}
    assert (
        served.client.post("/v1/sounds", json={"prompt": ["a"], "steps": 1}, headers=own).status_code == 202
    )
    answer = served.client.get("/health")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in answer.headers


def test_a_mistake_of_ours_says_nothing_of_the_machine(served, monkeypatch) -> None:
    def broken(*words):
        raise RuntimeError("/home/somebody/secret")

    monkeypatch.setattr("clipsonic.interfaces.serve.jobs.checked", broken)
    answer = served.client.post("/v1/sounds", json={"prompt": ["a"]})
    assert answer.status_code == 500
    assert answer.json() == {"error": "a mistake of the program; its log says more"}


def test_health_metrics_and_reference(served) -> None:
    served.when_over(served.ask(number=2)["id"])
    served.client.get("/v1/sounds/unknown")
    health = served.client.get("/health").json()
    assert health["status"] == "ok"
    assert "zs" in health["bridges"]
    answer = served.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    values = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert values['clipsonic_jobs_ended_total{state="done"}'] == "1"
    assert values["clipsonic_clips_total"] == "2"
    assert values['clipsonic_responses_total{status="404"}'] == "1"
    assert float(values["clipsonic_resident_memory_bytes"]) > 1e7
    page = served.client.get("/docs")
    assert "/v1/sounds/{id}/events" in page.text
    assert "at most 300 characters" in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<script" not in page.text
    served.desk.close(5)
    assert served.client.get("/health").status_code == 503
    assert served.client.post("/v1/sounds", json={"prompt": ["a"]}).status_code == 503
