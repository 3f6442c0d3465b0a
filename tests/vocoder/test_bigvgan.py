"""BigVGAN beside its authors' waves, and published checkpoints of every form."""

import json
from pathlib import Path

import pytest
import torch
from benchmarks.parity.bigvgan import CONFIGS, FIXTURE, FRAMES, mels, published_weights, save_published, small
from benchmarks.parity.weights import seeded
from safetensors.torch import load_file
from torch import nn

from clipsonic.errors import UserError
from clipsonic.pipeline import CLIPSonicPipeline
from clipsonic.settings.vocoder import BIGVGAN_PRESETS
from clipsonic.vocoder.bigvgan import BigVGAN, Snake
from clipsonic.vocoder.convert import CONFIG, WEIGHTS, convert, convert_to_folder

V2 = "bigvgan_v2_24khz_100band_256x"
TINY = BIGVGAN_PRESETS["paper-large"].model_copy(update={"channels": 64})


@pytest.fixture
def tiny() -> BigVGAN:
    vocoder = BigVGAN(**TINY.model_dump())
    weights = vocoder.state_dict()
    drawn = {name: 0.7 * value if value.dim() == 3 else value for name, value in seeded(weights).items()}
    vocoder.load_state_dict({name: weights[name] if "filter" in name else drawn[name] for name in weights})
    return vocoder.eval()


@pytest.fixture
def published(tmp_path) -> Path:
    """A small checkpoint of the second version, as NVIDIA publishes it."""
    folder = tmp_path / "published"
    folder.mkdir()
    config = small(CONFIGS[V2])
    save_published(folder, config, published_weights(config))
    return folder


def change(folder: Path, **settings: object) -> None:
    page = json.loads((folder / CONFIG).read_text()) | settings
    (folder / CONFIG).write_text(json.dumps({name: value for name, value in page.items() if value != "drop"}))


@torch.no_grad()
@pytest.mark.parametrize("name", CONFIGS)
def test_gives_the_waves_of_its_authors(tmp_path, name) -> None:
    config = small(CONFIGS[name])
    save_published(tmp_path, config, published_weights(config))
    wave = convert(str(tmp_path))(mels(config, FRAMES))
    expected = load_file(FIXTURE)[name]
    assert wave.shape == (2, FRAMES * config["hop_size"])
    assert expected.std() > 0.05
    torch.testing.assert_close(wave, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_every_form_of_weight_norm_is_the_same_vocoder(published) -> None:
    reference = convert(str(published)).state_dict()
    state = torch.load(published / WEIGHTS, weights_only=True)["generator"]
    newer = {
        name.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): value
        for name, value in state.items()
    }
    folded = {name.removeprefix("generator."): value for name, value in reference.items()}
    assert not any("weight_" in name for name in folded)
    for form in (newer, folded):
        torch.save({"generator": form}, published / WEIGHTS)
        again = convert(str(published)).state_dict()
        assert again.keys() == reference.keys()
        assert all(torch.equal(again[name], reference[name]) for name in reference)


def test_folding_is_torchs_own_weight_norm(published) -> None:
    state = torch.load(published / WEIGHTS, weights_only=True)["generator"]
    up = nn.ConvTranspose1d(128, 64, 8, 4, padding=2)
    torch.nn.utils.parametrizations.weight_norm(up)
    up.parametrizations.weight.original0.data = state["ups.0.0.weight_g"]
    up.parametrizations.weight.original1.data = state["ups.0.0.weight_v"]
    torch.testing.assert_close(convert(str(published)).generator.ups[0][0].weight, up.weight)


@torch.no_grad()
def test_a_clip_does_not_depend_on_its_batch(tiny) -> None:
    mel = -4 + 3 * torch.randn(5, 64, 9, generator=torch.Generator().manual_seed(0))
    wave = tiny(mel)
    assert wave.shape == (5, 9 * 512)
    assert wave.abs().max() <= 1
    assert wave.std() > 0.01
    torch.testing.assert_close(wave[3:4], tiny(mel[3:4]), atol=1e-5, rtol=0)


@torch.no_grad()
def test_saves_and_loads(tiny, tmp_path) -> None:
    tiny.save_pretrained(tmp_path)
    again = BigVGAN.from_pretrained(tmp_path, use_safetensors=True).eval()
    assert again.settings == TINY
    mel = torch.randn(1, 64, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again(mel), tiny(mel))


@pytest.mark.parametrize(("preset", "parameters"), [("paper-large", 121_464_625), ("paper-base", 13_921_057)])
def test_the_papers_sizes(preset, parameters) -> None:
    with torch.device("meta"):
        vocoder = BigVGAN(**BIGVGAN_PRESETS[preset].model_dump())
    assert sum(weight.numel() for weight in vocoder.parameters()) == parameters
    assert vocoder.settings.hop_length == 512


@pytest.mark.parametrize("log_scale", [True, False])
def test_snake_is_its_formula(log_scale) -> None:
    x = torch.linspace(-2, 2, 7)[None, None]
    a, b = torch.tensor([[0.7]]), torch.tensor([[1.9]])
    for beta in (True, False):
        snake = Snake(1, beta, log_scale)
        snake.alpha.data = a[0].log() if log_scale else a[0]
        if beta:
            snake.beta.data = b[0].log() if log_scale else b[0]
        torch.testing.assert_close(snake(x), x + torch.sin(a * x) ** 2 / (b if beta else a))


