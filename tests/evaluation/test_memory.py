"""Memory or invention, where it is known which clip was copied from where."""

import numpy as np
import pytest
import torch
from torch import Tensor

from clipsonic.config import SAMPLE_RATE
from clipsonic.evaluation.memory import nearest_training_pieces


def scene(seed: int, seconds: float = 5.0) -> Tensor:
    """Noise in slowly changing bands: no two seeds have a moment in common."""
    random = np.random.default_rng(seed)
    samples = round(seconds * SAMPLE_RATE)
    time = np.arange(samples) / SAMPLE_RATE
    wave = np.zeros(samples)
    for _ in range(12):
        start, length, hertz = random.uniform(0, seconds), random.uniform(0.1, 0.8), random.uniform(150, 6000)
        envelope = np.exp(-(((time - start) / length) ** 2))
        wave += envelope * np.sin(2 * np.pi * hertz * time + random.uniform(0, 6)) * random.uniform(0.05, 0.3)
    return torch.from_numpy(wave).float() + 1e-3 * torch.from_numpy(random.standard_normal(samples)).float()


TRAINING = [scene(seed) for seed in range(8)]


def test_pieces_of_the_training_set_are_found() -> None:
    random = torch.Generator().manual_seed(0)
    starts = [0, 5000, 30_000, 12_345]
    pieces = [
        TRAINING[number][start : start + 40_000] for number, start in zip((3, 1, 7, 4), starts, strict=True)
    ]
    level = torch.stack(pieces).square().mean().sqrt()
    noisy = [gain * (piece + 0.03 * level * torch.randn(40_000, generator=random))
             for piece, gain in zip(pieces, (1, 0.1, 3, -0.5), strict=True)]  # fmt: skip
    done: list[int] = []
    found = nearest_training_pieces(noisy, TRAINING, done.append)
    assert found.clip.tolist() == [3, 1, 7, 4] and done == list(range(1, 9))
    assert found.distance.max() < 0.05
    torch.testing.assert_close(found.seconds, torch.tensor(starts) / SAMPLE_RATE, atol=0.009, rtol=0)


def test_level_counts_for_nothing() -> None:
    wave = scene(100)[:50_000]
    loud, quiet = (nearest_training_pieces([gain * wave], TRAINING) for gain in (1.0, 0.1))
    torch.testing.assert_close(loud.distance, quiet.distance, atol=2e-3, rtol=0)


def test_what_was_not_copied_is_far() -> None:
    held_out = nearest_training_pieces([scene(seed)[:40_000] for seed in range(100, 110)], TRAINING)
    assert held_out.distance.min() > 0.2
    assert held_out.distance.max() <= 1


def test_silence_is_like_nothing() -> None:
    silent = torch.zeros(40_000)
    hiss = 1e-6 * torch.randn(40_000, generator=torch.Generator().manual_seed(0))
    found = nearest_training_pieces([silent, hiss, scene(100)[:40_000]], [silent, hiss, *TRAINING])
    assert found.distance[:2].tolist() == [1, 1]
    assert found.clip[2] >= 2
    late = torch.cat([torch.zeros(60_000), scene(3)[:20_000]])
    other = torch.cat([torch.zeros(60_000), scene(200)[:20_000]])
    assert nearest_training_pieces([late], [other]).distance[0] > 0.2  # silence in common is not enough


def test_clips_of_any_length() -> None:
    waves = [TRAINING[2][:60_000], TRAINING[5][20_000:40_000], TRAINING[0][:500]]
    found = nearest_training_pieces(waves, TRAINING)
    assert found.clip[:2].tolist() == [2, 5] and found.distance[:2].max() < 0.05
    assert found.distance.isfinite().all()
    ended = torch.cat(
        [TRAINING[6], torch.zeros(20_000)]
    )  # longer than any training clip, which end in silence
    found = nearest_training_pieces([ended], [torch.zeros(0), *TRAINING])
    assert found.clip[0] == 7 and found.distance[0] < 0.05


@pytest.mark.parametrize("shift", [0, 100, 256, 400])
def test_a_copy_is_found_between_frames(shift) -> None:
    found = nearest_training_pieces([TRAINING[0][10_240 + shift : 50_240]], TRAINING[:2])
    assert found.distance[0] < 0.03
    assert float(found.seconds[0]) == pytest.approx((10_240 + shift) / SAMPLE_RATE, abs=0.009)
