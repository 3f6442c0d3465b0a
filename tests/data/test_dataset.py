import numpy as np
import pytest
import torch

from clipsonic.audio import log_mel
from clipsonic.config import CROP_SAMPLES, HOP_LENGTH
from clipsonic.data.dataset import ClipDataset, batches, crop_starts, encoder_of, sped_up
from clipsonic.data.draws import Draws
from clipsonic.data.prepare import prepare
from clipsonic.data.sources import find_videos
from clipsonic.errors import UserError


def first(draws: Draws, count: int) -> list:
    return [batch for batch, _ in zip(draws, range(count), strict=False)]


def test_every_clip_once_an_epoch() -> None:
    drawn = [number for batch in first(Draws(10, 4, seed=0), 5) for number, _ in batch]
    assert sorted(drawn[:10]) == sorted(drawn[10:20]) == list(range(10))
    assert drawn[:10] != drawn[10:20]


def test_draws_start_at_any_step() -> None:
    assert first(Draws(10, 4, seed=0, step=3), 2) == first(Draws(10, 4, seed=0), 5)[3:]


def test_processes_share_a_step() -> None:
    alone = first(Draws(10, 4, seed=0), 3)
    pair = [first(Draws(10, 2, seed=0, rank=rank, processes=2), 3) for rank in (0, 1)]
    assert [left + right for left, right in zip(*pair, strict=True)] == alone


def test_quiet_crops_are_not_drawn() -> None:
    wave = np.zeros(10 * CROP_SAMPLES, dtype=np.int16)
    wave[5 * CROP_SAMPLES : 6 * CROP_SAMPLES] = 10_000
    everywhere = crop_starts(wave, quiet=0.0)
    assert len(everywhere) == 9 * CROP_SAMPLES // HOP_LENGTH + 1
    loud = crop_starts(wave, quiet=0.1)
    assert 0 < len(loud) < len(everywhere)
    assert loud.min() > 4 * CROP_SAMPLES
    assert loud.max() < 6 * CROP_SAMPLES


def test_faster_crops_change_pitch_and_keep_level_and_length() -> None:
    time = np.arange(CROP_SAMPLES + 3000) / 16_000
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    for samples in (CROP_SAMPLES, CROP_SAMPLES + 1, CROP_SAMPLES + 2500):
        played = sped_up(tone[:samples], CROP_SAMPLES)
        assert played.shape == (CROP_SAMPLES,)
        assert played.dtype == np.float32
        expected = np.sin(2 * np.pi * 1000 * samples / CROP_SAMPLES * time[:CROP_SAMPLES])
        middle = slice(1000, -1000)
        assert np.abs(played - expected)[middle].max() < 1e-3
        assert played[middle].std() == pytest.approx(tone.std(), rel=1e-3)
    short = sped_up(tone[:1000], CROP_SAMPLES)  # not slower: that would have no top bands
    assert np.array_equal(short, np.pad(tone[:1000], (0, CROP_SAMPLES - 1000)))


@pytest.mark.parametrize("speed", [0.001, 0.03, 0.08])
def test_a_crops_top_mel_bands_are_the_recordings(speed) -> None:
    """A recording as rain is, whose spectrum is flat on top: no band of any crop may miss what it holds."""
    random = np.random.default_rng(0)
    rain = (0.1 * random.standard_normal(4 * CROP_SAMPLES)).astype(np.float32)
    recorded = log_mel(torch.from_numpy(rain)[None])[0].mean(dim=1)
    for factor in 1 + speed * random.uniform(0.5, 1, 3):
        crop = sped_up(rain[: round(CROP_SAMPLES * factor)], CROP_SAMPLES)
        played = log_mel(torch.from_numpy(crop)[None])[0].mean(dim=1)
        torch.testing.assert_close(played[-8:], recorded[-8:], atol=0.1, rtol=0)


def test_speed_is_drawn_with_the_crop(videos, tmp_path, mini_encoder) -> None:
    list(prepare(find_videos([videos]), tmp_path / "data", mini_encoder, workers=1))
    plain, varied = (ClipDataset(tmp_path / "data", {"train"}, speed=speed) for speed in (0.0, 0.1))
    again = ClipDataset(tmp_path / "data", {"train"}, speed=0.1)
    first = varied[0, 5][0]
    assert first.shape == (CROP_SAMPLES,)
    assert np.array_equal(first, again[0, 5][0])
    assert not np.array_equal(first, plain[0, 5][0])
    drawn: set[int] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clipsonic.data.dataset.sped_up", lambda wave, samples: drawn.add(len(wave)))
        for seed in range(20):
            varied[0, seed]
    assert min(drawn) >= CROP_SAMPLES
    assert len(drawn) > 10


@pytest.mark.slow
def test_batches_and_encoder(videos, tmp_path, mini_encoder) -> None:
    out = tmp_path / "data"
    list(prepare(find_videos([videos]), out, mini_encoder, workers=1))
    dataset = ClipDataset(out, {"train"})
    batch = next(batches(dataset, Draws(len(dataset), 4, seed=0)))
    assert batch.wave.shape == (4, CROP_SAMPLES)
    assert batch.wave.abs().max() <= 1
    assert batch.wave.abs().max() > 0.1
    torch.testing.assert_close(batch.embedding.norm(dim=1), torch.ones(4))
    again = next(batches(dataset, Draws(len(dataset), 4, seed=0), workers=1))
    assert torch.equal(batch.wave, again.wave)
    assert torch.equal(batch.embedding, again.embedding)
    assert encoder_of(out).id == mini_encoder.id
    with pytest.raises(UserError, match="no clips of split"):
        ClipDataset(out, {"test"})
