"""LAION's CLAP, small and with random weights, from a local folder; the authors' numbers from a fixture."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch
from benchmarks.parity.clap import FIXTURE, RATE, TEXTS, save_clap, waves
from safetensors.torch import load_file, save_file

from clipsonic.encoders.clap import (
    CLAP_RATE,
    CLAPEncoder,
    clap_mel_filters,
    decibel_mel,
    views,
    wave_at_48_khz,
)
from clipsonic.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clap")
    save_clap(folder, full=False)
    return folder


@pytest.fixture(scope="module")
def encoder(folder: Path) -> CLAPEncoder:
    return CLAPEncoder(str(folder))


def hiss(seconds: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype("f4")


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_unit_embeddings_of_both(encoder) -> None:
    sounds = encoder.encode_audio([hiss(1), hiss(11), np.zeros(RATE, "f4")], RATE)
    texts = encoder.encode_text(["a dog", "a very long text " * 50, ""])
    assert encoder.embedding_dim == 24
    assert (sounds.shape, texts.shape) == ((3, 24), (3, 24))
    torch.testing.assert_close(torch.cat([sounds, texts]).norm(dim=1), torch.ones(6))
    assert encoder.encode_audio([], RATE).shape == encoder.encode_text([]).shape == (0, 24)


def test_the_authors_numbers(encoder) -> None:
    theirs = load_file(FIXTURE)
    for kind in ("short", "long"):
        ours = encoder.encode_audio(waves(kind), RATE)
        torch.testing.assert_close(ours, theirs[kind], atol=1e-4, rtol=0)
    torch.testing.assert_close(encoder.encode_text(TEXTS), theirs["texts"], atol=5e-6, rtol=0)


def test_a_row_depends_on_its_sound_alone(encoder) -> None:
    batch = [hiss(0.3), hiss(2, seed=1), hiss(12, seed=2), hiss(10, seed=3), *[hiss(0.5, seed=4)] * 6]
    together = encoder.encode_audio(batch, RATE)
    for wave, row in zip(batch, together, strict=True):
        torch.testing.assert_close(encoder.encode_audio([wave], RATE)[0], row, atol=1e-5, rtol=0)
    texts = encoder.encode_text(["cat", "a much longer text than that"])
    torch.testing.assert_close(encoder.encode_text(["cat"]), texts[:1], atol=1e-5, rtol=0)


def test_a_sound_at_two_rates_is_one_sound(encoder) -> None:
    seconds = np.arange(3 * CLAP_RATE) / CLAP_RATE
    fine = sum(0.1 * np.sin(2 * np.pi * f * seconds + f) for f in (200, 900, 3000)).astype("f4")
    fine += 0.01 * hiss(3, CLAP_RATE, seed=1)
    coarse = soxr.resample(fine, CLAP_RATE, 44_100)
    cosine = encoder.encode_audio([fine], CLAP_RATE) @ encoder.encode_audio([coarse], 44_100).T
    other = encoder.encode_audio([fine], CLAP_RATE) @ encoder.encode_audio([coarse], 22_050).T
    assert cosine > 0.999
    assert other < cosine - 1e-3


def test_a_short_sound_is_repeated_whole_and_a_long_one_is_seen_in_fixed_pieces() -> None:
    short = torch.rand(3 * CLAP_RATE) - 0.5
    mels, longer = views(short)
    assert (mels.shape, longer) == ((4, 1001, 64), False)
    torch.testing.assert_close(mels[0, 100:200], mels[0, 400:500], atol=1e-2, rtol=0)  # its second time
    assert (mels[0, 910:] == -100).all()  # three times 3 s, then silence

    long = torch.rand(16 * CLAP_RATE) - 0.5
    mels, longer = views(long)
    whole = decibel_mel(long)
    assert (mels.shape, longer, len(whole)) == ((4, 1001, 64), True, 1601)
    for piece, start in zip(mels[1:], (100, 301, 501), strict=True):  # of 601 starts: thirds of 201, 200, 200
        assert torch.equal(piece, whole[start : start + 1001])
    torch.testing.assert_close(mels[0].mean(), whole.mean(), atol=0.1, rtol=0)
    assert torch.equal(views(long)[0], mels)


@pytest.mark.parametrize(
    ("samples", "longer"), [(479_999, False), (480_000, False), (480_479, False), (480_480, True)]
)
def test_where_long_begins(samples, longer) -> None:
    mels, told = views(torch.rand(samples) - 0.5)
    assert (mels.shape, told) == ((4, 1001, 64), longer)


def test_short_sounds_look_as_transformers_extractor_makes_them() -> None:
    from transformers import ClapFeatureExtractor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # empty lowest bands
        extractor = ClapFeatureExtractor(frequency_min=50, frequency_max=14_000)
    np.testing.assert_allclose(clap_mel_filters().T, extractor.mel_filters, atol=1e-6)
    wave = wave_at_48_khz(waves("short")[1], RATE)
    theirs = extractor(wave.numpy(), sampling_rate=48_000)["input_features"][0]
    np.testing.assert_allclose(views(wave)[0], theirs, atol=0.05)  # decibels: float32 beside float64


def test_16_bits_and_no_more_than_full_scale() -> None:
    wave = wave_at_48_khz(np.array([2.0, -3.0, 0.9 / 32767, -0.9 / 32767, 1.5 / 32767], "f4"), CLAP_RATE)
    torch.testing.assert_close(wave * 32767, torch.tensor([32767.0, -32767, 0, 0, 1]))


@pytest.mark.parametrize("wave", [[], [0.1, np.nan], [np.inf, 0.0]])
def test_no_sound_is_said(encoder, wave) -> None:
    with pytest.raises(UserError, match="a sound to embed"):
        encoder.encode_audio([hiss(1), np.array(wave, "f4")], RATE)


def test_one_sample_is_a_sound(encoder) -> None:
    row = encoder.encode_audio([np.array([0.5], "f4")], RATE)
    assert row.isfinite().all()


def test_saved_by_name(encoder, tmp_path) -> None:
    encoder.save_pretrained(tmp_path / "encoder")
    assert sum(file.stat().st_size for file in (tmp_path / "encoder").iterdir()) < 2000
    assert CLAPEncoder.from_pretrained(tmp_path / "encoder").id == encoder.id


def test_bin_is_read_as_numbers_only(folder, encoder, tmp_path) -> None:
    published = copied(folder, tmp_path / "bin")
    torch.save(load_file(published / "model.safetensors"), published / "pytorch_model.bin")
    (published / "model.safetensors").unlink()
    assert CLAPEncoder(str(published)).id.split("@")[1] == encoder.id.split("@")[1]

    class Hostile:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "touched",))

    (published / "pytorch_model.bin").write_bytes(pickle.dumps(Hostile(), protocol=2))
    with pytest.raises(UserError, match="cannot be loaded") as told:
        CLAPEncoder(str(published)).encode_text(["a dog"])
    torch.save({"text_model": Hostile()}, published / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be loaded"):
        CLAPEncoder(str(published)).encode_text(["a dog"])
    assert not (tmp_path / "touched").exists()
    assert "\n" not in str(told.value)


def test_damaged_or_partial_weights_are_refused(folder, tmp_path) -> None:
    damaged = copied(folder, tmp_path / "damaged")
    weights = load_file(damaged / "model.safetensors")
    del weights["audio_projection.linear1.weight"]
    save_file(weights, damaged / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="lack audio_projection"):
        CLAPEncoder(str(damaged)).encode_text(["a dog"])
    (damaged / "model.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="cannot be loaded"):
        CLAPEncoder(str(damaged)).encode_text(["a dog"])


def test_another_kind_of_model_is_refused(folder, tmp_path) -> None:
    plain = copied(folder, tmp_path / "plain")
    config = (plain / "config.json").read_text()
    (plain / "config.json").write_text(config.replace('"enable_fusion": true', '"enable_fusion": false'))
    with pytest.raises(UserError, match="no CLAP with fusion"):
        CLAPEncoder(str(plain)).encode_text(["a dog"])


def test_absent_is_said_in_one_line(tmp_path) -> None:
    with pytest.raises(UserError, match="download it once with network, or name a local folder") as told:
        CLAPEncoder("someone/no-such-clap").encode_audio([hiss(1)], RATE)
    assert "\n" not in str(told.value)
