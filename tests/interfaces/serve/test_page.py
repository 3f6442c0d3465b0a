"""The page in a real browser: made, cancelled, refused, listed, fetched; and that nothing comes from elsewhere."""

import io
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from clipsonic.errors import UserError
from clipsonic.interfaces.serve.api import build
from clipsonic.interfaces.serve.jobs import Desk, Limits, Request
from clipsonic.interfaces.serve.page import mount
from clipsonic.interfaces.serve.page_clips import mel_png, read_made
from clipsonic.interfaces.serve.page_form import read_form
from clipsonic.interfaces.serve.run import Address
from clipsonic.interfaces.serve.server import Server
from clipsonic.interfaces.serve.uploads import Uploads
from tests.helpers import write_video

LIMITS = Limits(queue=2, upload_bytes=200_000, pixels=1_000_000)
TOKEN = "a-token-of-the-test"
LONG = Request(texts=["rain"], steps=100, seconds=4.0, number=8)  # longer than any test waits
# What Gradio complains of in a page that is left or loaded anew while it listens to the server.
LEFT = ("AbortError: signal is aborted", "Connection errored out", "Unexpected error Connection errored out")
PATIENCE = 120_000  # milliseconds: on a machine that has much else to do
PNG_HEAD = b"\x89PNG\r\n\x1a\n"


@dataclass
class Site:
    url: str
    desk: Desk
    folder: Path  # of what Gradio keeps


@contextmanager
def served(pipeline: Any, token: str | None = None) -> Iterator[Site]:
    desk, uploads = Desk(pipeline, "zs", LIMITS), Uploads()
    app = mount(build(desk, uploads, LIMITS, token, Address().hosts), desk, LIMITS, token)
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    taken = Address(port=0).bind()
    taken.listen()
    server = Server(app, desk, 0.0)
    thread = threading.Thread(target=server.run, args=([taken],))
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{taken.getsockname()[1]}/", desk, folder)
    finally:
        server.stop()
        thread.join(30)
        taken.close()
        uploads.remove()
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def site(tiny_pipeline: Any) -> Iterator[Site]:
    with served(tiny_pipeline) as site:
        yield site
    assert not site.folder.exists()


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Any]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(context: Any, site: Site) -> Iterator[Any]:
    """The page in a new tab; at the end nothing was fetched from elsewhere, and nothing went wrong unseen."""
    asked: list[str] = []
    complaints: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda line: line.type == "error" and complaints.append(line.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(site.url)
    page.wait_for_selector("#make")
    yield page
    for tab in context.pages:
        tab.close()
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith((site.url, "blob:", "data:"))] == []
    assert [line for line in complaints if not line.startswith(LEFT)] == []


def field(page: Any, name: str) -> Any:
    return page.get_by_role("textbox", name=name)


def make(page: Any, words: str = "rain", seed: str = "7", number: int = 1) -> None:
    """Fills in the form for a quick sound, and has it made."""
    field(page, "Words").fill(words)
    if not field(page, "Seed").is_visible():
        page.get_by_role("button", name="Settings").click()
    field(page, "Seed").fill(seed)
    field(page, "Length in seconds").fill("1")
    page.get_by_label("number input for Sounds").fill(str(number))
    page.get_by_label("number input for Steps").fill("2")
    page.get_by_label("number input for Steps").press("Tab")
    page.get_by_role("button", name="Make the sound").click()


def shows(page: Any, place: str, *cards: str) -> None:
    """Waits until a place has these cards."""
    expect(page.locator(f"#{place} .clip")).to_contain_text(list(cards))


def tells(page: Any, words: str | re.Pattern[str]) -> None:
    """Waits until the page says this."""
    expect(page.locator("#status")).to_have_text(words)


