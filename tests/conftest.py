"""What several tests need: shapes checked at run time, videos made on the spot, a tiny model."""

import gc
import os
import random
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clipsonic.interfaces.threads import share_cores

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when the hub's client is imported
share_cores()  # before torch is imported

import pytest
import torch
from jaxtyping import install_import_hook

with install_import_hook(
    ["clipsonic.audio", "clipsonic.diffusion", "clipsonic.vocoder", "clipsonic.model", "clipsonic.pipeline"],
    "beartype.beartype",
):
    import clipsonic.pipeline

from clipsonic.interfaces import telling
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS, SpectrogramSettings
from tests.helpers import chromium, tone, write_video

if TYPE_CHECKING:
    from clipsonic.encoders.mini import MiniEncoder

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs with Ctrl-C ignored

NO_BROWSER = "no Chromium, and apt-get cannot install it here"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shuffle", type=int, metavar="SEED", help="run the modules, and the tests of each, in random order"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps modules whose fixtures are dear on one worker each, and shuffles where that is asked for."""
    for item in items:
        used = item._fixtureinfo.name2fixturedefs.values()
        if any(each.scope == "module" and each.argname != nothing_left_open.__name__ for (*_, each) in used):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    if (seed := config.getoption("shuffle")) is not None:
        names = sorted({str(item.path) for item in items})
        random.Random(seed).shuffle(names)
        random.Random(seed).shuffle(items)
        items.sort(key=lambda item: names.index(str(item.path)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Says last of all that browser tests did not run."""
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        skipped = [each for each in reporter.stats.get("skipped", []) if NO_BROWSER in str(each.longrepr)]
        if skipped:
            reporter.write_line(f"{len(skipped)} browser tests were skipped: {NO_BROWSER}", yellow=True)
    return result


def pytest_collection_finish() -> None:
    """What was imported is never garbage: the collections below need not look through it."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def nothing_left_open() -> Iterator[None]:
    """Sockets, files and event loops that a module leaves open fail its last test, not a later module's."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def not_hushed() -> None:
    """What an earlier test's command line said of --quiet and --json is forgotten."""
    telling.begin([])


@pytest.fixture(autouse=True)
def two_threads() -> None:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 2)))


