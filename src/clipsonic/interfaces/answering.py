"""A request => the sounds it asks for."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from clipsonic.config import CLIP_SECONDS, SAMPLE_RATE
from clipsonic.data.pictures import open_picture
from clipsonic.errors import UserError
from clipsonic.interfaces.asking import FOLLOW, MEAN, Asked, Given, Query
from clipsonic.interfaces.telling import note

if TYPE_CHECKING:
    import numpy as np
    import torch

    from clipsonic.pipeline import CLIPSonicPipeline

LOOK_SECONDS = 0.5  # between two looks at a shot
LOOKS = 16  # pictures embedded at once
Answer = tuple["np.ndarray", "np.ndarray", dict[str, Any]]  # wave, mel, and what the sidecar says of this one


def answer(
    pipeline: "CLIPSonicPipeline",
    bridge: str,
    asked: Asked,
    first_seed: int,
    on_step: Callable[[int], None] = lambda step: None,
) -> list[Answer]:
    """Makes the clips of a request, in the order of its files.

    Args:
        bridge: from words to pictures, of those that the model has.
        first_seed: of the first clip; the next take the seeds after it.
        on_step: called with the number of steps done.

    Raises:
        UserError: the request and the model do not fit.
    """
    import torch

    query, sampling = asked.query, asked.sampling
    pictures = [open_picture(image) for image in query.images]
    settings, page = _about(asked.given, sampling.seconds)
    conditions: Any = []
    seeds, shares, generators = [], [], []
    for seed in (first_seed + clip for clip in range(asked.number)):
        random = torch.Generator().manual_seed(seed)
        if query.video is not None:
            conditions = conditions or watch(pipeline, query, pictures, bridge, random, sampling.seconds)
            points: list[Any] = [None]
        else:
            points = embed(pipeline, query, pictures, bridge, random)
            conditions += points
        seeds += [seed] * len(points)
        shares += [place / max(1, len(points) - 1) for place in range(len(points))]
        generators += [random.clone_state() if len(points) > 1 else random for _ in points]
    result = pipeline(
        embedding=conditions if query.video is not None else torch.stack(conditions),
        bridge=bridge,
        negative_prompt=query.negative,
        guidance_scale=sampling.guidance_scale,
        guidance_interval=sampling.guidance_interval,
        num_inference_steps=sampling.steps,
        num_waveforms_per_prompt=asked.number if query.video is not None else 1,
        generator=generators,
        on_step=on_step,
        **settings,
    )
    page |= {"seconds": len(result.audios[0]) / SAMPLE_RATE}
    pages = [page | {"seed": seed} for seed in seeds]
    if query.to is not None:
        pages = [each | {"share": share} for each, share in zip(pages, shares, strict=True)]
    return list(zip(result.audios, result.mels, pages, strict=True))


def answer_alike(
    pipeline: "CLIPSonicPipeline",
    bridge: str,
    asked: Sequence[Asked],
    on_step: Callable[[int], None] = lambda step: None,
) -> list[Answer]:
    """Makes one clip for each of several requests for texts and pictures that are drawn alike, in one batch.

    Each is what `answer` gives alone, up to rounding.

    Raises:
        UserError: a request and the model do not fit.
    """
    import torch

    rows, generators = [], []
    for each in asked:
        random = torch.Generator().manual_seed(int(each.seed or 0))
        pictures = [open_picture(image) for image in each.query.images]
        rows += embed(pipeline, each.query, pictures, bridge, random)
        generators.append(random)
    sampling = asked[0].sampling
    result = pipeline(
        embedding=torch.stack(rows),
        bridge=bridge,
        negative_prompt=asked[0].query.negative,
        guidance_scale=sampling.guidance_scale,
        guidance_interval=sampling.guidance_interval,
        num_inference_steps=sampling.steps,
        audio_length_in_s=sampling.seconds,
        generator=generators,
        on_step=on_step,
    )
    pages = [{"seconds": len(result.audios[0]) / SAMPLE_RATE, "seed": each.seed} for each in asked]
    return list(zip(result.audios, result.mels, pages, strict=True))


def _about(given: Given | None, seconds: float | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the pipeline is told of the sound to go from and of the length, and what the sidecar says of it."""
    if given is None:
        return {"audio_length_in_s": seconds}, {}
    from clipsonic.audio import read_recording
    from clipsonic.limits import check_spans
    from clipsonic.splicing import gaps

    wave, remark = read_recording(given.path)
    length = len(wave) / SAMPLE_RATE
    page: dict[str, Any] = {"from": asdict(given) | {"path": str(given.path)}}
    if remark is not None:
        note(remark)
        page["from"]["note"] = remark
    settings: dict[str, Any] = {"audio": wave, "audio_length_in_s": length}
    if given.onward:
        return settings | {
            "keep": [(0.0, length)],
            "audio_length_in_s": length + (CLIP_SECONDS if seconds is None else seconds),
        }, page
    if seconds is not None:
        raise UserError("the sound to go from sets the length; leave out --seconds")
    if given.fill is not None:
        check_spans([given.fill], length, str(given.path))
        return settings | {"keep": gaps([given.fill], length)}, page
    return settings | {"strength": given.strength}, page