@pytest.mark.browser
def test_makes_what_is_asked(page: Any, site: Site, tmp_path: Path) -> None:
    assert page.title() == "clipsonic"
    assert page.evaluate("document.documentElement.lang") == "en"
    make(page, "rain", seed="7", number=2)
    shows(page, "result", "rain seed 7, 1.0 s", "rain seed 8, 1.0 s")
    tells(page, "Done: 2 sounds.")
    card = page.locator("#result .clip").first
    page.wait_for_function("document.querySelector('#result audio')?.duration === 1")
    assert card.locator("img").evaluate("picture => picture.decode().then(() => picture.naturalHeight)") == 64
    assert "hertz" in card.locator("img").get_attribute("alt")
    assert card.locator(".seconds i").all_inner_texts()[-1] == "1 s"
    assert card.locator(".hertz i").all_inner_texts()[-1] == "8 kHz"
    for kind in ("WAV", "FLAC", "OGG", "JSON"):
        with page.expect_download() as got:
            card.get_by_role("link", name=f"Download rain as {kind}").click()
        assert got.value.suggested_filename == f"rain-7.{kind.lower()}"
        got.value.save_as(tmp_path / kind)
    job = site.desk.get(json.loads(page.evaluate("clipsonic.kept()[0]"))[0])
    assert job is not None
    for kind in ("WAV", "FLAC", "OGG"):
        wave, rate = soundfile.read(tmp_path / kind, dtype="float32")
        assert (rate, len(wave)) == (16_000, 16_000)
        assert np.corrcoef(wave, job.clips[0][0])[0, 1] > (0.9 if kind == "OGG" else 0.9999)
    sidecar = json.loads((tmp_path / "JSON").read_text())
    assert (sidecar["seed"], sidecar["steps"], sidecar["texts"]) == (7, 2, ["rain"])


@pytest.mark.browser
def test_an_example_is_one_click(page: Any) -> None:
    page.get_by_role("button", name="a violin").click()
    expect(page.locator("#result .clip")).to_contain_text(re.compile(r"^a violin seed \d+, 4.1 s"))


@pytest.mark.browser
def test_lists_the_visit_until_its_tab_is_closed(page: Any, site: Site) -> None:
    make(page, "rain", seed="1")
    shows(page, "result", "rain seed 1, 1.0 s")
    make(page, "a dog", seed="2")
    shows(page, "result", "a dog seed 2, 1.0 s")
    shows(page, "history", "rain seed 1, 1.0 s")
    page.reload()
    shows(page, "history", "a dog seed 2, 1.0 s", "rain seed 1, 1.0 s")
    page.locator("#history audio").nth(1).evaluate("audio => audio.play()")
    page.wait_for_function("document.querySelectorAll('#history audio')[1]?.currentTime > 0.1")
    page.locator("#history summary").nth(1).click()
    page.wait_for_function("document.querySelectorAll('#history img')[1]?.naturalHeight === 64")
    made = json.loads(page.evaluate("clipsonic.kept()[0]"))
    site.desk.forget(site.desk.get(made[0]))
    page.reload()
    shows(page, "history", "a dog seed 2, 1.0 s")
    expect(page.locator("#history")).to_contain_text("1 older request is no longer kept")
    other = page.context.new_page()
    other.goto(site.url)
    other.wait_for_selector("#make")
    expect(other.locator("#history")).to_contain_text("until you close this tab")


@pytest.mark.browser
def test_cancels(page: Any, site: Site) -> None:
    ended = site.desk.stats.ended.get("cancelled", 0)
    cancel = page.get_by_role("button", name="Cancel")
    expect(cancel).to_be_disabled()
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("number input for Steps").fill("100")
    field(page, "Length in seconds").fill("30")
    field(page, "Words").fill("rain")
    field(page, "Words").press("Enter")
    tells(page, "Making the sound.")
    page.wait_for_function("document.querySelector('#meter progress')?.value > 0")
    expect(page.locator("#meter")).to_have_text(re.compile(r"^\s*\d+ %, about \d+ (s|min) left\s*$"))
    expect(page.get_by_role("button", name="Make the sound")).to_be_disabled()
    page.reload()  # what is being made is followed on
    tells(page, "Making the sound.")
    page.get_by_role("button", name="Cancel").click()
    tells(page, "Cancelled.")
    assert site.desk.stats.ended["cancelled"] == ended + 1
    expect(page.locator("#result .clip")).to_have_count(0)
    make(page)
    shows(page, "result", "seed")


