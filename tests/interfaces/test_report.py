"""The report of a reproduction as a page: all columns, in both colour schemes, each term explained."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from clipsonic.interfaces.report.charts import distance_chart
from clipsonic.interfaces.report.page import Players, Report, Row, clip, write_report

MEASURED = SimpleNamespace(value=0.5, low=0.4, high=0.6)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    measures = ("frechet", "score", "fid", "agreement", "nearest", "apart")
    scores = dict.fromkeys(measures, MEASURED) | {"clips": 8, "infinity": 0.3, "windows": [MEASURED] * 3}
    sound = clip("ZS", np.zeros(2048, np.float32))
    report = Report(
        title="tables",
        about="",
        table_note="",
        rows=[Row("ZS", "video frames", "a photo of [label]", "VGGSound 3", False, scores)],
        notes=[],
        directions=[],
        guidance=None,
        swept_clips=0,
        gap=None,
        window_seconds=2.0,
        hop_seconds=0.5,
        pictures=None,
        players=Players(["ZS"], [("dog", [sound])], ""),
        agreement_note="",
        confusions=[],
        memory_note="",
        distances=distance_chart({"ZS": [0.1, 0.2]}),
        pairs=[],
        times=[],
        settings="{}",
    )
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(report, path)
    return path.read_text()


def test_every_column_has_its_direction_and_its_term(page: str) -> None:
    head = re.search(r"<tr><th>system.*?</tr>", page)
    assert head
    for name, better in {
        "FAD": "↓",
        "FAD∞": "↓",
        "CLAP score": "↑",
        "FID of mels": "↓",
        "agreement": "↑",
    }.items():
        assert f"{name}&nbsp;{better}" in head[0], name
    for term in ("Fréchet audio distance", "Fréchet image distance", "contrastive language-audio"):
        assert term in page
    row = re.search(r"<td><b>ZS</b>.*?</tr>", page, re.DOTALL)
    assert row
    assert row[0].count("<td") == head[0].count("<th") == 11


def test_dark_mode_has_no_colour_of_its_own(page: str) -> None:
    style = page.split("<style>")[1].split("</style>")[0]
    assert "prefers-color-scheme: dark" in style
    rules = style.split("  body {")[1]  # after the variables
    assert re.findall(r"#[0-9a-f]{3,6}\b", rules) == []
    assert "fill: #ffffff" not in page.split("patch_1")[1].split("</g>")[0]  # a chart's ground


def test_no_column_is_lost_on_a_usual_screen(page: str, tmp_path: Path) -> None:
    import shutil

    playwright = pytest.importorskip("playwright.sync_api")
    path = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no chromium is installed")
    (tmp_path / "report.html").write_text(page)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 1440, "height": 900})
        shown.goto((tmp_path / "report.html").as_uri())
        widths = shown.evaluate(
            "[...document.querySelectorAll('.wide')].map(e => [e.scrollWidth, e.clientWidth])"
        )
        browser.close()
    assert widths
    assert all(inside <= outside for inside, outside in widths), widths
