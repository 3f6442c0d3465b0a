"""What is kept of a sound is kept: its frames hear nothing else, its samples are the same."""

import pytest
import torch

from clipsonic.config import HOP_LENGTH, SAMPLE_RATE
from clipsonic.splicing import FADE_SECONDS, gaps, kept_frames, outline, spliced

FRAMES = 100
WAVE = torch.randn(FRAMES * HOP_LENGTH, generator=torch.Generator().manual_seed(0)) * 0.1


@pytest.mark.parametrize("spans", [[(0.0, 1.0)], [(1.0, 2.0)], [(0.0, 0.7), (2.0, 3.2)]])
def test_frames_that_are_kept_hear_nothing_else(spans) -> None:
    changed = torch.randn(len(WAVE))
    for begin, end in spans:
        first, last = round(begin * SAMPLE_RATE), round(end * SAMPLE_RATE)
        changed[first:last] = WAVE[first:last]
    kept = kept_frames(spans, FRAMES)
    there, here = outline(WAVE, FRAMES)[..., kept], outline(changed, FRAMES)[..., kept]
    assert torch.equal(there, here)
    heard = sum(end - begin for begin, end in spans) * SAMPLE_RATE / HOP_LENGTH
    assert heard - 4 * len(spans) <= kept.sum() <= heard


def test_samples_that_are_kept_are_the_same_but_for_the_fades() -> None:
    made = torch.randn(2, len(WAVE)) * 0.1
    joined = spliced(made, WAVE, [(0.0, 0.5), (1.0, 2.0)])
    fade = round(FADE_SECONDS * SAMPLE_RATE)
    for first, last in ((0, 8000 - fade), (16_000 + fade, 32_000 - fade)):
        assert torch.equal(joined[:, first:last], WAVE[first:last].expand(2, -1))
    for first, last in ((8000, 16_000), (32_000, len(WAVE))):
        assert torch.equal(joined[:, first:last], made[:, first:last])
    between = joined[:, 8000 - fade : 8000]
    low, high = (
        torch.minimum(made, WAVE)[:, 8000 - fade : 8000],
        torch.maximum(made, WAVE)[:, 8000 - fade : 8000],
    )
    assert ((between >= low - 1e-6) & (between <= high + 1e-6)).all()


def test_a_sound_kept_whole_is_the_sound() -> None:
    made = torch.randn(1, len(WAVE))
    assert torch.equal(spliced(made, WAVE, [(0.0, len(WAVE) / SAMPLE_RATE)]), WAVE[None])


def test_an_outline_is_cut_or_goes_on_in_silence() -> None:
    assert outline(WAVE, 40).shape == (1, 1, 64, 40)
    longer = outline(WAVE, 140)
    assert longer.shape == (1, 1, 64, 140)
    assert longer[..., 104:].max() < -0.99
    assert outline(WAVE[:10], 8).shape == (1, 1, 64, 8)


def test_gaps_are_what_is_left() -> None:
    assert gaps([(1.0, 2.5)], 4.0) == [(0.0, 1.0), (2.5, 4.0)]
    assert gaps([(0.0, 1.0), (3.0, 4.0)], 4.0) == [(1.0, 3.0)]


def test_what_is_made_too_loud_is_scaled_and_what_is_kept_is_not() -> None:
    made = 4 * torch.sin(torch.arange(32_000) / 5)[None]
    kept = torch.full((16_000,), 0.999)
    out = spliced(made, kept, [(0.0, 1.0)])
    assert torch.equal(out[0, :15_000], kept[:15_000])
    assert out[0, 16_000:].abs().max() == pytest.approx(10 ** (-1 / 20), abs=1e-3)
