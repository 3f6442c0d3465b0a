import pytest
import torch

from clipsonic.config import LOG_MEL_FLOOR
from clipsonic.training.filters import filtered, random_filters


def test_filters_are_smooth_and_as_wide_as_told() -> None:
    curves = random_filters(2000, 6.0, torch.Generator().manual_seed(0))
    assert curves.shape == (2000, 64, 1)
    decibels = curves[:, 0, 0] * 20 / torch.log(torch.tensor(10.0))
    assert decibels.std().item() == pytest.approx(6.0, rel=0.1)
    assert curves.diff(dim=1).abs().max() < curves.abs().max()
    assert not random_filters(3, 0.0, torch.Generator()).any()


def test_silence_stays_silent_and_sound_is_changed() -> None:
    mel = torch.full((4, 64, 10), LOG_MEL_FLOOR)
    mel[:, 10:20] = 0.0
    heard = filtered(mel, 6.0, torch.Generator().manual_seed(0))
    assert torch.equal(heard[:, :10], mel[:, :10])
    assert torch.equal(heard[:, 20:], mel[:, 20:])
    assert (heard[:, 10:20] != 0).all()
    quiet = filtered(mel - 0.0, 200.0, torch.Generator().manual_seed(0))
    assert quiet.min() >= LOG_MEL_FLOOR
