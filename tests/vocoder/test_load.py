"""A folder gives its vocoder, and what holds none gets one line."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from clipsonic.errors import UserError
from clipsonic.model_folder import WEIGHTS
from clipsonic.settings.vocoder import BIGVGAN_PRESETS
from clipsonic.vocoder.griffin_lim import GriffinLim
from clipsonic.vocoder.load import KINDS, load_vocoder, vocoder_of
from tests.vocoder.made import bigvgan, fourier

MADE = {
    "GriffinLim": lambda: GriffinLim(iterations=3),
    "BigVGAN": lambda: bigvgan(BIGVGAN_PRESETS["paper-base"], channels=32),
    "FourierVocoder": lambda: fourier(width=16, blocks=1),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fourier(width=16, blocks=1).save_pretrained(tmp_path / "vocoder")
    return tmp_path / "vocoder"


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_every_kind_is_loaded_as_it_was_saved(kind, tmp_path) -> None:
    made = MADE[kind]()
    made.save_pretrained(tmp_path / "vocoder")
    again = vocoder_of(tmp_path)
    assert type(again).__name__ == kind
    assert not again.training
    mel = torch.full((1, 64, 2), -3.0)
    torch.testing.assert_close(again(mel), made(mel), atol=1e-6, rtol=0)
    made.half().save_pretrained(tmp_path / "half")
    assert load_vocoder(str(tmp_path / "half")).dtype == torch.float32
    again.save_pretrained(tmp_path / "moved")
    assert str(tmp_path) not in (tmp_path / "moved" / "config.json").read_text()


def test_griffin_lim_needs_no_folder(tmp_path) -> None:
    for vocoder in (load_vocoder("griffin-lim"), vocoder_of(tmp_path)):
        assert isinstance(vocoder, GriffinLim)
        assert vocoder.iterations == 32


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as refused:
        load_vocoder(str(folder))
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_files_that_are_missing(folder) -> None:
    assert "has no config.json" in refusal(folder.parent)
    assert "has no config.json" in refusal(folder / "gone")
    (folder / WEIGHTS).rename(folder / "diffusion_pytorch_model.bin")
    assert f"has no {WEIGHTS}" in refusal(folder)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "is damaged or of something else"),
        ("[]", "is damaged or of something else"),
        ("{}", "is damaged or of something else"),
        ('{"_class_name": ["FourierVocoder"]}', "is damaged or of something else"),
        ('{"_class_name": "Popen"}', "holds Popen, which is no vocoder; known are BigVGAN, FourierVocoder, Gr"),
        ('{"_class_name": "BigVGAN"}', "cannot be loaded"),
        ('{"_class_name": "FourierVocoder", "upsample": 0}', "cannot be loaded"),
        ('{"_class_name": "FourierVocoder", "width": 24, "blocks": 1}', "cannot be loaded"),
        ('{"_class_name": "FourierVocoder", "width": 16, "blocks": 2}', "9 weights missing or unknown"),
    ],
)  # fmt: skip
def test_settings_of_something_else(folder, config, said) -> None:
    (folder / "config.json").write_text(config)
    assert said in refusal(folder)


def test_weights_that_are_damaged(folder) -> None:
    weights = load_file(folder / WEIGHTS)
    save_file(weights | {"more": torch.zeros(1)}, folder / WEIGHTS)
    assert "1 weights missing or unknown, such as more" in refusal(folder)
    (folder / WEIGHTS).write_bytes(b"\x80\x04 a pickle")
    assert "cannot be loaded" in refusal(folder)
