"""Windows: together they cover everything once, do not blend spans, and leave no joint."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsonic.diffusion.prediction import Prediction
from clipsonic.diffusion.windows import cover, windowed


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=5), st.integers(2, 128), st.integers(0, 64))
def test_every_frame_is_said_once_by_its_own_span(lengths: list[int], window: int, overlap: int) -> None:
    ends = torch.tensor(lengths).cumsum(0).tolist()
    spans = [(end - length, end) for length, end in zip(lengths, ends, strict=True)]
    frames = ends[-1]
    windows = cover(spans, frames, window, overlap)
    said = torch.zeros(len(spans), frames)
    for start, span, weights in zip(windows.starts, windows.spans, windows.weights, strict=True):
        assert 0 <= start <= frames - windows.length
        said[span, start : start + windows.length] += weights
    owner = torch.zeros(len(spans), frames)
    for span, (begin, end) in enumerate(spans):
        owner[span, begin:end] = 1
    torch.testing.assert_close(said, owner)


def test_one_window_is_the_denoiser_itself() -> None:
    windows = cover([(0, 64)], 64, 64, 16)
    x = torch.randn(2, 1, 64, 64)
    embeddings = torch.randn(2, 1, 8)

    def guided(e: torch.Tensor):
        return lambda x, t: Prediction(x * e.sum(1).view(-1, 1, 1, 1), x + 1)

    t = torch.full((2,), 5)
    whole, plain = windowed(guided, embeddings, windows)(x, t), guided(embeddings[:, 0])(x, t)
    assert torch.equal(whole.output, plain.output)
    assert plain.variance is not None and whole.variance is not None
    assert torch.equal(whole.variance, plain.variance)


@pytest.mark.parametrize("clips", [1, 3])
def test_what_does_not_depend_on_the_window_passes_unchanged(clips: int) -> None:
    """A denoiser that looks at each frame alone gives through any windows what it gives of the whole."""
    windows = cover([(0, 100), (100, 130), (130, 500)], 500, 64, 24)
    x = torch.randn(clips, 1, 64, 500)
    found = windowed(lambda e: lambda x, t: Prediction(x.sin()), torch.zeros(clips, 99, 4), windows)
    torch.testing.assert_close(found(x, torch.zeros(clips)).output, x.sin())


def test_each_window_is_under_its_own_condition() -> None:
    windows = cover([(0, 40), (40, 200)], 200, 64, 16)
    embeddings = torch.tensor(windows.spans, dtype=torch.float32).view(1, -1, 1)

    def guided(e: torch.Tensor):
        return lambda x, t: Prediction(e.view(-1, 1, 1, 1).expand_as(x).clone())

    said = windowed(guided, embeddings, windows)(torch.zeros(1, 1, 64, 200), torch.zeros(1)).output
    assert said[..., :40].abs().max() == 0
    torch.testing.assert_close(said[..., 40:], torch.ones(1, 1, 64, 160))
