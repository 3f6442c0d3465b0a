"""OpenVINO's U-Net: the same function, kept between calls, refused when it is not."""

from pathlib import Path

import pytest
import torch

from clipsonic.diffusion import openvino
from clipsonic.diffusion.unet import MelUNet, build_unet, predict
from clipsonic.errors import UserError
from clipsonic.settings.spectrogram import DiffusionSettings, UNetSettings

pytest.importorskip("openvino")


@pytest.fixture
def unet() -> MelUNet:
    torch.manual_seed(0)
    settings = UNetSettings(fold=2, channels=(32, 64), blocks=1, attention_levels=(1,), attention_heads=2)
    unet = build_unet(settings, DiffusionSettings(learned_variance=False), embedding_dim=8).eval()
    for parameter in unet.parameters():
        if not parameter.any():  # layers that start at zero, whose outputs would hide a difference
            torch.nn.init.normal_(parameter, std=0.05)
    return unet


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "clipsonic" / "openvino"


@torch.no_grad()
@pytest.mark.parametrize(("clips", "frames"), [(1, 64), (3, 32), (2, 160)])
def test_says_what_torch_says_at_every_length_and_number(unet: MelUNet, clips: int, frames: int) -> None:
    x, t = torch.randn(clips, 1, 64, frames), torch.arange(clips) * 400
    embedding = torch.randn(clips, 8)
    ours = predict(openvino.compile_unet(unet), x, t, embedding, 1000).output
    theirs = predict(unet, x, t, embedding, 1000).output
    assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


def test_is_exported_once_for_the_same_weights(
    unet: MelUNet, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports = []
    export = openvino._export
    monkeypatch.setattr(openvino, "_export", lambda unet: exports.append(unet) or export(unet))
    openvino.compile_unet(unet)
    openvino.compile_unet(unet)
    assert len(exports) == 1
    with torch.no_grad():
        next(unet.parameters()).mul_(1.1)
    openvino.compile_unet(unet)
    assert len(exports) == 2
    assert len(list(cache.glob("*.xml"))) == 2


def test_a_damaged_file_in_the_cache_is_made_again(unet: MelUNet, cache: Path) -> None:
    openvino.compile_unet(unet)
    (kept,) = cache.glob("*.xml")
    kept.write_text("not a network")
    openvino.compile_unet(unet)
    assert kept.read_text() != "not a network"


def test_is_refused_when_it_says_something_else(unet: MelUNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "TOLERANCE", {torch.float32: 1e-12})
    with pytest.raises(UserError, match="--backend torch"):
        openvino.compile_unet(unet)