@pytest.mark.parametrize("activation", ["snake", "snakebeta"])
def test_other_activations_are_built_and_stored(tmp_path, activation) -> None:
    settings = TINY.model_copy(update={"activation": activation, "log_scale": False})
    vocoder = BigVGAN(**settings.model_dump())
    assert any(name.endswith("act.beta") for name in vocoder.state_dict()) == (activation == "snakebeta")
    vocoder.save_pretrained(tmp_path)
    assert BigVGAN.from_pretrained(tmp_path).settings == settings


def test_is_part_of_a_model_folder(tiny, tiny_pipeline, tmp_path, clipsonic_command) -> None:
    parts = tiny_pipeline.components | {"vocoder": tiny, "sampling_steps": 2}
    CLIPSonicPipeline(**parts).save(tmp_path / "model")
    out = tmp_path / "dog.wav"
    code, said = clipsonic_command(
        "generate", "a dog", "--model", tmp_path / "model", "-o", out, "--seconds", "1"
    )
    assert code == 0, said
    assert out.exists()


def test_one_for_another_mel_is_refused(published, tiny_pipeline) -> None:
    with pytest.raises(
        UserError, match="sample rate 24000, not 16000; window 1024, not 2048; hop 256, not 512"
    ):
        CLIPSonicPipeline(**dict(tiny_pipeline.components, vocoder=convert(str(published))))
    narrow = BigVGAN(**(TINY.model_dump() | {"highest": 7600.0}))
    with pytest.raises(UserError, match="clipsonic's: highest Hz 7600, not 8000"):
        CLIPSonicPipeline(**dict(tiny_pipeline.components, vocoder=narrow))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"resblock": "2"}, "resblock '2'; clipsonic can use '1' only"),
        ({"activation": "relu"}, "activation Input should be 'snake' or 'snakebeta'"),
        ({"hop_size": 512}, "hop_size 512; clipsonic can use 256 only"),
        ({"win_size": 512}, "win_size 512; clipsonic can use 1024 only"),
        ({"upsample_kernel_sizes": [8, 8, 4, 4, 4, 3]}, "an upsampling kernel is its rate and an even number more"),
        ({"upsample_rates": [4, 4, 16]}, "of different length"),
        ({"upsample_initial_channel": 100}, "channels cannot be halved"),
        ({"sampling_rate": "fast"}, "describes no BigVGAN"),
        ({"num_mels": "drop"}, "lacks num_mels"),
        ({"snake_logscale": "drop"}, "lacks snake_logscale"),
        ({"resblock": "drop"}, "does not describe a BigVGAN"),
        ({"noise_gate": True}, "settings that clipsonic does not know: noise_gate"),
        ({"num_mels": 80}, "1 weights are missing, unknown or of another size, such as conv_pre.weight"),
        ({"use_bias_at_final": True}, "such as conv_post.bias"),
        ({"activation": "snake"}, "act.beta"),
    ],
)  # fmt: skip
def test_settings_of_something_else_are_refused(published, settings, said) -> None:
    change(published, **settings)
    with pytest.raises(UserError) as refusal:
        convert(str(published))
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_damaged_files_are_refused(published) -> None:
    state = torch.load(published / WEIGHTS, weights_only=True)["generator"]
    half = {name: value for name, value in state.items() if name != "conv_pre.weight_g"}
    for page, said in (
        ({"generator": half}, "half of conv_pre.weight: conv_pre.weight_v alone"),
        ({"generator": [1]}, "holds no generator"),
        ({"discriminator": {}}, "holds no generator"),
        ({"generator": state | {"extra": state["conv_pre.bias"]}}, "such as extra"),
    ):
        torch.save(page, published / WEIGHTS)
        with pytest.raises(UserError, match=said):
            convert(str(published))
    (published / WEIGHTS).write_bytes(b"<html>not found</html>")
    with pytest.raises(UserError, match="no file of plain weights; fetch the published one again"):
        convert(str(published))
    (published / CONFIG).write_text("{")
    with pytest.raises(UserError, match="is no JSON"):
        convert(str(published))
    (published / CONFIG).unlink()
    with pytest.raises(UserError, match=r"lacks config.json"):
        convert(str(published))


def test_a_file_that_would_run_code_is_refused(published, tmp_path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "taken over",)

    torch.save({"generator": Hostile()}, published / WEIGHTS)
    with pytest.raises(UserError, match="no file of plain weights"):
        convert(str(published))
    assert not (tmp_path / "taken over").exists()


def test_convert_writes_a_folder_or_none(published, tmp_path, clipsonic_command) -> None:
    out = tmp_path / "vocoder"
    for _ in range(2):  # the second takes the first one's place
        code, said = clipsonic_command("models", "convert-vocoder", published, out)
        assert code == 0, said
        assert sorted(path.name for path in out.iterdir()) == [
            "config.json",
            "diffusion_pytorch_model.safetensors",
        ]
    assert "24000 Hz" in said
    assert BigVGAN.from_pretrained(out).settings.sample_rate == 24_000
    with pytest.raises(UserError, match="holds something else than a vocoder"):
        convert_to_folder(str(published), published)
    assert (published / WEIGHTS).exists()
    (published / WEIGHTS).unlink()
    code, said = clipsonic_command("models", "convert-vocoder", published, tmp_path / "none")
    assert code == 2
    assert f"lacks {WEIGHTS}" in said
    assert not list(tmp_path.glob("*none*"))
