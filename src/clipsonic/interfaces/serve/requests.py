"""What may be asked of the server, and a request in the form in which the queue keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic.config import CLIP_SECONDS
from clipsonic.errors import UserError
from clipsonic.interfaces.asking import FOLLOW, Query
from clipsonic.limits import check_numbers, check_prompts, check_seeds

if TYPE_CHECKING:
    from PIL import Image

    from clipsonic.pipeline import CLIPSonicPipeline


@dataclass(frozen=True)
class Limits:
    """What one server takes; the defaults fit two processor cores."""

    queue: int = 32  # jobs that wait
    prompts: int = 8  # texts of a request
    pictures: int = 4  # of a request
    prompt_characters: int = 300  # of a text
    pixels: int = 100_000_000  # of a picture before it is shrunk; of a frame of a video an eighth
    upload_bytes: int = 64 * 2**20  # of a request, all files together
    upload_seconds: float = 120.0  # until an upload must have come in
    seconds: float = 30.0  # of sound
    steps: int = 100
    candidates: int = 8  # clips of a request
    kept_seconds: float = 900.0  # for which what has ended can be fetched
    kept_jobs: int = 400  # that have ended; the oldest are forgotten first
    kept_bytes: int = 256 * 2**20  # of their sounds and mels


@dataclass(frozen=True)
class Request:
    """A request: what to hear, and how it is drawn."""

    texts: Sequence[str] = ()
    images: "Sequence[Image.Image] | None" = None  # decoded, of bounded size
    video: Path | None = None  # an upload that is kept until the job has ended
    bridge: str | None = None  # from words to pictures; the server's own choice unless told
    negative: str | None = None  # what it should not sound like
    guidance_scale: float = 1.5
    steps: int | None = None  # the model's own number unless told
    seconds: float | None = None  # 4.096, or as long as the video, unless told
    seed: int | None = None  # of the first clip; drawn unless told
    number: int = 1  # clips; they take the seeds from `seed` on
    weights: Sequence[float] | None = None  # texts, pictures, the video; equal unless told
    frames: str = FOLLOW  # of the video: its pictures over time, or their mean

    @property
    def query(self) -> Query:
        """The same in the words of the command line, but for the pictures, which are not files here."""
        weights = None if self.weights is None else list(self.weights)
        return Query(
            list(self.texts), [], self.video, weights, self.negative, bridge=self.bridge, frames=self.frames
        )

    @property
    def alike(self) -> tuple[Any, ...]:
        """Requests for which this is the same are made in one batch."""
        return (self.seconds, self.steps, self.guidance_scale, self.bridge, self.negative)


def checked(request: Request, limits: Limits, pipeline: "CLIPSonicPipeline", bridge: str) -> Request:
    """The request with what it left to the server filled in.

    Args:
        bridge: of requests that name none.

    Raises:
        UserError: it is out of bounds, or the model cannot answer it.
    """
    parts = len(request.texts) + len(request.images or ()) + (request.video is not None)
    if not parts:
        raise UserError("say what to hear: give a text, a picture or a video")
    said = [*request.texts, *([] if request.negative is None else [request.negative])]
    check_prompts(said)
    if any(len(text) > limits.prompt_characters for text in said):
        raise UserError(f"a text has more than {limits.prompt_characters} characters")
    for name, count, most in (
        ("texts", len(request.texts), limits.prompts),
        ("pictures", len(request.images or ()), limits.pictures),
        ("clips", request.number, limits.candidates),
    ):
        if count > most:
            raise UserError(f"{count} {name}; this server takes {most} at the most")
    if request.weights is not None and len(request.weights) != parts:
        raise UserError(f"{len(request.weights)} weights for {parts} queries; give one each")
    if any(not abs(weight) <= 1e6 for weight in request.weights or ()):
        raise UserError("a weight is no number, or larger than a million")
    steps = pipeline.config.sampling_steps if request.steps is None else request.steps
    seconds = request.seconds
    if seconds is None and request.video is None:
        seconds = min(CLIP_SECONDS, limits.seconds)
    check_numbers(
        guidance_scale=request.guidance_scale,
        guidance_interval=(0.0, 1.0),
        steps=steps,
        most_steps=pipeline.scheduler.config.num_train_timesteps,
        seconds=CLIP_SECONDS if seconds is None else seconds,
        clips=request.number,
        strength=1.0,
    )
    if request.steps is not None and steps > limits.steps:
        raise UserError(f"{steps} steps; this server takes {limits.steps} at the most")
    if seconds is not None and seconds > limits.seconds:
        raise UserError(f"{seconds:g} s of sound; this server makes {limits.seconds:g} s at the most")
    if request.negative is not None and request.guidance_scale <= 1:
        raise UserError("a negative text needs a guidance scale above 1: guidance is what leads away from it")
    if request.seed is not None:
        check_seeds(request.seed, request.number)
    if request.frames not in ("follow", "mean"):
        raise UserError(f"frames is {request.frames[:20]!r}; say follow or mean")
    pipeline.check_bridge(request.bridge or bridge)
    if request.images or request.video is not None:
        pipeline.sees()
    return replace(
        request,
        bridge=request.bridge or bridge,
        steps=steps,
        seconds=None if seconds is None else float(seconds),
        guidance_scale=float(request.guidance_scale),
    )