@pytest.fixture(scope="session")
def written_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four usable videos and five that are not: to read only."""
    folder = tmp_path_factory.mktemp("written") / "videos"
    write_video(folder / "a.mp4", tone(5.0, 440))
    write_video(folder / "b.mp4", tone(5.0, 880), colour=(20, 200, 20))
    write_video(folder / "deep" / "c.mp4", tone(25.0, 1760), seconds=25, colour=(20, 20, 200))
    write_video(folder / "d é.mp4", tone(2.5, 220))
    write_video(folder / "mute.mp4", None)
    write_video(folder / "silent.mp4", tone(5.0, level=0.0))
    write_video(folder / "short.mp4", tone(1.0), seconds=1.0)
    (folder / "text.mp4").write_text("this is no video")
    (folder / "empty.mp4").touch()
    return folder


@pytest.fixture
def videos(written_videos: Path, tmp_path: Path) -> Path:
    """A copy of those videos, to change."""
    return shutil.copytree(written_videos, tmp_path / "videos")


@pytest.fixture(scope="session")
def mini_encoder() -> "MiniEncoder":
    """The real backbones under random projections."""
    from clipsonic.encoders.mini import MiniEncoder

    torch.manual_seed(0)
    return MiniEncoder().eval()


@pytest.fixture(scope="session")
def tiny_settings() -> SpectrogramSettings:
    """The mini system, a tenth as wide."""
    page = SPECTROGRAM_PRESETS["mini"].model_dump()
    page["unet"] |= {"channels": (32, 32), "blocks": 1, "attention_levels": (1,), "attention_heads": 2}
    page["diffusion"] |= {"sampling_steps": 4}
    page["training"] |= {
        "steps": 6,
        "batch_size": 2,
        "precision": "no",
        "checkpoint_every": 3,
        "validate_every": 6,
        "log_every": 1,
        "warmup_steps": 0,
    }
    page["weights"] = "float32"
    return SpectrogramSettings.model_validate(page)


@pytest.fixture(scope="session")
def tiny_pipeline(
    mini_encoder: "MiniEncoder",
    tiny_settings: SpectrogramSettings,
) -> "clipsonic.pipeline.CLIPSonicPipeline":
    from clipsonic.diffusion.objective import noise_process
    from clipsonic.diffusion.sampling import solver
    from clipsonic.diffusion.unet import build_unet
    from clipsonic.vocoder.griffin_lim import GriffinLim

    torch.manual_seed(0)
    unet = build_unet(tiny_settings.unet, tiny_settings.diffusion, mini_encoder.embedding_dim).eval()
    with torch.no_grad():  # the last layer starts at zero in spirit: make the condition matter
        for weight in unet.parameters():
            weight.add_(torch.randn_like(weight) * 0.02)
    return clipsonic.pipeline.CLIPSonicPipeline(
        encoder=mini_encoder,
        unet=unet,
        scheduler=solver("dpm++", noise_process(tiny_settings.diffusion)),
        vocoder=GriffinLim(iterations=4),
        sampling_steps=4,
    )


@pytest.fixture(scope="session")
def tiny_model(
    tiny_pipeline: "clipsonic.pipeline.CLIPSonicPipeline", tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    tiny_pipeline.save(folder)
    return folder


@pytest.fixture
def clipsonic_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs the command line in this process => (exit code, what it printed)."""
    import sys

    from clipsonic.interfaces.cli import main

    def run(*words: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["clipsonic", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def prepared(videos: Path, folder: Path, encoder: "MiniEncoder", held_out: set[str]) -> Path:
    """A data set of the four usable videos with two labels, some of them held out."""
    from clipsonic.data.prepare import prepare
    from clipsonic.data.sources import find_videos

    shutil.copytree(videos, folder / "videos")
    labels = {"a.mp4": "dog", "b.mp4": "rain", "deep/c.mp4": "dog", "d é.mp4": "rain"}
    rows = [f"{name},{label},{'test' if name in held_out else 'train'}" for name, label in labels.items()]
    (folder / "videos" / "list.csv").write_text("\n".join(["path,label,split", *rows]))
    list(prepare(find_videos([folder / "videos" / "list.csv"]), folder / "data", encoder, workers=1))
    return folder / "data"


@pytest.fixture(scope="session")
def prepared_labelled(
    written_videos: Path, tmp_path_factory: pytest.TempPathFactory, mini_encoder: "MiniEncoder"
) -> Path:
    return prepared(written_videos, tmp_path_factory.mktemp("labelled"), mini_encoder, {"d é.mp4"})


@pytest.fixture(scope="session")
def prepared_held_out(
    written_videos: Path, tmp_path_factory: pytest.TempPathFactory, mini_encoder: "MiniEncoder"
) -> Path:
    held_out = {"deep/c.mp4", "d é.mp4"}
    return prepared(written_videos, tmp_path_factory.mktemp("held-out"), mini_encoder, held_out)


@pytest.fixture
def labelled(prepared_labelled: Path, tmp_path: Path) -> Path:
    """A prepared data set of four videos with two labels, one of them held out."""
    return shutil.copytree(prepared_labelled, tmp_path / "labelled")


@pytest.fixture
def held_out(prepared_held_out: Path, tmp_path: Path) -> Path:
    """A prepared data set with four held-out clips of two labels."""
    return shutil.copytree(prepared_held_out, tmp_path / "data")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """A browser; without one the test is skipped, and the last line of the summary says so."""
    path = chromium()
    if path is None:
        pytest.skip(NO_BROWSER)
    return path
