"""LAION's published prior (hub: laion/DALLE2-PyTorch): its weights, and its way of sampling."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from clipsonic.bridges.base import Bridge, draw, nearest
from clipsonic.bridges.network import PriorNetwork
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError, first_line

WEIGHTS, CONFIG = "prior/best.pth", "prior/prior_config.json"
CANDIDATES = 2  # drawn for each text; the one nearest to it is kept
NETWORK = {  # what this network is, whatever else a published configuration says
    "num_time_embeds": 1,
    "num_image_embeds": 1,
    "num_text_embeds": 1,
    "norm_in": False,
    "norm_out": True,
    "final_proj": True,
    "normformer": True,
    "rotary_emb": True,
}


class LAIONPrior(Bridge):
    """PriorNetwork trained by LAION on CLIP ViT-L/14; predicts the clean image embedding times sqrt(D).

    Args: as of PriorNetwork, and
        steps: of the sampler.
    """

    @register_to_config
    def __init__(
        self,
        dim: int = 768,
        depth: int = 12,
        heads: int = 12,
        head_dim: int = 64,
        text_tokens: int = 77,
        timesteps: int = 1000,
        ff_mult: int = 4,
        steps: int = 64,
    ) -> None:
        super().__init__()
        self.net = PriorNetwork(dim, depth, heads, head_dim, text_tokens, timesteps, ff_mult)
        self.steps = steps

    @torch.no_grad()
    def sample(
        self, text: TextEncoding, empty: TextEncoding, generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "b d"]:
        """Texts => unit image embeddings, the better of two each; without guidance, as LAION samples."""
        self.check_text(text, self.net.text_tokens)
        words = text.repeat(CANDIDATES)
        condition = (
            words.embedding.to(self.dtype),
            # The network was trained with zeros where there is no token, and tells by them.
            words.tokens.to(self.dtype) * words.mask[..., None],
            words.mask,
        )

        def denoise(x: Tensor, t: int) -> Tensor:
            predicted: Tensor = self.net(x, torch.full((len(x),), t, device=x.device), *condition)
            return predicted

        def noise() -> Tensor:
            return draw((CANDIDATES, self.embedding_dim), generators, text.projection).flatten(0, 1)

        x = published_ddim(denoise, noise, int(self.config.timesteps), self.steps)
        unit = normalize(x.float(), dim=-1).view(-1, CANDIDATES, self.embedding_dim)
        return nearest(unit, text.embedding)


def published_ddim(
    denoise: Callable[[Tensor, int], Tensor], noise: Callable[[], Tensor], timesteps: int, steps: int
) -> Float[Tensor, "b d"]:
    """DDIM with eta = 1 (Song et al. 2021, eq. 12 and 16), as DALLE2-pytorch runs it; returns scaled embeddings.

    Its code takes the signal level of x_t one time earlier than the one the noise was added at. Weights were chosen
    by what this sampler gives, so it is kept.

    Args:
        denoise: (noised embeddings, time) => clean ones.
        noise: draws standard normal noise of the embeddings' shape.
    """
    beta = cosine_beta(timesteps)
    alpha_bar = torch.cumprod(1 - beta, 0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
    times = torch.linspace(-1, timesteps, steps + 1)[:-1].int().flip(0).tolist()
    x = noise()
    for t, t_next in pairwise(times):
        x0 = denoise(x, t)
        if t_next < 0:
            return x0
        epsilon = (x / alpha_bar[t].sqrt() - x0) / (1 / alpha_bar[t] - 1).sqrt()
        now, then = before[t], before[t_next]
        c1 = ((1 - now / then) * (1 - then) / (1 - now)).sqrt()
        c2 = (1 - then - c1**2).sqrt()
        fresh = noise() if t_next > 0 else torch.zeros_like(x)
        x = (x0 * then.sqrt() + c1 * fresh + c2 * epsilon).to(x0.dtype)
    return x


def cosine_beta(timesteps: int) -> Float[Tensor, "t"]:
    """The cosine schedule (Nichol and Dhariwal 2021, eq. 17) in double precision."""
    u = torch.linspace(0, 1, timesteps + 1, dtype=torch.float64)
    alpha_bar = torch.cos((u + 0.008) / 1.008 * torch.pi / 2) ** 2
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(0, 0.999)


def load_laion(weights: Path, config: Path | None) -> LAIONPrior:
    """The published files => the prior; `config` is its prior_config.json, by default what LAION published.

    Raises:
        UserError: a file is damaged, holds code, or is of another network.
    """
    settings = {} if config is None else _read_config(config)
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # torch, zipfile and pickle each have errors of their own
        raise UserError(
            f"{weights} is no file of plain weights ({first_line(error)}); fetch the published one again"
        ) from error
    prior = LAIONPrior(**settings).eval()
    try:
        prior.net.load_state_dict(_network_weights(state), strict=True)
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{weights} does not fit LAION's prior: {first_line(error)}") from error
    return prior


def _network_weights(state: Any) -> Mapping[str, Tensor]:
    """A trainer's checkpoint or a bare state => the network's part, without CLIP and the tables of the schedule."""
    for name in ("ema_model", "model"):
        state = state.get(name, state)
    prefix = "net."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _read_config(path: Path) -> dict[str, int]:
    try:
        page = json.loads(path.read_bytes())["prior"]
        net = page["net"]
        sizes = {
            "dim": net["dim"],
            "depth": net["depth"],
            "heads": net.get("heads", 8),
            "head_dim": net.get("dim_head", 64),
            "text_tokens": net.get("max_text_len", 77),
            "timesteps": net["num_timesteps"],
            "ff_mult": net.get("ff_mult", 4),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not the prior_config.json of a prior ({error!r})") from error
    other = [name for name, value in NETWORK.items() if net.get(name, value) != value]
    other += [
        name
        for name, value in (("predict_x_start", True), ("beta_schedule", "cosine"))
        if page.get(name, value) != value
    ]
    if other:
        raise UserError(f"{path} describes another kind of prior than LAION's: {', '.join(other)}")
    return sizes
