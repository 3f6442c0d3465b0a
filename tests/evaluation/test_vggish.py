"""VGGish: its front end against physics, its numbers against the port whose weights it loads (from a fixture)."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.parity.vggish import FIXTURE, SHORT, wave, weights
from safetensors.torch import load_file

from clipsonic.errors import UserError
from clipsonic.evaluation.vggish import (
    BATCH,
    LOG_OFFSET,
    WINDOW_SAMPLES,
    VGGish,
    load_vggish,
    log_mel_windows,
    vggish_mel_filters,
)

PUBLISHED = {  # of vggish-10086976.pth
    "features.0.weight": (64, 1, 3, 3),
    "features.3.weight": (128, 64, 3, 3),
    "features.6.weight": (256, 128, 3, 3),
    "features.8.weight": (256, 256, 3, 3),
    "features.11.weight": (512, 256, 3, 3),
    "features.13.weight": (512, 512, 3, 3),
    "embeddings.0.weight": (4096, 12288),
    "embeddings.2.weight": (4096, 4096),
    "embeddings.4.weight": (128, 4096),
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vggish") / "vggish-10086976.pth"
    torch.save(weights(full=False), path)
    return path


@pytest.fixture(scope="module")
def model(published: Path) -> VGGish:
    return load_vggish(published)


def sine(hertz: float, seconds: float = 1.0) -> torch.Tensor:
    return 0.5 * torch.sin(2 * torch.pi * hertz * torch.arange(round(seconds * 16_000)) / 16_000)


def test_names_and_shapes_as_published() -> None:
    with torch.device("meta"):
        state = VGGish().state_dict()
    biases = {name.replace("weight", "bias"): shape[:1] for name, shape in PUBLISHED.items()}
    assert {name: tuple(weight.shape) for name, weight in state.items()} == PUBLISHED | biases
    assert sum(weight.numel() for weight in state.values()) == 72_141_184


def test_the_ports_numbers(model) -> None:
    theirs = load_file(FIXTURE)
    torch.testing.assert_close(log_mel_windows(wave(SHORT)), theirs["log_mel"], atol=1e-4, rtol=0)
    torch.testing.assert_close(model.embed(wave(SHORT)), theirs["embeddings"], atol=1e-5, rtol=0)
    assert (theirs["embeddings"] < 0).any()  # the last ReLU is off


@pytest.mark.parametrize("hertz", [250.0, 1000.0, 4000.0])
def test_a_sine_is_loudest_in_its_band(hertz) -> None:
    low, high = (1127 * np.log(1 + f / 700) for f in (125, 7500))
    centres = 700 * np.expm1(np.linspace(low, high, 66)[1:-1] / 1127)
    mel = log_mel_windows(sine(hertz))[0].mean(0)
    assert abs(int(mel.argmax()) - int(np.abs(centres - hertz).argmin())) <= 1
    louder = log_mel_windows(2 * sine(hertz))[0].mean(0)
    torch.testing.assert_close((louder - mel).max(), torch.tensor(2.0).log(), atol=0.01, rtol=0)


def test_silence_is_the_offset() -> None:
    mel = log_mel_windows(torch.zeros(16_000))
    torch.testing.assert_close(mel, torch.full((1, 96, 64), LOG_OFFSET).log())
    assert (vggish_mel_filters()[0] == 0).all()
    assert (vggish_mel_filters().sum(0) > 0).all()


@pytest.mark.parametrize(
    ("samples", "windows"),
    [(0, 1), (1, 1), (399, 1), (WINDOW_SAMPLES - 1, 1), (WINDOW_SAMPLES, 1), (WINDOW_SAMPLES + 96 * 160 - 1, 1),
     (WINDOW_SAMPLES + 96 * 160, 2), (65_536, 4), (160_000, 10)],
)  # fmt: skip
def test_windows_are_counted(samples, windows) -> None:
    assert log_mel_windows(torch.rand(samples)).shape == (windows, 96, 64)


def test_a_short_wave_is_filled_with_zeros() -> None:
    short = sine(1000, 0.3)
    filled = torch.cat([short, torch.zeros(WINDOW_SAMPLES - len(short))])
    assert torch.equal(log_mel_windows(short), log_mel_windows(filled))


def test_a_window_does_not_depend_on_its_batch(model, monkeypatch) -> None:
    sound = wave(5.0)
    together = model.embed(sound)
    alone = model.embed(sound[2 * 96 * 160 :])  # from the third window on
    torch.testing.assert_close(alone, together[2:], atol=1e-5, rtol=0)
    monkeypatch.setattr("clipsonic.evaluation.vggish.BATCH", 2)
    torch.testing.assert_close(model.embed(sound), together, atol=1e-5, rtol=0)
    assert BATCH >= 2 and together.shape == (5, 128)


def test_frozen(model) -> None:
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())


def test_not_a_number_is_said(model) -> None:
    with pytest.raises(UserError, match="not numbers"):
        model.embed(torch.tensor([0.0, torch.nan]))


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_a_file_cannot_do_anything(tmp_path) -> None:
    mark = tmp_path / "touched"
    path = tmp_path / "vggish-10086976.pth"
    torch.save({"features.0.weight": Hostile(mark)}, path)
    with pytest.raises(UserError, match="cannot be read as weights"):
        load_vggish(path)
    path.write_bytes(pickle.dumps(Hostile(mark), protocol=2))
    with pytest.raises(UserError, match="cannot be read as weights"):
        load_vggish(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())  # it would have
    assert mark.exists()


def test_another_file_is_said_in_one_line(published, tmp_path) -> None:
    path = tmp_path / "other.pth"
    with pytest.raises(UserError, match="of release v0"):
        load_vggish(path)
    for content in (b"", b"no weights", published.read_bytes()[:100_000]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="cannot be read as weights") as told:
            load_vggish(path)
        assert "\n" not in str(told.value)
    good = {"features.0.weight": torch.zeros(64, 1, 3, 3)}
    for content in (good, [1, 2], {"features.0.weight": "text"}, torch.zeros(3)):
        torch.save(content, path)
        with pytest.raises(UserError, match="holds no weights of VGGish"):
            load_vggish(path)