@pytest.mark.browser
def test_says_when_the_queue_is_full(page: Any, site: Site) -> None:
    jobs = [site.desk.submit(LONG)]
    while jobs[0].state == "waiting":
        jobs[0].wait(0.01)
    jobs += [site.desk.submit(LONG) for _ in range(LIMITS.queue)]
    try:
        make(page)
        said = re.compile(r"The queue is full; try again in about (\d+ s|\d+ min)\.")
        expect(page.locator("#status")).to_contain_text(said)
        jobs.pop().cancel()
        page.get_by_role("button", name="Make the sound").click()
        tells(page, "Waiting: 2 before this one.")
    finally:
        for job in jobs:
            job.cancel()
    shows(page, "result", "seed")


@pytest.mark.browser
def test_says_what_is_wrong_in_a_sentence(page: Any, tmp_path: Path) -> None:
    page.get_by_role("button", name="Make the sound").click()
    tells(page, "Say what to hear: write some words, or give a picture or a video.")
    for label, value, sentence in (
        ("Seed", "seven", "The seed is no whole number."),
        ("Length in seconds", "31", "31 s of sound; this server makes 30 s at the most."),
        ("Length in seconds", "nan", "The length is no number."),
    ):
        make(page)
        shows(page, "result", "seed")
        field(page, label).fill(value)
        page.get_by_role("button", name="Make the sound").click()
        tells(page, sentence)


@pytest.mark.browser
def test_takes_pictures_and_videos_and_refuses_what_is_neither(page: Any, site: Site, tmp_path: Path) -> None:
    picture, words = tmp_path / "a street.png", tmp_path / "words.png"
    Image.new("RGB", (64, 48), (200, 30, 30)).save(picture)
    words.write_text("these are words")
    page.set_input_files("#picture input", picture)
    page.wait_for_selector("#picture img")
    make(page, "rain")
    shows(page, "result", "rain + picture 1 seed 7, 1.0 s")
    page.set_input_files("#video input", write_video(tmp_path / "film.mp4", None, seconds=2))
    page.locator("#video").get_by_text("film").wait_for()
    make(page, "")
    shows(page, "result", "picture 1 + the video seed 7, 1.0 s")
    page.reload()
    page.set_input_files("#picture input", words)
    page.wait_for_selector("#picture img")
    page.get_by_role("button", name="Make the sound").click()
    tells(page, re.compile(r"^The picture .* none of JPEG, PNG, WEBP, GIF, BMP"))
    page.reload()
    (tmp_path / "film.mp4").write_text("these are words")
    page.set_input_files("#video input", tmp_path / "film.mp4")
    page.locator("#video").get_by_text("film").wait_for()
    page.get_by_role("button", name="Make the sound").click()
    tells(page, "The video is no MP4, MOV, MKV, WebM or AVI.")
    assert site.folder.stat().st_mode & 0o077 == 0


@pytest.mark.browser
def test_refuses_uploads_of_another_kind_or_size(page: Any, tmp_path: Path) -> None:
    for name, content, said in (
        ("notes.txt", b"text", "Invalid file type: notes.txt"),
        ("large.png", PNG_HEAD + b"0" * LIMITS.upload_bytes, "exceed the maximum allowed size"),
    ):
        (tmp_path / name).write_bytes(content)
        page.set_input_files("#picture input", tmp_path / name)
        page.get_by_text(said).wait_for()
    assert page.locator("#picture img").count() == 0


