"""What a request may ask for."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from clipsonic.errors import UserError

MAX_PROMPT = 1000  # characters; no encoder reads as many
MIN_SECONDS = 0.1
MAX_SECONDS = 600.0
MAX_GUIDANCE = 50.0
MAX_CLIPS = 1000
MAX_SEED = 2**62 - 1
MAX_STEPS = 1000  # more than any solver has use for; a model trained on fewer times takes fewer


def check_prompts(prompts: Sequence[str], name: str = "prompt") -> None:
    """Refuses words that say nothing, or too much.

    Raises:
        UserError: with what to ask instead.
    """
    for text in prompts:
        if not text.strip():
            raise UserError(f"the {name} is empty; say what the sound is of")
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            raise UserError(f"the {name} must be Unicode text, got bytes that are not UTF-8: {text[:40]!a}")
        if len(text) > MAX_PROMPT:
            raise UserError(f"the {name} has {len(text)} characters; {MAX_PROMPT} are the most")


def check_numbers(
    *,
    guidance_scale: float,
    guidance_interval: tuple[float, float],
    steps: int,
    most_steps: int,
    seconds: float,
    clips: int,
    strength: float,
) -> None:
    """Refuses what lies out of its range, `nan` too, and what is no number.

    Raises:
        UserError: with the range.
    """
    for name, value, low, high in (
        ("guidance scale", guidance_scale, 0, MAX_GUIDANCE),
        ("number of steps", steps, 1, most_steps),
        ("length in seconds", seconds, MIN_SECONDS, MAX_SECONDS),
        ("number of clips", clips, 1, MAX_CLIPS),
        ("strength", strength, 0, 1),
    ):
        kind, needed = (Integral, "a whole number") if name.startswith("number") else (Real, "a number")
        if not isinstance(value, kind):
            raise UserError(f"{name} must be {needed} from {low} to {high}, got {value!r}")
        if not low <= value <= high:
            raise UserError(f"{name} must be between {low} and {high}, got {value}")
    interval: Any = guidance_interval
    pair = (
        isinstance(interval, Sequence) and len(interval) == 2 and all(isinstance(x, Real) for x in interval)
    )
    if not pair:
        raise UserError(f"guidance interval must be two numbers from 0 to 1, got {interval!r}")
    if not 0 <= interval[0] <= interval[1] <= 1:
        raise UserError(
            f"guidance interval must be LOW HIGH with 0 <= LOW <= HIGH <= 1, got {interval[0]} {interval[1]}"
        )


def check_seeds(first: int, clips: int = 1) -> None:
    """Refuses seeds out of their range.

    Args:
        clips: that take the seeds from `first` on.

    Raises:
        UserError: with the range.
    """
    if not 0 <= first <= MAX_SEED:
        raise UserError(f"seed must be between 0 and {MAX_SEED}, got {first}")
    if first + clips - 1 > MAX_SEED:
        raise UserError(
            f"{clips} clips from seed {first} on pass the largest seed, {MAX_SEED}; begin with a smaller one"
        )


def check_spans(spans: Sequence[tuple[float, float]], seconds: float, of: str) -> None:
    """Refuses pieces that are not inside a sound.

    Raises:
        UserError: a span is empty, reversed or reaches out of it.
    """
    for span in spans:
        if not isinstance(span, Sequence) or len(span) != 2 or not all(isinstance(x, Real) for x in span):
            raise UserError(f"a piece of {of} must be (start, end) in seconds, got {span!r}")
        begin, end = span
        if not 0 <= begin < end <= seconds + 1e-6:
            raise UserError(
                f"{begin:g}:{end:g} is no piece of {of}, which lasts {seconds:.3f} s; give START:END in seconds"
            )
