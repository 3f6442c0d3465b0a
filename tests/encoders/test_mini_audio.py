"""The small language-audio encoder: what every encoder of sounds owes its users, and what is shipped."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch

from clipsonic.encoders.clap import CLAPEncoder
from clipsonic.encoders.load import load_audio_encoder
from clipsonic.encoders.mini_audio import MiniAudioEncoder
from clipsonic.errors import UserError
from clipsonic.model_folder import SHIPPED

RATE = 16_000


@pytest.fixture(scope="module")
def encoder() -> MiniAudioEncoder:
    torch.manual_seed(0)
    return MiniAudioEncoder(embedding_dim=24, channels=(8, 12, 16)).eval()


def chirp(seconds: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """A tone that rises, and hiss far below it."""
    at = np.arange(round(seconds * rate)) / rate
    tone = 0.2 * np.sin(2 * np.pi * (200 * (seed + 1) * at + 300 * at**2))
    return (tone + 0.003 * np.random.default_rng(seed).standard_normal(len(at))).astype("f4")


def test_unit_rows_of_both(encoder) -> None:
    sounds = encoder.encode_audio([chirp(1), chirp(7.3), np.zeros(RATE, "f4"), chirp(0.01)], RATE)
    texts = encoder.encode_text(["a dog", "rain " * 500, ""])
    rows = torch.cat([sounds, texts])
    assert (sounds.shape, texts.shape, encoder.embedding_dim, rows.dtype) == (
        (4, 24),
        (3, 24),
        24,
        torch.float32,
    )
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(7))
    assert encoder.encode_audio([], RATE).shape == encoder.encode_text([]).shape == (0, 24)


def test_a_row_depends_on_its_sound_alone(encoder) -> None:
    waves = [chirp(0.3), chirp(2, seed=1), chirp(1, seed=2), chirp(2, seed=3), chirp(2, seed=4)]
    together = encoder.encode_audio(waves, RATE)
    for wave, row in zip(waves, together, strict=True):
        torch.testing.assert_close(encoder.encode_audio([wave], RATE)[0], row, atol=1e-5, rtol=0)
    assert (together[1] - together[3]).norm() > 1e-3


def test_loudness_tells_nothing(encoder) -> None:
    wave = chirp(1.7)
    loud, quiet = encoder.encode_audio([wave, wave * np.float32(0.003)], RATE)
    torch.testing.assert_close(loud, quiet, atol=1e-4, rtol=0)


def test_a_sound_at_two_rates_is_one_sound(encoder) -> None:
    fine = chirp(2, 48_000)
    same = (
        encoder.encode_audio([fine], 48_000)
        @ encoder.encode_audio([soxr.resample(fine, 48_000, RATE)], RATE).T
    )
    other = encoder.encode_audio([fine], 48_000) @ encoder.encode_audio([fine], RATE).T
    assert same > 0.9999
    assert other < same - 1e-3


@pytest.mark.parametrize("wave", [[], [0.1, np.nan], [np.inf, 0.0]])
def test_no_sound_is_said(encoder, wave) -> None:
    with pytest.raises(UserError, match="a sound to embed"):
        encoder.encode_audio([chirp(1), np.array(wave, "f4")], RATE)


def test_integer_samples_are_scaled_or_refused(encoder) -> None:
    wave = 0.5 * chirp(1) / np.abs(chirp(1)).max()
    whole = encoder.encode_audio([(wave * 32767).astype(np.int16)], RATE)
    assert float(whole @ encoder.encode_audio([wave.astype("f4")], RATE).T) > 0.9999
    with pytest.raises(UserError, match=r"1638\d"):
        encoder.encode_audio([(wave * 32767).astype("f4")], RATE)


def test_the_scale_is_bounded(encoder) -> None:
    assert encoder.logit_scale.item() == pytest.approx(1 / 0.07, rel=1e-5)
    bold = MiniAudioEncoder(embedding_dim=4, channels=(8,))
    bold.log_scale.data.fill_(50.0)
    assert bold.logit_scale.item() == pytest.approx(100, rel=1e-5)


def test_saving_in_half_precision_keeps_id_and_answers(encoder, tmp_path) -> None:
    rounded = MiniAudioEncoder.from_config(encoder.config).eval()
    rounded.load_state_dict({name: weight.half() for name, weight in encoder.state_dict().items()})
    rounded.register_to_config(held_out_accuracy=0.75, held_out_clips=4)
    rounded.half().save_pretrained(tmp_path / "half")
    loaded = load_audio_encoder(str(tmp_path / "half"))
    assert loaded.id == rounded.id != encoder.id
    assert loaded.dtype == torch.float32
    assert (loaded.config.held_out_accuracy, loaded.config.held_out_clips) == (0.75, 4)
    waves = [chirp(1.2)]
    torch.testing.assert_close(
        loaded.encode_audio(waves, RATE), rounded.float().encode_audio(waves, RATE), atol=0, rtol=0
    )
    loaded.save_pretrained(tmp_path / "again")
    assert str(tmp_path) not in (tmp_path / "again/config.json").read_text()


def test_what_is_shipped_hears_words(tmp_path) -> None:
    """Hiss and ticks made by hand are nearest to rain and to a clock."""
    encoder = load_audio_encoder("mini")
    assert encoder.id.startswith("mini-audio@")
    assert encoder.config.held_out_clips > 200
    assert encoder.config.held_out_accuracy > 0.5  # of 46 labels
    files = list((SHIPPED / "mini-audio").iterdir())
    assert {path.suffix for path in files} == {".json", ".safetensors", ".md"}
    assert sum(path.stat().st_size for path in files) < 2e6
    random = np.random.default_rng(0)
    rain = 0.1 * random.standard_normal(4 * RATE)
    ticks = np.zeros(4 * RATE)
    for start in range(0, len(ticks), RATE // 2):
        ticks[start : start + 60] = random.standard_normal(60) * np.exp(-np.arange(60) / 15)
    sounds = encoder.encode_audio([rain.astype("f4"), ticks.astype("f4")], RATE)
    texts = encoder.encode_text(["the sound of rain", "the sound of clock"])
    assert (sounds @ texts.T).argmax(1).tolist() == [0, 1]


def test_names_and_folders(encoder, tmp_path, monkeypatch) -> None:
    with pytest.raises(UserError, match="clipsonic models fetch clap"):
        load_audio_encoder("clap")
    with pytest.raises(UserError, match="no folder gone, and no hub id"):
        load_audio_encoder("gone")
    (tmp_path / "published").mkdir()
    (tmp_path / "published/config.json").write_text('{"model_type": "clap"}')
    assert isinstance(load_audio_encoder(str(tmp_path / "published")), CLAPEncoder)
    CLAPEncoder("someone/clap").save_pretrained(tmp_path / "clap")
    assert load_audio_encoder(str(tmp_path / "clap")).name == "someone/clap"


def test_damaged_folders_get_one_line(encoder, tmp_path) -> None:
    encoder.save_pretrained(tmp_path / "whole")

    def copy(name: str) -> Path:
        return shutil.copytree(tmp_path / "whole", tmp_path / name)

    other = copy("other")
    page = json.loads((other / "config.json").read_bytes())
    (other / "config.json").write_text(json.dumps(page | {"_class_name": "MiniEncoder"}))
    text = copy("text")
    (text / "config.json").write_text("[]")
    wider = copy("wider")
    (wider / "config.json").write_text(json.dumps(page | {"embedding_dim": 25}))
    cut = copy("cut")
    (cut / "diffusion_pytorch_model.safetensors").write_bytes(b"\x80\x04")
    gone = copy("gone")
    (gone / "diffusion_pytorch_model.safetensors").unlink()
    for folder, said in (
        (other, "holds MiniEncoder"),
        (text, "damaged or of something else"),
        (wider, "cannot be loaded"),
        (cut, "cannot be loaded"),
        (gone, "lacks diffusion_pytorch_model"),
    ):
        with pytest.raises(UserError, match=said) as told:
            load_audio_encoder(str(folder))
        assert "\n" not in str(told.value)
