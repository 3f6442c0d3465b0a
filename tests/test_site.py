"""The documentation site: strictly built, whole, loading nothing from elsewhere; and its examples, run."""

import contextlib
import io
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
import yaml

from clipsonic.vocoder.streaming import vocode
from tests.helpers import tone, write_video

ROOT = Path(__file__).parent.parent
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "audio": "src", "video": "src"}


class Loaded(HTMLParser):
    """What a page makes a browser fetch, and what it leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inside = tag
        if tag in LOADING and given.get(LOADING[tag]):
            self.fetched.append(str(given[LOADING[tag]]))
        if tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.fetched.append(str(given["href"]))
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))

    def handle_data(self, data: str) -> None:
        if self.inside in ("script", "style"):
            self.scripts.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    told = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(words, cwd=ROOT, env=told, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Loaded]:
    read = {}
    for path in site.rglob("*.html"):
        read[path] = Loaded()
        read[path].feed(path.read_text())
    assert len(read) > 30
    return read


@pytest.mark.docs
def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Loaded]) -> None:
    for path, page in pages.items():
        outside = [each for each in page.fetched if re.match(r"(https?:)?//", each)]
        assert not outside, (path.name, outside)
        assert "http" not in "".join(re.findall(r"(?:import|fetch|url)\s*\([^)]*\)", "".join(page.scripts)))
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", style.read_text()), style
    # The theme's own script knows two addresses: of diagrams, which no page has, and of a stand-in for a part
    # that browsers have had since 2020.
    assert not any("mermaid" in path.read_text() for path in pages)


@pytest.mark.docs
def test_links_and_files_are_there(site: Path, pages: dict[Path, Loaded]) -> None:
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its addresses begin at the site's root
        for target in [*page.links, *page.fetched]:
            file = re.split("[?#]", target)[0]
            if file and not re.match(r"[a-z]+:|//", file):
                assert (path.parent / file).exists(), (path.relative_to(site), target)


@pytest.mark.docs
def test_the_site_is_searched_when_opened_as_files(site: Path) -> None:
    """Browsers fetch no JSON and run no worker from files: the index is a script, and so is what stands in."""
    import json

    index = (site / "search" / "search_index.js").read_text()
    assert "vocoder" in json.dumps(json.loads(index.removeprefix("var __index = ")))
    assert 'src="javascripts/iframe-worker.js"' in (site / "index.html").read_text()


@pytest.mark.docs
@pytest.mark.browser
def test_a_browser_searches_the_site_opened_as_files(site: Path, chromium_path: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto((site / "index.html").as_uri())
        page.evaluate("document.querySelector('#__search').click()")
        page.locator("input.md-search__input").press_sequentially("vocoder")
        page.wait_for_selector(".md-search-result__link", state="attached", timeout=60_000)
        browser.close()


@pytest.mark.docs
def test_every_page_is_in_the_navigation(site: Path, pages: dict[Path, Loaded]) -> None:
    start = {re.split("[?#]", target)[0] for target in pages[site / "index.html"].links}
    names = {str(path.relative_to(site)) for path in pages} - {"404.html", "index.html"}
    assert names <= start | {"."}


@pytest.mark.docs
def test_public_names_are_described(site: Path) -> None:
    text = (site / "python.html").read_text()
    for name in ("CLIPSonicPipeline", "CLIPSonicOutput", "__call__", "from_pretrained", "guidance_interval"):
        assert name in text, name


def test_pictures_are_small() -> None:
    files = list((ROOT / "docs" / "pictures").glob("*.png"))
    assert files
    assert all(path.stat().st_size < 150_000 for path in files)


@pytest.mark.docs
def test_examples_of_parts_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clipsonic.encoders.load import KINDS
    from clipsonic.parts import PARTS

    monkeypatch.chdir(tmp_path)
    for table in (KINDS, PARTS["encoder"]):  # put back after the test
        monkeypatch.setitem(table, "ColourEncoder", None)
    write_video(tmp_path / "my_videos" / "red.mp4", tone(3.0, 440), seconds=3, colour=(200, 20, 20))
    write_video(tmp_path / "my_videos" / "blue.mp4", tone(3.0, 880), seconds=3, colour=(20, 20, 200))
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "parts.md").read_text(), re.DOTALL)
    names: dict = {"__name__": "parts"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec("\n".join(blocks), names)
    assert names["played"].shape == (16_000,)
    organ, mel = names["Organ"](), torch.randn(1, 64, 40) - 3
    one_band = torch.full((1, 64, 8), -20.0).index_fill(1, torch.tensor([30]), 0.0)
    assert organ(one_band).square().mean().sqrt().item() == pytest.approx(0.05 / 2**0.5, rel=1e-3)
    torch.testing.assert_close(vocode(organ, mel, chunk_frames=16), organ(mel))
    first, second = names["embeddings"]
    assert 0.3 < first @ second < 0.95
    assert names["wet"].shape == (2, 16_000)
    colours = names["ColourEncoder"]()
    red = colours.encode_text(["a red thing"])[0]
    from PIL import Image

    assert colours.encode_image([Image.new("RGB", (9, 9), "red")])[0] @ red > 0.99
    assert names["progress"].step == 2
    assert names["blue"].shape == (16_000,)


def test_citation_is_of_this_version() -> None:
    import clipsonic

    page = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (page["version"], page["license"]) == (clipsonic.__version__, "Apache-2.0")
