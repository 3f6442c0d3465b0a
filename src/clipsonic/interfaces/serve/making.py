"""Requests of the queue => their clips, those that are alike in one batch."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from clipsonic.config import SAMPLE_RATE
from clipsonic.errors import UserError
from clipsonic.interfaces.answering import Answer, embed, watch
from clipsonic.interfaces.serve.requests import Request

if TYPE_CHECKING:
    from clipsonic.pipeline import CLIPSonicPipeline


def make(
    pipeline: "CLIPSonicPipeline",
    requests: Sequence[Request],
    on_step: Callable[[int], None],
    most_seconds: float,
) -> list[list[Answer]]:
    """The clips of each request; every clip is what its seed gives alone, up to rounding.

    Args:
        requests: checked, with their seeds, and `alike`; one with a video is alone.
        on_step: called with the number of steps done; what it raises ends the work.
        most_seconds: of a video's sound.

    Raises:
        UserError: a request and the model do not fit, or its video cannot be read.
    """
    import torch

    first = requests[0]
    conditions: Any = []
    generators, seeds = [], []
    for request in requests:
        for seed in range(int(request.seed or 0), int(request.seed or 0) + request.number):
            random = torch.Generator().manual_seed(seed)
            if request.video is None:
                conditions += embed(
                    pipeline, request.query, request.images or (), str(request.bridge), random
                )
            elif not conditions:
                conditions = _track(pipeline, request, random, most_seconds)
            generators.append(random)
            seeds.append(seed)
    result = pipeline(
        embedding=torch.stack(conditions) if first.video is None else conditions,
        bridge=first.bridge,
        negative_prompt=first.negative,
        guidance_scale=first.guidance_scale,
        num_inference_steps=first.steps,
        audio_length_in_s=first.seconds,
        num_waveforms_per_prompt=1 if first.video is None else first.number,
        generator=generators,
        on_step=on_step,
    )
    # Copies, so that no clip holds the memory of its whole batch.
    clips = [
        (wave.copy(), mel.copy(), {"seconds": len(wave) / SAMPLE_RATE, "seed": seed})
        for wave, mel, seed in zip(result.audios, result.mels, seeds, strict=True)
    ]
    ends = [sum(request.number for request in requests[: count + 1]) for count in range(len(requests))]
    return [clips[end - request.number : end] for end, request in zip(ends, requests, strict=True)]


def _track(pipeline: "CLIPSonicPipeline", request: Request, random: Any, most_seconds: float) -> Any:
    """The embeddings of the request's video over time; what is wrong with it is told without its path."""
    try:
        track = watch(
            pipeline, request.query, request.images or (), str(request.bridge), random, request.seconds
        )
    except UserError as error:
        said = str(error).replace(str(request.video), "the video").replace("--seconds", "seconds")
        raise UserError(said) from error
    if track.seconds > most_seconds + 0.5:
        raise UserError(
            f"the video lasts {track.seconds:.1f} s, and this server makes {most_seconds:g} s of sound; "
            "say how many seconds of its beginning to take"
        )
    return track


def page_of(request: Request, about: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """What the sidecar says of a clip: the request, what answered it, and what is this clip's own.

    Args:
        about: of the model and its parts, the same for all.
        own: seed and length.
    """
    words = bool(request.texts or request.negative)
    pictures = [f"picture {number}" for number in range(1, len(request.images or ()) + 1)]
    video = ["the video"] if request.video is not None else []
    as_they_are = {"picture_bridge": "zs"} if request.bridge == "zs" else {}
    return {
        "query": " + ".join([*request.texts, *pictures, *video]),
        "texts": list(request.texts),
        "images": pictures,
        "video": video[0] if video else None,
        "frames": request.frames,
        "weights": None if request.weights is None else list(request.weights),
        "negative": request.negative,
        "bridge": request.bridge if words else "none",
        "guidance_scale": request.guidance_scale,
        "steps": request.steps,
        **about,
        **as_they_are,
        **own,
    }
