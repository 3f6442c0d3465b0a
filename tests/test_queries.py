"""Arithmetic on queries, on the unit sphere."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from clipsonic.errors import UserError
from clipsonic.queries import between, mix

A, B = torch.eye(4)[:2]


def test_a_mixture_has_norm_1_and_leans_to_the_heavier() -> None:
    made = mix(torch.stack([A, B]), [3.0, 4.0])
    torch.testing.assert_close(made, torch.tensor([0.6, 0.8, 0, 0]))
    torch.testing.assert_close(mix(torch.stack([A, B])), normalize(A + B, dim=0))
    torch.testing.assert_close(mix(A[None], [0.2]), A)
    torch.testing.assert_close(mix(torch.stack([A, B]), [1.0, -1.0]), normalize(A - B, dim=0))


def test_wrong_weights_are_refused() -> None:
    with pytest.raises(UserError, match="1 weights for 2 queries"):
        mix(torch.stack([A, B]), [1.0])
    torch.testing.assert_close(mix(torch.stack([A, B]), [5e-4, 5e-4]), mix(torch.stack([A, B])))
    with pytest.raises(UserError, match="cancel"):
        mix(torch.stack([A, A]), [1.0, -1.0])


def test_between_walks_the_great_circle_in_even_steps() -> None:
    path = between(A, B, [0, 0.25, 0.5, 0.75, 1])
    torch.testing.assert_close(path.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(path[[0, -1]], torch.stack([A, B]))
    angles = (path[:-1] * path[1:]).sum(1).arccos()
    torch.testing.assert_close(angles, torch.full((4,), math.pi / 8))


def test_between_a_query_and_itself_or_its_opposite() -> None:
    torch.testing.assert_close(between(A, A, [0, 0.5, 1]), A.repeat(3, 1))
    with pytest.raises(UserError, match="opposite"):
        between(A, -A, [0.5])


def test_a_query_alone_stays_bit_for_bit() -> None:
    rows = torch.nn.functional.normalize(
        torch.randn(2, 33, generator=torch.Generator().manual_seed(3)), dim=-1
    )
    for mixed in (mix(rows[:1]), mix(rows[:1], [0.3]), mix(rows, [2.0, 0.0])):
        assert torch.equal(mixed, rows[0])
    assert torch.equal(mix(rows[:1], [-1.0]).sign(), -rows[0].sign())
