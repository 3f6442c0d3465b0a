"""The U-Net against improved-diffusion's, whose numbers are in tests/fixtures, and models of before."""

import torch
from benchmarks.parity import unet as parity
from safetensors.torch import load_file

from clipsonic.diffusion.unet import MelUNet, build_unet, predict
from clipsonic.model_folder import resolve
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS, UNetSettings

PAPER, MINI = SPECTROGRAM_PRESETS["paper"], SPECTROGRAM_PRESETS["mini"]


def test_output_is_the_published_networks() -> None:
    expected = load_file(parity.FIXTURE)["output"]
    torch.testing.assert_close(parity.outputs(parity.ours()), expected, atol=1e-5, rtol=0)


def test_the_papers_network_has_121_450_754_parameters() -> None:
    with torch.device("meta"):
        unet = build_unet(PAPER.unet, PAPER.diffusion, 768)
    assert sum(weight.numel() for weight in unet.parameters()) == 121_450_754


def test_the_shipped_model_keeps_the_middle_it_was_trained_with() -> None:
    config = MelUNet.load_config(resolve("mini") / "unet")
    assert "middle_norm" not in config
    with torch.device("meta"):
        middle = MelUNet.from_config(config).mid_block
    assert middle.attentions[0].group_norm is None
    assert {block.norm1.eps for block in middle.resnets} == {1e-6}
    assert MINI.unet.middle_norm  # of what is trained from now on


def test_the_middle_norm_is_saved(tmp_path) -> None:
    shape = UNetSettings(channels=(32,), blocks=1, attention_levels=(), middle_norm=True)
    unet = build_unet(shape, MINI.diffusion, 8).eval()
    unet.save_pretrained(tmp_path)
    again = MelUNet.from_pretrained(tmp_path).eval()
    assert again.mid_block.attentions[0].group_norm.eps == 1e-5
    x, t, embedding = torch.randn(1, 1, 64, 8), torch.tensor([5]), torch.randn(1, 8)
    with torch.no_grad():
        found, expected = (predict(each, x, t, embedding, 1000).output for each in (again, unet))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_network_of_zero_last_layers_begins_with_zero() -> None:
    small = {"channels": (32, 64), "blocks": 1, "attention_levels": (1,)}
    unet = build_unet(PAPER.unet.model_copy(update=small), PAPER.diffusion, 8)
    hidden: list[torch.Tensor] = []
    for block in (*unet.mid_block.resnets, *unet.mid_block.attentions):
        block.register_forward_hook(lambda _, given, out: hidden.append(out - given[0]))
    prediction = predict(unet, torch.randn(1, 1, 64, 16), torch.tensor([5]), torch.randn(1, 8), 4000)
    assert prediction.output.abs().max() == 0
    assert len(hidden) == 3
    assert all(difference.abs().max() == 0 for difference in hidden)