@pytest.mark.browser
def test_works_by_keyboard_alone_and_names_everything(page: Any) -> None:
    reached = []
    field(page, "Words").focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel"))
        if reached[-1].startswith("Settings"):
            page.keyboard.press("Enter")
            break
    assert reached[0] == "a photo of a dog"
    field(page, "Seed").wait_for()
    while (name := page.evaluate("document.activeElement.innerText")) != "Make the sound":
        reached.append(name)
        page.keyboard.press("Tab")
        assert len(reached) < 40, reached
    field(page, "Words").focus()
    page.keyboard.type("rain")
    page.keyboard.press("Enter")
    shows(page, "result", "seed")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, textarea, select, a, audio, img, progress")]
        .filter(each => each.checkVisibility() && !(each.ariaLabel || each.labels?.[0]?.innerText.trim()
          || each.innerText?.trim() || each.alt || each.title)).map(each => each.outerHTML.slice(0, 200))"""
    )
    assert nameless == []
    live = page.locator("#status")
    assert (live.get_attribute("role"), live.get_attribute("aria-live")) == ("status", "polite")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_a_phone_and_can_be_read(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    make(page, "a photo of a dog that barks-at-somebody-with-a-very-long-name-without-any-space-in-it-at-all")
    shows(page, "result", "seed")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
    for place in ("#top p", ".clip .about", "#words label span", "#make", "#history p", ".mel .seconds"):
        assert contrast(page, place) >= 4.5, place


def contrast(page: Any, place: str) -> float:
    """Of the text there with what is behind it, as WCAG reckons it."""
    ink, paper = page.locator(place).first.evaluate(
        """each => { const ink = getComputedStyle(each).color; let behind = each, paper;
        do { paper = getComputedStyle(behind).backgroundColor; behind = behind.parentElement; }
        while (behind && /, 0\\)/.test(paper)); return [ink, paper].map(c => c.match(/[\\d.]+/g).map(Number)); }"""
    )

    def light(colour: list[float]) -> float:
        share = np.array(colour[:3]) / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722)) + 0.05

    dark, bright = sorted((light(ink), light(paper)))
    return bright / dark


@pytest.mark.browser
def test_the_token_opens_all_of_it(chromium: Any, tiny_pipeline: Any) -> None:
    with served(tiny_pipeline, TOKEN) as site, httpx.Client(base_url=site.url) as stranger:
        job = site.desk.submit(Request(texts=["rain"], steps=2, seconds=1.0, seed=3))
        assert job.wait(30)
        clip = f"/page/clips/{job.id}/0.wav"
        for path in (
            clip,
            "/theme.css",
            "/gradio_api/queue/data?session_hash=a",
            "/config",
            "/gradio_api/info",
        ):
            assert stranger.get(path).status_code == 401, path
        for path in ("/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/run/predict", "/login"):
            assert stranger.post(path).status_code == 401, path
        assert stranger.get(clip, headers={"cookie": f"clipsonic={TOKEN}"}).status_code == 401
        assert "Make the sound" not in stranger.get("/").text
        for form in ({"token": "a" * 10_000}, {"token": "é"}, {}):
            assert stranger.post("/page/sign-in", data=form).status_code in (401, 413)
        assert stranger.cookies == {}
        page = chromium.new_context().new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(site.url)
        page.get_by_label("Token").fill("another")
        page.get_by_role("button", name="Enter").click()
        page.get_by_role("alert").get_by_text("not the token").wait_for()
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("#make")
        make(page)
        shows(page, "result", "seed")
        page.wait_for_function("document.querySelector('#result audio')?.duration === 1")
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"], TOKEN in cookie["value"]) == (True, "Strict", False)
        page.context.close()


@pytest.mark.slow
def test_nothing_of_gradio_is_open_that_the_page_does_not_need(site: Site) -> None:
    with httpx.Client(base_url=site.url) as client:
        for path in (
            "/config",
            "/monitoring",
            "/robots.txt",
            "/gradio_api/info",
            "/gradio_api/openapi.json",
            "/gradio_api/runs",
            "/gradio_api/proxy=https://localhost/",
            "/gradio_api/file=http://localhost/",
            "/gradio_api/file=HTTPS://localhost/",
            "/gradio_api/deep_link",
            "/v1/nothing",
            "/page/clips/nothing/0.wav",
        ):
            assert client.get(path).status_code == 404, path
        for path in ("/etc/passwd", __file__, f"{site.folder}/../x"):
            answer = client.get(f"/gradio_api/file={path}")
            assert answer.status_code in (403, 404), path
            assert str(site.folder) not in answer.text
        html = client.get("/")
        assert "default-src 'self'" in html.headers["content-security-policy"]
        assert "<title>clipsonic</title>" in html.text
        assert "og:" not in html.text
        refused = client.post("/gradio_api/queue/join", headers={"sec-fetch-site": "cross-site"})
        assert refused.status_code == 403


def test_the_page_behind_a_proxy(site: Site, tiny_pipeline: Any) -> None:
    behind = {"X-Forwarded-Prefix": "/clip", "X-Forwarded-Host": "sounds.example.org"}
    with httpx.Client(base_url=site.url, headers=behind) as client:
        html = client.get("/").text
        assert '"root":"http://sounds.example.org/clip"' in html.replace(": ", ":")
        assert re.findall(r'(?:src|href)="/(?!clip/)[^"]*"', html) == []
        script = re.search(r'src="(?:\./|/clip/)(assets/[^"]+\.js)"', html)
        assert script
        assert client.get(f"/clip/{script[1]}").status_code == client.get(f"/{script[1]}").status_code == 200
        refused = client.get("/page/clips/nothing/0.wav")
        assert (refused.status_code, set(refused.json())) == (404, {"error"})
    with served(tiny_pipeline, TOKEN) as locked, httpx.Client(base_url=locked.url, headers=behind) as client:
        assert 'action="/clip/page/sign-in"' in client.get("/").text
        answer = client.post("/page/sign-in", data={"token": TOKEN})
        assert (answer.status_code, answer.headers["location"]) == (303, "/clip/")
        assert "Path=/clip/;" in answer.headers["set-cookie"]


def test_fetches_nothing_that_a_request_names_by_its_address(site: Site) -> None:
    file = {"path": "https://localhost/a.png", "meta": {"_type": "gradio.FileData"}}
    with httpx.Client(base_url=site.url, timeout=20) as client:
        config = client.get("/").text.split("window.gradio_config = ")[1].split(";</script>")[0]
        events = {each["id"]: len(each["inputs"]) for each in json.loads(config)["dependencies"]}
        (make,) = [event for event, inputs in events.items() if inputs > 5]
        body = {"data": [file] * events[make], "fn_index": make, "session_hash": "s"}
        assert client.post("/gradio_api/queue/join", json=body).status_code == 200
        with client.stream("GET", "/gradio_api/queue/data?session_hash=s") as told:
            said = next(line for line in told.iter_lines() if "process_completed" in line)
    assert "files are uploaded, not named by their address" in said


EMPTY = dict.fromkeys(
    ("words", "picture", "video", "seconds", "number", "seed", "guidance", "negative", "steps", "bridge")
)


def test_reads_the_form() -> None:
    assert read_form(EMPTY | {"words": " rain "}, LIMITS) == Request(texts=["rain"])
    form = EMPTY | {"words": "rain", "negative": "wind", "guidance": 3, "steps": 12, "number": 2}
    form |= {"seconds": " 2,5 ", "seed": "9007199254740993", "bridge": "zs"}
    assert read_form(form, LIMITS) == Request(
        texts=["rain"],
        negative="wind",
        guidance_scale=3.0,
        steps=12,
        number=2,
        seconds=2.5,
        seed=9007199254740993,
        bridge="zs",
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("words", "  "),
        ("seconds", "two"),
        ("seconds", "inf"),
        ("seed", "-1"),
        ("seed", "1.5"),
        ("seed", "9" * 5000),
        ("steps", True),
        ("number", {}),
        ("guidance", [1]),
        ("negative", "wind"),
    ],
)
def test_refuses_what_is_no_request(field: str, value: Any) -> None:
    with pytest.raises(UserError):
        read_form(EMPTY | {"words": "rain", "guidance": 1} | {field: value}, LIMITS)


def test_the_picture_has_high_bands_on_top_and_loud_ones_bright() -> None:
    mel = np.full((64, 10), -9.0, np.float32)
    mel[60, 3] = 2.0
    picture = np.asarray(Image.open(io.BytesIO(mel_png(mel))).convert("L"))
    assert picture.shape == (64, 10)
    assert np.unravel_index(picture.argmax(), picture.shape) == (3, 3)


@pytest.mark.parametrize("kept", ["", "no list", "{}", "1", '[1, {"id": 2}]', None])
def test_what_the_browser_keeps_may_be_anything(kept: str | None) -> None:
    assert read_made(kept) == []
