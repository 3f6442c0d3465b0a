"""The gap report on pairs whose gap is known."""

import numpy as np
import torch
from torch.nn.functional import normalize

from clipsonic.bridges.training_free import MeanShift, Retrieval
from clipsonic.data.pairs import Pairs
from clipsonic.encoding import TextEncoding
from clipsonic.evaluation.bootstrap import bootstrap_mean
from clipsonic.evaluation.gap import measure_gap, noisy_cosine, one_frame_each, principal_plane

D = 16


class Words:
    """Texts lie on the axes; "" at the origin's side."""

    def encode_tokens(self, texts: list[str]) -> TextEncoding:
        rows = torch.stack([torch.eye(D)[int(text or 0)] for text in texts])
        return TextEncoding(rows, torch.zeros(len(texts), 2, D), torch.ones(len(texts), 2, dtype=torch.bool))


def shifted_pairs() -> Pairs:
    """Images are their text's axis plus the last axis: a gap of 45 degrees, the same for all."""
    text = torch.arange(4).repeat_interleave(5)
    images = normalize(torch.eye(D)[text] + torch.eye(D)[-1], dim=-1)
    links = torch.stack([text, torch.arange(20)], dim=1)
    return Pairs("words@0", ["0", "1", "2", "3"], images, links, links[:, 1] // 2)


def test_known_gaps() -> None:
    pairs = shifted_pairs()
    text = torch.eye(D)[pairs.links[:, 0]]
    images = pairs.images[pairs.links[:, 1]]
    shift = MeanShift(D)
    shift.shift.copy_(torch.eye(D)[-1])
    bridges = {"zs": None, "shift": shift, "retrieval": Retrieval.fit(text, images, "words@0", k=1)}
    done: list[int] = []
    gap = measure_gap(pairs, Words(), bridges, on_pair=done.append)
    by_name = {row.bridge: row for row in gap.rows}
    assert abs(by_name["zs"].cosine.value - 0.5**0.5) < 1e-5
    assert abs(by_name["shift"].cosine.value - 1) < 1e-5
    assert abs(by_name["retrieval"].cosine.value - 1) < 1e-5
    assert by_name["zs"].cosine.items == 10
    assert set(by_name["zs"].by_label) == {"0", "1", "2", "3"}
    assert all(row.right.value == 1 for row in gap.rows)
    assert all(abs(row.spread - 1) < 1e-5 for row in gap.rows)
    assert done[-1] == 60


def test_an_embedding_of_the_wrong_text_is_counted_wrong() -> None:
    pairs = shifted_pairs()
    always = Retrieval.fit(torch.eye(D)[:1], pairs.images[:1], "words@0", k=1)
    (row,) = measure_gap(pairs, Words(), {"one": always}).rows
    assert row.right.value == 0.25
    assert row.by_label["0"].value > row.by_label["1"].value


def test_the_interval_counts_items_not_values() -> None:
    random = np.random.default_rng(0)
    values = random.normal(0, 1, 50)
    once = bootstrap_mean(values, np.arange(50))
    four_times = bootstrap_mean(np.repeat(values, 4), np.repeat(np.arange(50), 4))
    assert abs(once.value - values.mean()) < 1e-12
    assert abs((four_times.high - four_times.low) / (once.high - once.low) - 1) < 0.05
    assert abs((once.high - once.low) / (2 * 1.96 * values.std() / 50**0.5) - 1) < 0.15


def test_more_noise_leaves_a_smaller_cosine() -> None:
    images = normalize(torch.randn(500, 64, generator=torch.Generator().manual_seed(0)), dim=-1)
    cosines = [noisy_cosine(images, most) for most in (0.0, 0.5, 1.5)]
    assert abs(cosines[0] - 1) < 1e-5
    assert cosines[0] > cosines[1] > cosines[2] > 0.5


def test_the_plane_holds_the_largest_variance() -> None:
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(200, D, generator=random) * torch.tensor([5.0, 3.0, *[0.1] * (D - 2)])
    mean, plane = principal_plane(rows + 7)
    torch.testing.assert_close(mean, (rows + 7).mean(0))
    assert plane[:2].abs().sum() > 1.9  # the first two axes


def test_one_random_frame_of_each_clip() -> None:
    pairs = shifted_pairs()
    one = one_frame_each(pairs, seed=1)
    assert sorted(one.items.tolist()) == list(range(10))
    assert all(row in pairs.links.tolist() for row in one.links.tolist())
    assert all(
        image // 2 == item for (_, image), item in zip(one.links.tolist(), one.items.tolist(), strict=True)
    )
    others = {tuple(one_frame_each(pairs, seed=seed).links[:, 1].tolist()) for seed in range(5)}
    assert len(others) > 1
    few = one_frame_each(pairs, clips=3)
    assert len(set(few.items.tolist())) == len(few) == 3
