"""Bridges that are computed: each does what its formula says on data made for it."""

import pytest
import torch
from torch.nn.functional import normalize

from clipsonic.bridges.load import load_bridge
from clipsonic.bridges.training_free import LinearMap, MeanShift, Retrieval, among_pictures, centres
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError

D = 16


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return normalize(torch.randn(shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def said(rows: torch.Tensor) -> TextEncoding:
    """Texts whose projections have any length: bridges take them at norm 1."""
    return TextEncoding(rows * 3.7, torch.zeros(len(rows), 4, D), torch.ones(len(rows), 4, dtype=torch.bool))


def bridged(bridge, rows: torch.Tensor) -> torch.Tensor:
    return bridge.sample(said(rows), said(unit(1, D)), [])


def test_mean_shift_adds_the_mean_difference() -> None:
    text = unit(50, D)
    shift = 0.8 * unit(D, seed=3)
    bridge = MeanShift.fit(text, text + shift, "mini@0")
    torch.testing.assert_close(bridge.shift, shift, atol=1e-6, rtol=0)
    torch.testing.assert_close(bridged(bridge, text[:5]), normalize(text[:5] + shift, dim=-1))


def test_linear_map_finds_a_rotation_and_keeps_what_it_has_not_seen() -> None:
    text = unit(400, D)
    turn = torch.linalg.qr(torch.randn(D, D, generator=torch.Generator().manual_seed(1))).Q
    bridge = LinearMap.fit(text, text @ turn, "mini@0", ridge=1e-6)
    new = unit(20, D, seed=9)
    torch.testing.assert_close(bridged(bridge, new), normalize(new @ turn, dim=-1), atol=1e-3, rtol=0)
    half = text.clone()
    half[:, D // 2 :] = 0  # words that never use half of the directions
    image = half.clone()
    image[:, : D // 2] *= -1
    bridge = LinearMap.fit(half, image, "mini@0")
    kept = torch.zeros(1, D)
    kept[0, -1] = 1.0
    assert (bridged(bridge, kept) @ kept.T).item() > 0.99


def test_retrieval_gives_what_belongs_to_the_nearest() -> None:
    keys, values = unit(100, D), unit(100, D, seed=5)
    one = Retrieval.fit(keys, values, "mini@0", k=1)
    torch.testing.assert_close(bridged(one, keys[:7]), values[:7])
    sharp = Retrieval.fit(keys, values, "mini@0", k=10, temperature=1e-3)
    torch.testing.assert_close(bridged(sharp, keys[:7]), values[:7], atol=1e-3, rtol=0)
    all_alike = Retrieval.fit(keys, values, "mini@0", k=1000, temperature=1e6)
    mean = normalize(values.mean(0), dim=0)
    torch.testing.assert_close(bridged(all_alike, keys[:1])[0], mean, atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", [MeanShift, LinearMap, Retrieval])
def test_saved_loaded_and_kept_to_its_encoder(kind, tmp_path) -> None:
    bridge = kind.fit(unit(40, D), unit(40, D, seed=2), "mini@0")
    bridge.save_pretrained(tmp_path)
    again = load_bridge(str(tmp_path))
    assert again.config.encoder_id == "mini@0"
    rows = unit(3, D, seed=4)
    torch.testing.assert_close(bridged(again, rows), bridged(bridge, rows))
    torch.testing.assert_close(bridged(again, rows).norm(dim=1), torch.ones(3))
    wide = TextEncoding(unit(1, D + 1), torch.zeros(1, 4, D + 1), torch.ones(1, 4, dtype=torch.bool))
    with pytest.raises(UserError, match="embeddings of 16 numbers and the encoder gives 17"):
        again.sample(wide, wide, [])


def test_centres_are_where_the_pictures_gather() -> None:
    around = unit(3, D)
    pictures = normalize(around.repeat_interleave(40, dim=0) + 0.1 * unit(120, D, seed=1), dim=-1)
    found = centres(pictures, 12)
    assert (found @ around.T).amax(dim=0).min() > 0.99
    assert (found @ around.T).amax(dim=1).min() > 0.98
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(12))
    assert len(centres(pictures, 500)) == 120  # no more than there are


def test_a_new_picture_comes_nearer_to_those_that_are_known() -> None:
    around = unit(3, D)
    bridge = Retrieval.fit(around, around, "mini@0", k=3, pictures=True)
    new = normalize(around + 0.8 * unit(3, D, seed=1), dim=-1)
    taken = among_pictures(bridge).over(new)
    before, after = ((rows * around).sum(-1) for rows in (new, taken))
    assert (after > before).all()
    torch.testing.assert_close(taken.norm(dim=-1), torch.ones(3))
    with pytest.raises(UserError, match="from words, not from pictures"):
        among_pictures(Retrieval.fit(around, around, "mini@0"))
