"""The page in a real browser: prompts, files, progress, history, errors, keyboard; nothing comes from elsewhere."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from clipsonic.interfaces.serve.api import build
from clipsonic.interfaces.serve.jobs import Desk, Limits, Request
from clipsonic.interfaces.serve.run import Address
from clipsonic.interfaces.serve.server import Server
from clipsonic.interfaces.serve.uploads import Uploads
from clipsonic.interfaces.serve.web import band_centres, mel_png
from tests.films import write_film

LIMITS = Limits(queue=2, upload_bytes=200_000, pixels=1_000_000)
TOKEN = "a-token-of-the-test"
LONG = Request(texts=["rain"], steps=100, seconds=4.0, number=8)  # longer than any test waits
PATIENCE = 120_000  # milliseconds: on a machine that has much else to do


@dataclass
class Site:
    url: str
    desk: Desk
    uploads: Uploads


@contextmanager
def served(pipeline: Any, token: str | None = None) -> Iterator[Site]:
    desk, uploads = Desk(pipeline, "zs", LIMITS), Uploads()
    app = build(desk, uploads, LIMITS, token, Address().hosts, page=True)
    taken = Address(port=0).bind()
    taken.listen()
    server = Server(app, desk, 0.0, 0.0)
    thread = threading.Thread(target=server.run, args=([taken],))
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{taken.getsockname()[1]}/", desk, uploads)
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


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, site: Site) -> Iterator[Any]:
    """The page in a new browser; at the end nothing was fetched from elsewhere, and nothing went wrong unseen."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE)
    asked: list[str] = []
    complaints: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda line: line.type == "error" and complaints.append(line.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(site.url)
    page.wait_for_selector("#app:not([hidden])")
    yield page
    context.close()
    assert len(asked) > 4
    assert [url for url in asked if not url.startswith((site.url, "blob:", "data:"))] == []
    # A refused request is logged by the browser itself; the page shows its reason.
    assert [line for line in complaints if "the server responded with a status of" not in line] == []


def expect(where: Any) -> Any:
    from playwright.sync_api import expect

    return expect(where)


def fill(page: Any, prompt: str = "rain", seed: str = "7", number: int = 1) -> None:
    """Fill the form for a quick clip."""
    if not page.get_by_label("Seed", exact=True).is_visible():
        page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.get_by_label("Seed", exact=True).fill(seed)
    page.get_by_label("Length").fill("1")
    page.get_by_label("Number of clips").fill(str(number))
    page.get_by_label("Sampling steps").fill("2")


def generate(page: Any, *args: Any, **settings: Any) -> None:
    """Generate a quick clip, and wait for it."""
    fill(page, *args, **settings)
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#status")).to_contain_text("Done")


@pytest.mark.browser
def test_generates_shows_and_downloads(page: Any, site: Site) -> None:
    generate(page, "rain", seed="9007199254740993", number=2)
    cards = page.locator(".clip")
    expect(cards).to_have_count(2)
    expect(cards.nth(1)).to_contain_text("seed 9007199254740994")
    first = cards.nth(0)
    expect(first).to_contain_text("rain")
    expect(first.locator("audio")).to_have_js_property("duration", 1)
    expect(first.locator(".mel img")).to_have_js_property("naturalHeight", 64)
    with page.expect_download() as found:
        first.get_by_role("button", name="as FLAC").click()
    assert found.value.suggested_filename == "rain-9007199254740993.flac"
    assert Path(found.value.path()).read_bytes()[:4] == b"fLaC"
    with page.expect_download() as found:
        first.get_by_role("button", name="as JSON").click()
    assert json.loads(Path(found.value.path()).read_text())["texts"] == ["rain"]


@pytest.mark.browser
def test_clips_stay_listed_after_a_reload_until_removed(page: Any, site: Site) -> None:
    generate(page, "thunder")
    page.reload()
    expect(page.locator(".clip")).to_contain_text(["thunder"])
    page.get_by_role("button", name="Remove thunder").click()
    expect(page.locator(".clip")).to_have_count(0)
    page.reload()
    page.wait_for_selector("#app:not([hidden])")
    expect(page.locator(".clip")).to_have_count(0)


@pytest.mark.browser
def test_a_known_sound_is_one_click(page: Any) -> None:
    page.get_by_role("button", name="sea waves").click()
    expect(page.locator(".clip h3")).to_have_text("sea waves")


@pytest.mark.browser
def test_cancels_and_follows_after_a_reload(page: Any, site: Site) -> None:
    fill(page, "wind")
    page.get_by_label("Sampling steps").fill("100")
    page.get_by_label("Length").fill("30")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#progress")).to_be_visible()
    page.reload()
    expect(page.locator("#progress")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_text("Cancelled.")
    expect(page.get_by_role("button", name="Generate")).to_be_enabled()


@pytest.mark.browser
def test_says_when_the_queue_is_full(page: Any, site: Site) -> None:
    jobs = [site.desk.submit(LONG)]
    with site.desk.changed:
        assert site.desk.changed.wait_for(lambda: jobs[0].state == "running", 60)
    jobs += [site.desk.submit(LONG) for _ in range(LIMITS.queue)]
    try:
        fill(page)
        page.get_by_role("button", name="Generate").click()
        expect(page.locator("#error")).to_contain_text("queue is full")
    finally:
        for job in jobs:
            site.desk.forget(job)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("Prompt", "", "prompt"),
        ("Length", "1000", "between 0.1 and 30"),
        ("Seed", "one", "Seed"),
        ("Sampling steps", "0", "between 1 and"),
    ],
)
def test_says_what_is_wrong(page: Any, field: str, value: str, said: str) -> None:
    fill(page)
    page.get_by_label(field, exact=field in ("Prompt", "Seed")).fill(value)
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#error")).to_contain_text(said)


