"""What is asked for over time: the embeddings of a video's pictures, shot by shot."""

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from clipsonic.config import FRAMES_PER_SECOND
from clipsonic.diffusion.windows import Windows, cover
from clipsonic.queries import mix


@dataclass(frozen=True)
class Track:
    """Conditions of a sound over its time."""

    seconds: float  # that it lasts
    times: list[float]  # when each embedding was seen, in order
    embeddings: Float[Tensor, "n d"]
    shots: list[float]  # when each shot begins, in order; the first at 0

    def held(self, embedding: Float[Tensor, "d"]) -> "Track":
        """As long, under one embedding."""
        return Track(self.seconds, [0.0], embedding[None], [0.0])

    def mixed(self, with_it: Float[Tensor, "k d"], weights: Sequence[float]) -> "Track":
        """Each embedding mixed with others that hold all the time; the first weight is the track's own.

        Raises:
            UserError: they cancel out.
        """
        rows = [mix(torch.cat([row[None], with_it]), weights) for row in self.embeddings]
        return Track(self.seconds, self.times, torch.stack(rows), self.shots)

    def windows(self, frames: int, window: int, overlap: int) -> tuple[Windows, Float[Tensor, "n d"]]:
        """Windows that do not blend shots; the condition of each is the mean of what is seen of its shot in it."""
        edges = [min(frames, round(shot * FRAMES_PER_SECOND)) for shot in self.shots] + [frames]
        spans = [(n, edge) for n, edge in enumerate(itertools.pairwise(edges)) if edge[0] < edge[1]]
        windows = cover([edge for _, edge in spans], frames, window, overlap)
        rows = []
        for start, span in zip(windows.starts, windows.spans, strict=True):
            seen = [n for n, time in enumerate(self.times) if self._shot(time) == spans[span][0]]
            begin, end = start / FRAMES_PER_SECOND, (start + windows.length) / FRAMES_PER_SECOND
            inside = [n for n in seen if begin <= self.times[n] < end]
            nearest = min(seen, key=lambda n: abs(self.times[n] - (begin + end) / 2), default=0)
            rows.append(mix(self.embeddings[inside or [nearest]]))
        return windows, torch.stack(rows)

    def _shot(self, time: float) -> int:
        return bisect.bisect_right(self.shots, time + 1e-6) - 1
