"""What the server of a test answers, to raters and to those who try something else."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from clipsonic.interfaces.listen.app import build_app
from clipsonic.interfaces.listen.plan import ANSWERS, read_plan
from clipsonic.interfaces.listen.store import MOST_CHANGES, Store
from tests.interfaces.listen.conftest import LABELS, SYSTEMS

KEY, OTHER = "0" * 32, "1" * 32
GOOD = {"rating": 4, "plays": 1, "click": "a" * 32}


@pytest.fixture
def store(made_test: Path) -> Iterator[Store]:
    store = Store(made_test)
    yield store
    store.close()


@pytest.fixture
def client(made_test: Path, store: Store) -> Iterator[TestClient]:
    with TestClient(
        build_app(made_test, read_plan(made_test), store, "word"), base_url="http://test"
    ) as client:
        yield client


@pytest.fixture
def rater(client: TestClient) -> TestClient:
    assert client.post("/api/join", json={"key": KEY, "token": "word"}).status_code == 200
    return client


def stored(test: Path) -> list[tuple[str, int]]:
    with sqlite3.connect(test / ANSWERS) as db:
        rows = db.execute("SELECT trial, rating FROM answers ORDER BY id").fetchall()
    db.close()
    return rows


def test_nothing_that_a_rater_can_reach_names_a_system(rater: TestClient, made_test: Path) -> None:
    trials = rater.get("/api/trials").json()
    assert (len(trials["trials"]), trials["total"]) == (5, 10)  # relevance comes later
    assert not any(label in str(trials) for label in LABELS)  # and with it the words
    for trial in trials["trials"]:
        said = rater.put(f"/api/trials/{trial['trial']}", json=GOOD | {"click": trial["trial"][-1] * 32})
        assert said.json() == {"rating": 4}
    everything = rater.get("/api/trials").json()["trials"]
    assert len(everything) == 10 and all(trial["text"] for trial in everything[5:])
    texts = [str(everything), rater.get("/").text, rater.get("/listen.js").text, rater.get("/api/test").text]
    for trial in everything:
        sound = rater.get(f"/{trial['clip']}")
        assert sound.status_code == 200 and sound.content.startswith(b"fLaC")
        texts += [str(sound.headers), sound.content.decode("latin1")]
    assert not any(name in text for text in texts for name in SYSTEMS)


def test_raters_are_told_how_long_it_takes(client: TestClient, made_test: Path) -> None:
    plan = read_plan(made_test)
    assert plan.clip_seconds == 0.3
    assert client.get("/api/test").json()["minutes"] == plan.minutes == 2  # 60 s, and 10 clips of 0.3 and 5 s
    assert plan.model_copy(update={"clip_seconds": 4.0, "trials": 24}).minutes == 9
    assert plan.model_copy(update={"clip_seconds": None}).minutes is None  # of an earlier version


def test_head_is_answered_as_get(rater: TestClient) -> None:
    for address in ("/", "/api/test", f"/{rater.get('/api/trials').json()['trials'][0]['clip']}"):
        head, get = rater.head(address), rater.get(address)
        assert (head.status_code, head.headers["content-type"]) == (200, get.headers["content-type"])
    assert rater.head("/nothing").status_code == 404


def test_a_part_of_a_sound_can_be_had(rater: TestClient) -> None:
    address = rater.get("/api/trials").json()["trials"][0]["clip"]
    part = rater.get(f"/{address}", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"fLaC")  # Safari plays nothing without


WRONG = {
    "7": b'{"rating": 7, "plays": 1, "click": "%s"}',
    "0": b'{"rating": 0, "plays": 1, "click": "%s"}',
    "nan": b'{"rating": NaN, "plays": 1, "click": "%s"}',
    "infinite": b'{"rating": Infinity, "plays": 1, "click": "%s"}',
    "text": b'{"rating": "4", "plays": 1, "click": "%s"}',
    "true": b'{"rating": true, "plays": 1, "click": "%s"}',
    "half": b'{"rating": 3.5, "plays": 1, "click": "%s"}',
    "huge": b'{"rating": 1' + b"0" * 400 + b', "plays": 1, "click": "%s"}',
    "not played": b'{"rating": 4, "plays": 0, "click": "%s"}',
    "no click": b'{"rating": 4, "plays": 1}',
    "more": b'{"rating": 4, "plays": 1, "system": "ZS", "click": "%s"}',
    "null": b"null",
    "list": b"[[[[]]]]",
    "no JSON": b"rating=4",
    "no UTF-8": b'{"rating": 4, "plays": 1, "click": "\xff"}',
    "nothing": b"",
}


def test_wrong_answers_are_refused_in_few_words(rater: TestClient, made_test: Path) -> None:
    for name, body in WRONG.items():
        content = body.replace(b"%s", b"a" * 32)
        said = rater.put("/api/trials/1-001", content=content, headers={"Content-Type": "application/json"})
        assert said.status_code == (400 if name == "no UTF-8" else 422), name
        assert list(said.json()) == ["error"] and len(said.text) < 80, name
    assert stored(made_test) == []


STRANGE = ["1-999", "2-001", "x", "..%2F..%2Fplan.json", "1-001%00", "%F0%9F%94%94", "1-001' OR 1=1 --"]


def test_trials_that_do_not_exist_or_not_yet(rater: TestClient, made_test: Path) -> None:
    for trial in STRANGE:
        said = rater.put(f"/api/trials/{trial}", json=GOOD)
        assert said.status_code == 404 and len(said.text) < 80, trial
    assert stored(made_test) == []


ELSEWHERE = [
    "/clips/..%2Fplan.json",
    "/clips/../plan.json",
    "/clips/%2e%2e/plan.json",
    "/clips/..%5Cplan.json",
    "/clips/%2Fetc%2Fpasswd",
    "/clips/0.flac",
    "/clips/",
    "/pictures/..%2Fanswers.sqlite",
    "/plan.json",
    "/answers.sqlite",
    "/clips/a%00.flac",
    "/docs",
    "/openapi.json",
    "/report.html",
]


def test_other_files_cannot_be_reached(rater: TestClient) -> None:
    for address in ELSEWHERE:
        said = rater.get(address)
        assert said.status_code == 404 and len(said.text) < 80 and "ZS" not in said.text, address


def test_who_has_no_link_takes_no_part(client: TestClient, made_test: Path, store: Store) -> None:
    clip = read_plan(made_test).clips[0].name
    for page in ({"key": KEY}, {"key": KEY, "token": "wörd"}, {"key": KEY, "token": ""}):
        assert client.post("/api/join", json=page).status_code == 403
    for page in ({"key": "x", "token": "word"}, {"key": KEY + "\n", "token": "word"}, {"token": "word"}):
        assert client.post("/api/join", json=page).status_code == 422
    for address in ("/api/trials", f"/clips/{clip}.flac", "/setup.flac"):
        assert client.get(address).status_code == 401
    assert client.put("/api/trials/1-001", json=GOOD).status_code == 401
    client.cookies.set(f"rater_{read_plan(made_test).id}", OTHER)
    assert client.get("/api/trials").status_code == 401
    assert store.raters() == [] and stored(made_test) == []


def test_large_requests_are_not_read(rater: TestClient) -> None:
    assert rater.put("/api/trials/1-001", content=b"x" * 3000).status_code == 413
    assert rater.put("/api/trials/1-001", content=iter([b"x"])).status_code == 411


def test_the_same_twice_is_once_and_the_later_wins(rater: TestClient, made_test: Path, store: Store) -> None:
    first, second = GOOD | {"rating": 2}, GOOD | {"click": "b" * 32}
    for said, now in ((first, 2), (first, 2), (second, 4), (first, 4)):  # the first again, by a slow retry
        assert rater.put("/api/trials/1-001", json=said).json() == {"rating": now}
    assert stored(made_test) == [("1-001", 2), ("1-001", 4)]
    (answer,) = store.answers()
    assert (answer.rating, answer.times) == (4, 2) and answer.first <= answer.last
    assert rater.get("/api/trials").json()["trials"][0]["rating"] == 4


def test_joining_twice_is_joining_once(rater: TestClient, store: Store) -> None:
    before = rater.get("/api/trials").json()
    assert rater.post("/api/join", json={"key": KEY}).status_code == 200  # known: without the token
    assert rater.get("/api/trials").json() == before and len(store.raters()) == 1
    rater.post("/api/join", json={"key": OTHER, "token": "word"})
    assert [each.number for each in store.raters()] == [0, 1]
    assert rater.get("/api/trials").json() != before


def test_who_clicks_on_is_stopped(rater: TestClient, made_test: Path) -> None:
    codes = {
        rater.put("/api/trials/1-001", json=GOOD | {"click": f"{n:032x}"}).status_code for n in range(60)
    }
    assert codes == {200, 429} and len(stored(made_test)) == MOST_CHANGES


def test_pages_are_told_to_fetch_nothing_from_elsewhere(client: TestClient) -> None:
    for address in ("/", "/listen.css", "/listen.js", "/api/test", "/nothing"):
        said = client.get(address)
        assert "default-src 'none'" in said.headers["Content-Security-Policy"]
        assert "http" not in said.text
    assert (
        client.post("/api/join", json={"key": KEY, "token": "word"}).headers["Set-Cookie"].count("HttpOnly")
        == 1
    )
