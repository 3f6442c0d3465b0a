"""The prior that is trained here: it is the shared objective and sampler, and it learns."""

from pathlib import Path

import pytest
import torch

from clipsonic.bridges.diffusion_prior import DiffusionPrior
from clipsonic.bridges.load import load_bridge
from clipsonic.bridges.network import PriorNetwork
from clipsonic.diffusion.sampling import sample
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError

D, N = 32, 6


def said(rows: int, seed: int = 0) -> TextEncoding:
    random = torch.Generator().manual_seed(seed)
    mask = torch.arange(N) < torch.randint(1, N + 1, (rows, 1), generator=random)
    return TextEncoding(
        torch.randn(rows, D, generator=random), torch.randn(rows, N, D, generator=random), mask
    )


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def tiny(**changes: int) -> DiffusionPrior:
    torch.manual_seed(0)
    return DiffusionPrior(D, depth=2, heads=2, head_dim=16, text_tokens=N, ff_mult=2, **changes).eval()


def test_a_perfect_denoiser_gives_the_embedding() -> None:
    truth = torch.randn(2, D, generator=torch.Generator().manual_seed(1))

    def perfect(x, t):
        from clipsonic.diffusion.prediction import Prediction

        return Prediction(truth)

    made = sample(perfect, tiny().noise_process(), (D,), 64, generators(1, 2))
    torch.testing.assert_close(made, truth, atol=1e-3, rtol=0)


def test_rows_have_norm_1_and_do_not_depend_on_their_batch() -> None:
    prior, text = tiny(steps=8), said(3)
    together = prior.sample(text, said(1, seed=9), generators(1, 2, 3))
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))
    alone = prior.sample(text[1:2], said(1, seed=9), generators(2))
    torch.testing.assert_close(alone, together[1:2], atol=1e-5, rtol=0)


def test_of_several_candidates_the_nearest_is_kept() -> None:
    text = said(4)
    cosines = []
    for count in (1, 8):
        made = tiny(steps=4, candidates=count).sample(text, text[:1], generators(1, 2, 3, 4))
        cosines.append((made * text.embedding).sum(1).mean())
    assert cosines[1] > cosines[0]


def test_a_dropped_text_leaves_no_trace() -> None:
    prior, x, t = tiny(), torch.randn(2, D), torch.tensor([3, 900])
    keep = torch.tensor([False, True])
    one, other = prior(x, t, said(2), keep).output, prior(x, t, said(2, seed=5), keep).output
    torch.testing.assert_close(one[0], other[0])
    assert (one[1] - other[1]).abs().max() > 1e-3


def test_attention_is_causal() -> None:
    """The prediction sees all; the first token's state sees nothing after it."""
    network = PriorNetwork(D, 2, 2, 16, N, 1000, 2).eval()
    x = torch.randn(1, N + 4, D, generator=torch.Generator().manual_seed(0))
    changed = x.clone()
    changed[:, 5:] += 1
    with torch.no_grad():
        one, other = network.causal_transformer(x), network.causal_transformer(changed)
    torch.testing.assert_close(one[:, :5], other[:, :5])
    assert (one[:, 5:] - other[:, 5:]).abs().min(-1).values.max() > 0


def test_saved_and_loaded(tmp_path: Path) -> None:
    prior = tiny(steps=4, encoder_id="mini@0")
    prior.save_pretrained(tmp_path)
    again = load_bridge(str(tmp_path))
    assert again.config.encoder_id == "mini@0"
    text = said(2)
    torch.testing.assert_close(
        again.sample(text, text[:1], generators(1, 2)), prior.sample(text, text[:1], generators(1, 2))
    )


def test_more_tokens_than_it_reads_are_refused() -> None:
    text = said(1)
    wide = TextEncoding(text.projection, text.tokens.repeat(1, 2, 1), text.mask.repeat(1, 2))
    with pytest.raises(UserError, match="6 tokens a text and the encoder gives 12"):
        tiny().sample(wide, wide, generators(0))
