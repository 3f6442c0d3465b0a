"""The queue: bounded, one batch for what is alike, each clip as it is alone, nothing lost or kept for ever."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from clipsonic.errors import UserError
from clipsonic.interfaces.serve.jobs import Closed, Full, Request
from clipsonic.interfaces.serve.making import page_of

from ...films import write_film
from ...helpers import PATIENCE

QUICK = {"steps": 2, "seconds": 0.5}
SLOW = Request(["wind"], steps=100, seconds=4)


def until(holds) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


def blocked(desk):
    """Something that runs until it is cancelled, or its steps are let go, so that what is asked for next waits."""
    job = desk.submit(SLOW)
    until(lambda: job.state == "running")
    return job


def waves(job) -> list[np.ndarray]:
    assert job.wait(PATIENCE)
    assert job.state == "done", job.error
    return [wave for wave, _, _ in job.clips]


def test_a_request_becomes_clips(desk) -> None:
    job = desk().submit(Request(["a dog"], seed=7, number=2, **QUICK))
    first, second = waves(job)
    assert first.shape == second.shape == (8000,)
    assert first.dtype == np.float32
    assert np.abs(first - second).max() > 1e-3
    assert [page["seed"] for _, _, page in job.clips] == [7, 8]
    assert (
        job.clips[0][2] | {"texts": ["a dog"], "bridge": "zs", "steps": 2, "seconds": 0.5} == job.clips[0][2]
    )
    assert (job.progress, job.ahead, job.seconds_left) == (1.0, 0, 0.0)


def test_what_is_alike_is_made_in_one_batch_and_is_what_it_is_alone(desk) -> None:
    green = Image.new("RGB", (40, 30), "green")
    asked = [
        Request(["a dog"], seed=1, **QUICK),
        Request(["rain", "wind"], seed=2, weights=[0.3, 0.7], **QUICK),
        Request(["a cat"], images=[green], seed=3, number=2, **QUICK),
        Request(images=[green], seed=4, **QUICK),
    ]
    other = Request(["a dog"], seed=1, steps=3, seconds=0.5)
    one = desk()
    block = blocked(one)
    together = [one.submit(request) for request in (*asked, other)]
    assert [job.ahead for job in together] == [1, 2, 3, 4, 5]
    lefts = [job.seconds_left for job in together]
    assert lefts == sorted(lefts)
    block.cancel()
    made = [waves(job) for job in together]
    assert one.stats.batches == 3  # the first, those that are alike, and the other
    assert one.stats.clips == 6
    for request, wave in zip((*asked, other), made, strict=True):
        alone = waves(one.submit(request))
        for a, b in zip(alone, wave, strict=True):
            assert np.abs(a - b).max() < 0.01 * np.abs(a).max()
    assert np.abs(made[0][0] - made[4][0]).max() > 0.01


def test_a_batch_is_bounded_in_sound(desk) -> None:
    one = desk()
    block = blocked(one)
    long = [one.submit(Request(["rain"], steps=1, seconds=21)) for _ in range(2)]
    many = [one.submit(Request(["rain"], number=3, **QUICK)) for _ in range(3)]
    block.cancel()
    for job in (*long, *many):
        waves(job)
    assert one.stats.batches == 1 + 2 + 2


def test_a_full_queue_says_when_to_come_back(desk) -> None:
    one = desk(queue=2)
    block = blocked(one)
    kept = [one.submit(Request(["rain"], **QUICK)) for _ in range(2)]
    one.pipeline.go(25)
    until(lambda: block.progress == 0.25)
    with pytest.raises(Full) as refused:
        one.submit(Request(["rain"], **QUICK))
    left = block.seconds_left
    assert 0.5 * left <= refused.value.retry_after <= 2 * left + 1
    block.cancel()
    for job in kept:
        waves(job)
    waves(one.submit(Request(["rain"], **QUICK)))
    assert one.stats.refused == 1


def test_cancelling_what_waits_and_what_runs(desk) -> None:
    one = desk()
    block = blocked(one)
    ended = []
    waiting = one.submit(Request(["rain"], **QUICK), lambda: ended.append("waiting"))
    waiting.cancel()
    assert (waiting.state, ended) == ("cancelled", ["waiting"])
    last = one.submit(Request(["rain"], **QUICK))
    block.cancel()
    block.cancel()
    assert block.state == "cancelled"
    waves(last)
    assert one.stats.ended == {"cancelled": 2, "done": 1}


def test_cancelling_one_of_a_batch_leaves_the_others(desk) -> None:
    one = desk()
    block = blocked(one)
    pair = [one.submit(Request(["rain"], seed=seed, steps=100, seconds=0.5)) for seed in (1, 2)]
    block.cancel()
    until(lambda: block.state == "cancelled" and pair[0].state == "running")
    one.pipeline.go(1)
    until(lambda: pair[0].progress > 0)
    pair[0].cancel()
    one.pipeline.go(99)
    waves(pair[1])
    assert pair[0].state == "cancelled"
    assert not pair[0].clips


def test_a_prompt_that_the_model_does_not_know_is_told(desk, monkeypatch) -> None:
    from clipsonic.interfaces.serve.schema import sound
    from clipsonic.understanding import Understanding

    one = desk()
    strange = Understanding(
        "helicoptr", nearest=(("helicopter", 0.3),), familiar=False, spelling="helicopter"
    )
    known = {"helicoptr": strange}
    monkeypatch.setattr(
        one.pipeline, "understand", lambda words: [known.get(word, Understanding(word)) for word in words]
    )
    told, untold = one.submit(Request(["helicoptr"], **QUICK)), one.submit(Request(["rain"], **QUICK))
    waves(told)
    waves(untold)
    (note,) = sound(told, "").notes
    assert "helicopter (0.30)" in note
    assert sound(untold, "").notes == []


def test_a_batch_that_is_made_one_by_one_is_timed_once(desk, monkeypatch) -> None:
    """The clock moves by 10 s an attempt: the batch that failed, then each of its two."""
    from clipsonic.interfaces.serve import jobs

    clock, taken = [time.monotonic()], jobs.make
    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def timed(pipeline, requests, *words):
        clock[0] += 0.0 if requests[0].texts == SLOW.texts else 10.0
        if len(requests) > 1:
            raise UserError("not together")
        return taken(pipeline, requests, *words)

    monkeypatch.setattr(jobs, "make", timed)
    one = desk()
    block = blocked(one)
    pair = [one.submit(Request(["rain"], **QUICK)) for _ in range(2)]
    block.cancel()
    assert all(job.wait(PATIENCE) for job in pair)
    assert [job.state for job in pair] == ["done", "done"]
    assert one.stats.worked_seconds == pytest.approx(30.0)


def test_what_goes_wrong_spoils_no_other(desk, monkeypatch, caplog) -> None:
    one = desk()
    block = blocked(one)
    wrong = one.submit(Request(["rain", "rain"], weights=[1, -1], **QUICK))
    right = one.submit(Request(["rain"], **QUICK))
    block.cancel()
    waves(right)
    assert wrong.wait(PATIENCE)
    assert (wrong.state, wrong.error) == ("failed", "the queries cancel each other out under these weights")
    secret = "/home/somebody/secret"
    monkeypatch.setattr(
        "clipsonic.interfaces.serve.making.embed", lambda *words: (_ for _ in ()).throw(OSError(secret))
    )
    ours = one.submit(Request(["rain"], **QUICK))
    assert ours.wait(PATIENCE)
    assert ours.state == "failed"
    assert secret not in str(ours.error)
    assert secret in caplog.text
    monkeypatch.undo()
    waves(one.submit(Request(["rain"], **QUICK)))  # the worker lives


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"texts": []}, "say what to hear"),
        ({"texts": [" "]}, "empty"),
        ({"texts": ["a" * 301]}, "300 characters"),
        ({"texts": ["a"] * 9}, "9 texts"),
        ({"negative": "a" * 301, "guidance_scale": 2}, "300 characters"),
        ({"negative": "rain", "guidance_scale": 1}, "guidance scale above 1"),
        ({"guidance_scale": float("nan")}, "got nan"),
        ({"seconds": float("inf")}, "600.0, got inf"),
        ({"seconds": 30.5}, "30 s at the most"),
        ({"steps": 101}, "100 at the most"),
        ({"steps": 0}, "number of steps must be between 1 and 1000, got 0"),
        ({"number": 9}, "8 at the most"),
        ({"seed": -1}, "got -1"),
        ({"bridge": "pd"}, "no bridge 'pd'"),
        ({"weights": [1.0, 2.0]}, "2 weights for 1 queries"),
        ({"weights": [float("nan")]}, "a weight is no number"),
        ({"frames": "first"}, "follow or mean"),
    ],
)
def test_what_is_out_of_bounds_is_refused(desk, fields, said) -> None:
    one = desk()
    with pytest.raises(UserError, match=said):
        one.submit(Request(**{"texts": ["a dog"]} | fields))
    assert one.stats.waiting == one.stats.running == 0


def test_a_video_is_made_alone_and_removed(desk, tmp_path) -> None:
    film = write_film(tmp_path / "secret-name.mp4", range(0, 1000, 100))
    one = desk()
    jobs = [
        one.submit(Request(video=film, steps=2, number=2, seed=1)),
        one.submit(Request(["rain"], **QUICK)),
    ]
    first, second = waves(jobs[0])
    assert abs(len(first) / 16_000 - 1.0) < 0.11
    assert np.abs(first - second).max() > 1e-3
    assert jobs[0].clips[0][2]["video"] == "the video"
    broken = one.submit(Request(video=tmp_path / "secret.mp4"), lambda: film.unlink())
    assert broken.wait(PATIENCE)
    assert broken.state == "failed"
    assert "secret" not in str(broken.error)
    assert not film.exists()
    long = write_film(tmp_path / "long.mp4", range(0, 3000, 100))
    short = desk(seconds=1.0)
    refused = short.submit(Request(video=long, steps=1))
    assert refused.wait(PATIENCE)
    assert "the video lasts" in str(refused.error)
    assert len(waves(short.submit(Request(video=long, steps=1, seconds=1.0)))[0]) == 16_000


def test_what_has_ended_is_kept_within_bounds(desk) -> None:
    few = desk(kept_jobs=3)
    jobs = [few.submit(Request(["rain"], **QUICK)) for _ in range(6)]
    for job in jobs:
        waves(job)
    until(lambda: few.stats.kept == 3)
    assert few.get(jobs[-1].id) is jobs[-1]
    small = desk(kept_bytes=40_000)  # one clip of half a second is 36 KB
    jobs = [small.submit(Request(["rain"], steps=steps, seconds=0.5)) for steps in (1, 2, 3)]
    for job in jobs:
        waves(job)
    assert [small.get(job.id) is None for job in jobs] == [True, True, False]
    brief = desk(kept_seconds=0.0)
    job = brief.submit(Request(["rain"], **QUICK))
    waves(job)
    assert brief.get(job.id) is None
    one = desk()
    job = one.submit(Request(["rain"], images=[Image.new("RGB", (9, 9))], **QUICK))
    waves(job)
    until(lambda: job.request.images is None)  # pictures are not kept
    one.forget(job)
    assert one.get(job.id) is None


def test_closing_finishes_what_runs_and_hands_back_what_waits(desk) -> None:
    one = desk()
    running = blocked(one)
    waiting = one.submit(Request(["rain"], **QUICK))
    closing = threading.Thread(target=one.close, args=(PATIENCE,))
    closing.start()
    until(lambda: one.closed)
    one.pipeline.go(100)
    closing.join()
    assert running.state == "done"
    assert (waiting.state, waiting.error) == ("cancelled", "the server is stopping")
    with pytest.raises(Closed):
        one.submit(Request(["rain"], **QUICK))
    other = desk()
    long = blocked(other)
    other.close(0)
    assert long.state == "cancelled"


def test_nothing_is_lost_between_threads(desk) -> None:
    one = desk(queue=1000, kept_jobs=1000)
    jobs, lock = [], threading.Lock()

    def ask(number: int) -> None:
        for place in range(15):
            job = one.submit(Request(["rain"], seed=place, steps=1 + number % 2, seconds=0.2))
            with lock:
                jobs.append(job)
            if place % 5 == 4:
                job.cancel()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(job.wait(PATIENCE) for job in jobs)
    ended = one.stats.ended
    assert sum(ended.values()) == len(jobs) == 90
    assert ended.get("failed", 0) == 0
    assert ended["done"] >= 72


@pytest.mark.parametrize(("bridge", "over"), [("zs", "zs"), ("linear", "retrieval")])
def test_the_sidecar_says_what_pictures_were_taken_over(bridge, over) -> None:
    request = Request([], images=[Image.new("RGB", (8, 8))], bridge=bridge)
    assert page_of(request, {"picture_bridge": "retrieval"}, {})["picture_bridge"] == over
