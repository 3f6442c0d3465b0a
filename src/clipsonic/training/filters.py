"""Sounds as if heard through other microphones and rooms: random filters, applied to log-mels."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from clipsonic.config import LOG_MEL_FLOOR, N_MELS
from clipsonic.data.draws import ALONE, Share

NEPERS_PER_DB = math.log(10) / 20
FILTER_KNOTS = 6  # over the bands, straight lines between


def random_filters(count: int, spread_db: float, random: torch.Generator) -> Float[Tensor, "b mels 1"]:
    """What random smooth filters, and changes of level, add to log-mels."""
    knots = torch.randn(count, 1, FILTER_KNOTS, generator=random) * (spread_db * NEPERS_PER_DB)
    return F.interpolate(knots, N_MELS, mode="linear", align_corners=True)[:, 0, :, None]


def filtered(
    mel: Float[Tensor, "b mels frames"], spread_db: float, random: torch.Generator, share: Share = ALONE
) -> Float[Tensor, "b mels frames"]:
    """Log-mels => the same through a random filter each; what is silent stays silent."""
    heard = mel + share.own(random_filters(share.whole(len(mel)), spread_db, random)).to(mel.device)
    return torch.where(mel > LOG_MEL_FLOOR, heard.clamp(min=LOG_MEL_FLOOR), mel)
