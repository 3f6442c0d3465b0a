"""What is kept of a sound while the rest of it is made anew."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clipsonic.audio import EDGE, log_mel, to_model_range
from clipsonic.config import HOP_LENGTH, SAMPLE_RATE
from clipsonic.loudness import SAFE_PEAK

FADE_SECONDS = 0.02  # over which the sound that was made passes into the one that is kept

Spans = Sequence[tuple[float, float]]  # beginnings and ends, seconds


def outline(wave: Float[Tensor, "samples"], frames: int) -> Float[Tensor, "1 1 mels frames"]:
    """A wave => its mel in the model's range, as long as asked: cut, or followed by silence."""
    samples = max(frames * HOP_LENGTH, 2 * EDGE)
    silence = torch.zeros(max(0, samples - len(wave)))
    return to_model_range(log_mel(torch.cat([wave[:samples], silence])[None]))[:, None, :, :frames]


def kept_frames(spans: Spans, frames: int) -> Bool[Tensor, "frames"]:
    """Frames of the mel that hear nothing but what is kept."""
    begins = torch.arange(frames) * HOP_LENGTH
    inside = torch.zeros(frames, dtype=torch.bool)
    for begin, end in spans:
        first, last = begin * SAMPLE_RATE, end * SAMPLE_RATE
        # Mirrored at the very beginning, a frame there hears what is kept and its mirror image.
        inside |= ((begins - EDGE >= first) | (first == 0)) & (begins + HOP_LENGTH + EDGE <= last)
    return inside


def spliced(
    made: Float[Tensor, "b samples"], kept: Float[Tensor, "length"], spans: Spans
) -> Float[Tensor, "b samples"]:
    """The sound that was made, with spans of the other in their places, sample by sample.

    At every end of a span that is not an end of the whole, the two fade into each other inside the span. A made
    sound that would pass full scale is scaled to -1 dB before: with the kept one in it, the whole cannot be.
    """
    peak = made.abs().amax(dim=-1, keepdim=True)
    made = torch.where(peak > 1, made * (SAFE_PEAK / peak), made)
    joined = made.clone()
    whole = made.shape[-1]
    for begin, end in spans:
        first, last = round(begin * SAMPLE_RATE), min(round(end * SAMPLE_RATE), len(kept), whole)
        share = torch.ones(last - first)
        fade = min(round(FADE_SECONDS * SAMPLE_RATE), len(share) // 2)
        rise = (torch.arange(fade) + 0.5) / max(1, fade)
        if first > 0:
            share[:fade] = rise
        if last < whole:
            share[len(share) - fade :] = rise.flip(0)
        piece = kept[first:last].to(made)
        joined[:, first:last] = torch.where(
            share == 1, piece, made[:, first:last] + share * (piece - made[:, first:last])
        )
    return joined


def gaps(spans: Spans, seconds: float) -> list[tuple[float, float]]:
    """What lies between spans, from 0 to the end."""
    edges = [0.0, *(edge for span in sorted(spans) for edge in span), seconds]
    pairs = list(zip(edges[::2], edges[1::2], strict=True))
    return [(begin, end) for begin, end in pairs if end > begin]