@pytest.mark.browser
def test_takes_an_image_and_a_video_and_gives_the_video_back(page: Any, site: Site, tmp_path: Path) -> None:
    Image.fromarray(np.full((64, 96, 3), 90, np.uint8)).save(tmp_path / "street.png")
    video = write_film(tmp_path / "street.mp4", range(0, 1000, 100))
    page.locator("#file").set_input_files(tmp_path / "street.png")
    expect(page.locator("#files")).to_contain_text("street.png")
    generate(page, "", seed="1")
    expect(page.locator(".clip h3").first).to_have_text("picture 1")
    page.locator("#file").set_input_files(video)
    expect(page.locator("#files")).to_contain_text("street.mp4")
    fill(page, "")
    page.get_by_role("button", name="Generate").click()
    player = page.locator(".clip video").first
    expect(player).to_be_visible()
    expect(player).to_have_js_property("videoWidth", 96)
    assert len(list(site.uploads.folder.iterdir())) == 1
    page.get_by_role("button", name="Remove the video").click()
    expect(page.locator(".clip")).to_have_count(1)
    with site.desk.changed:  # the page forgets a sound whose clips are all removed, and its upload goes
        assert site.desk.changed.wait_for(lambda: not list(site.uploads.folder.iterdir()), 60)


@pytest.mark.browser
def test_refuses_files_of_another_kind(page: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    page.locator("#file").set_input_files(tmp_path / "notes.png")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#error")).to_contain_text("picture")
    page.locator("#file").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"})
    expect(page.locator("#error")).to_contain_text("images and videos")


@pytest.mark.browser
def test_works_by_keyboard_and_everything_has_a_name(page: Any) -> None:
    page.get_by_label("Prompt", exact=True).focus()
    page.keyboard.type("rain")
    page.keyboard.press("Enter")
    expect(page.locator(".clip")).to_have_count(1)
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, audio, video, img, progress")]
        .filter(each => each.checkVisibility() && !(each.ariaLabel || each.labels?.length || each.textContent.trim()
            || each.hasAttribute("alt"))).map(each => each.outerHTML)"""
    )
    assert unnamed == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_fits_and_can_be_read(page: Any, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    generate(page, "a sound of a rather long name, longer than a phone is wide, of rain on a roof")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    contrast = """() => {
        const light = (colour) => {
            const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((value) => value / 255)
                .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const behind = (element) => {
            for (let each = element; each; each = each.parentElement) {
                const colour = getComputedStyle(each).backgroundColor;
                if (!/, 0\\)$/.test(colour)) return colour;
            }
            return "rgb(255, 255, 255)";
        };
        return Math.min(...[...document.querySelectorAll("p, label, h1, h2, h3, button, i, summary")]
            .filter((each) => each.checkVisibility() && each.textContent.trim() && !each.disabled).map((each) => {
                const [a, b] = [light(getComputedStyle(each).color), light(behind(each))].sort((x, y) => y - x);
                return (a + 0.05) / (b + 0.05);
            }));
    }"""
    assert page.evaluate(contrast) >= 4.5  # WCAG 2.2, AA


@pytest.mark.browser
def test_asks_for_the_token(chromium: Any, tiny_pipeline: Any) -> None:
    with served(tiny_pipeline, TOKEN) as site:
        assert httpx.get(f"{site.url}v1/about").status_code == 401
        context = chromium.new_context()
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(site.url)
        page.get_by_label("Token").fill("another")
        page.get_by_role("button", name="Continue").click()
        expect(page.locator("#token-error")).to_be_visible()
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Continue").click()
        generate(page)
        expect(page.locator(".clip")).to_have_count(1)
        context.close()


def test_without_a_page_there_is_the_api_alone(tiny_pipeline: Any) -> None:
    desk, uploads = Desk(tiny_pipeline, "zs", LIMITS), Uploads()
    routes = [getattr(route, "path", "") for route in build(desk, uploads, LIMITS, None, None).routes]
    desk.close(0)
    uploads.remove()
    assert "/" not in routes and "/web/{name}" not in routes


def test_serves_its_files_alone(tiny_pipeline: Any) -> None:
    with served(tiny_pipeline) as site:
        answer = httpx.get(site.url)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy and "unsafe" not in policy
        assert "<script>" not in answer.text and "style=" not in answer.text and " onclick" not in answer.text
        for name in ("app.js", "api.js", "clips.js", "style.css"):
            assert httpx.get(f"{site.url}web/{name}").status_code == 200
        for name in ("../web.py", "%2e%2e/web.py", "app.py", "__init__.py", ""):
            assert httpx.get(f"{site.url}web/{name}").status_code == 404


def test_the_page_behind_a_proxy(tiny_pipeline: Any) -> None:
    """Its addresses are relative: it works at any path, whether or not the proxy takes the path off."""
    with served(tiny_pipeline) as site:
        told = {"X-Forwarded-Prefix": "/clip"}
        for path in ("", "clip/"):
            assert "web/app.js" in httpx.get(f"{site.url}{path}", headers=told).text
            assert "v1/about" in httpx.get(f"{site.url}{path}web/api.js", headers=told).text
        text = httpx.get(site.url).text + httpx.get(f"{site.url}web/api.js").text
        assert 'src="/' not in text and 'href="/' not in text and "`/v1" not in text and '"/v1' not in text


def test_a_spectrogram_has_high_bands_on_top_and_loud_ones_bright() -> None:
    import io

    mel = np.full((64, 8), -11.5, np.float32)
    mel[60:] = 3.0
    picture = np.asarray(Image.open(io.BytesIO(mel_png(mel))).convert("L"))
    assert picture.shape == (64, 8)
    assert picture[:4].min() > 200 and picture[4:].max() < 20
    assert band_centres()[0] < 100 and band_centres()[-1] > 7000