def embed(
    pipeline: "CLIPSonicPipeline", query: Query, pictures: Sequence[Any], bridge: str, random: Any
) -> "list[torch.Tensor]":
    """Texts and pictures => one embedding, or those along the way to the other end."""
    import torch

    from clipsonic.queries import between, mix

    start = mix(torch.cat(_parts(pipeline, query, pictures, bridge, random)), query.weights)
    if query.to is None:
        return [start]
    end = pipeline.embed([query.to], bridge=bridge, generators=[random])[0]
    return list(between(start, end, [place / (query.points - 1) for place in range(query.points)]))


def _parts(
    pipeline: "CLIPSonicPipeline", query: Query, pictures: Sequence[Any], bridge: str, random: Any
) -> "list[torch.Tensor]":
    parts = []
    if query.texts:
        parts.append(pipeline.embed(query.texts, bridge=bridge, generators=[random] * len(query.texts)))
    if pictures:
        parts.append(pipeline.embed(image=pictures, bridge=bridge))
    return parts


def watch(
    pipeline: "CLIPSonicPipeline",
    query: Query,
    pictures: Sequence[Any],
    bridge: str,
    random: Any,
    seconds: float | None = None,
) -> Any:
    """A video or its first `seconds`, with texts and pictures mixed in => the track of its embeddings.

    Raises:
        UserError: it cannot be read, has no pictures, is too long, or shorter than asked.
    """
    import torch

    from clipsonic.data.footage import Footage
    from clipsonic.limits import MAX_SECONDS, MIN_SECONDS
    from clipsonic.queries import mix
    from clipsonic.tracks import Track

    assert query.video is not None
    footage = Footage(query.video, LOOK_SECONDS, MAX_SECONDS, seconds)
    times: list[float] = []
    shots: list[float] = []
    waiting: list[Any] = []
    rows: list[torch.Tensor] = []
    for look in footage:
        times.append(look.time)
        shots += [look.time] if look.new_shot else []
        waiting.append(look.picture)
        if len(waiting) == LOOKS:
            rows.append(pipeline.embed(image=waiting, bridge=bridge))
            waiting = []
    if waiting:
        rows.append(pipeline.embed(image=waiting, bridge=bridge))
    if seconds is not None and footage.seconds < seconds - LOOK_SECONDS:
        raise UserError(
            f"{query.video} lasts {footage.seconds:.2f} s, less than --seconds {seconds:g}; leave that out"
        )
    track = Track(max(MIN_SECONDS, footage.seconds), times, torch.cat(rows), [0.0, *shots[1:]])
    if query.frames == MEAN:
        track = track.held(mix(track.embeddings))
    elif query.frames != FOLLOW:
        second = query.held_second()
        if second > footage.seconds:
            raise UserError(f"{query.video} has no second {second:g}; it lasts {footage.seconds:.2f} s")
        track = track.held(
            track.embeddings[max(n for n, time in enumerate(times) if time <= second or n == 0)]
        )
    with_it = _parts(pipeline, query, pictures, bridge, random)
    if not with_it:
        return track
    words = torch.cat(with_it)
    weights = query.weights or [1.0] * (len(words) + 1)
    return track.mixed(words, [weights[-1], *weights[:-1]])
