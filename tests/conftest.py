"""What several tests need: shapes checked at run time, videos made on the spot, a tiny model."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when the hub's client is imported

import numpy as np
import pytest
import torch
from jaxtyping import install_import_hook

with install_import_hook(
    ["clipsonic.audio", "clipsonic.diffusion", "clipsonic.vocoder", "clipsonic.model", "clipsonic.pipeline"],
    "beartype.beartype",
):
    import clipsonic.pipeline

import av

from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS, SpectrogramSettings

SAMPLE_RATE = 44_100


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
def two_threads() -> None:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 2)))


def tone(seconds: float, hertz: float = 440.0, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(
        "f4"
    )


def write_video(
    path: Path, wave: np.ndarray | None, seconds: float = 5.0, colour: tuple[int, int, int] = (200, 40, 40)
) -> Path:
    """A real mp4 of one colour at 4 frames a second; `wave` is 44.1 kHz mono, None for no audio track."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=4)
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if wave is not None else None
        for number in range(round(seconds * 4)):
            image = np.full((64, 96, 3), colour, dtype=np.uint8)
            image[:, : 4 * number % 96] //= 2
            container.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(picture.encode(None))
        if sound is not None and wave is not None:
            frame = av.AudioFrame.from_ndarray(wave[None], format="flt", layout="mono")
            frame.rate = SAMPLE_RATE
            container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder of four usable videos and five that are not."""
    folder = tmp_path / "videos"
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


@pytest.fixture
def labelled(videos: Path, tmp_path: Path, mini_encoder: "MiniEncoder") -> Path:
    """A prepared data set of four videos with two labels, one of them held out."""
    from clipsonic.data.prepare import prepare
    from clipsonic.data.sources import find_videos

    rows = [
        "path,label,split",
        "a.mp4,dog,train",
        "b.mp4,rain,train",
        "deep/c.mp4,dog,train",
        "d é.mp4,rain,test",
    ]
    (videos / "list.csv").write_text("\n".join(rows))
    list(prepare(find_videos([videos / "list.csv"]), tmp_path / "labelled", mini_encoder, workers=1))
    return tmp_path / "labelled"
