"""Which steps a reproduction takes, in their order, and what each costs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from clipsonic.config import CLIP_FRAMES
from clipsonic.evaluation.systems import OURS, SYSTEMS, System
from clipsonic.interfaces.reproduce.costs import (
    Cost,
    data_cost,
    prior_cost,
    prior_sampling_cost,
    sampling_cost,
    spectrogram_cost,
    vocoder_cost,
    vocoding_cost,
)
from clipsonic.interfaces.reproduce.steps import Steps

CLIP_SHAPE = (768, 77)  # of ViT-L/14: numbers of an embedding, tokens of a text
MINI_SHAPE = (384, 16)
IMAGEHEAR_PICTURES = 101
PRIORS = ("pd", "sd")  # bridges that are sampled
LITTLE = Cost()


@dataclass(frozen=True)
class Planned:
    """One step; its name is also that of its folder."""

    name: str
    what: str
    take: Callable[[], None]
    count: Callable[[], Cost]  # counts its operations on networks without weights; only a dry run asks


def plan(steps: Steps) -> list[Planned]:
    """Return all steps; what the user brought is not made again."""
    preset, brought = steps.preset, steps.brought
    dim, tokens = MINI_SHAPE if preset.encoder == "mini" else CLIP_SHAPE
    network = partial(spectrogram_cost, preset.spectrogram, dim)
    prior = partial(prior_cost, preset.prior, dim, tokens)
    found: list[Planned] = []

    def add(
        name: str, what: str, take: Callable[[str], None], count: Callable[[], Cost] = lambda: LITTLE
    ) -> None:
        found.append(Planned(name, what, partial(take, name), count))

    def sampled(clips: int, bridge: str) -> Callable[[], Cost]:
        """Embeddings over the bridge and mels, of so many clips."""
        mels = partial(sampling_cost, preset.spectrogram, dim, clips, CLIP_FRAMES)
        if bridge not in PRIORS:
            return mels
        return lambda: mels() + prior_sampling_cost(preset.prior, dim, tokens, clips)

    cost: Callable[[], Cost]
    if brought.data is None:
        clips = preset.training_clips + preset.held_out_clips
        cost = partial(data_cost, clips, preset.clip_seconds, dim, preset.encoder == "mini")
        add("data", f"videos => clips, and embeddings of {preset.encoder}", steps.prepare, cost)
    if steps.vocoder_source is None and preset.vocoder_data == "own":
        add("vocoder", "log-mel => wave", steps.train_vocoder, partial(vocoder_cost, preset.vocoder))
    trained = {system.trained_on for system in systems(steps)}
    if steps.model is None and "pictures" in trained:
        add("pictures", "the U-Net of IQ, ZS, PD and SD", steps.train_on_pictures, network)
    if "clip words" in trained and "clip-words" not in brought.trained:
        add("clip-words", "the U-Net of CLIP-TTA", steps.train_on_clip_words, network)
    if "clap words" in trained and "clap-words" not in brought.trained:
        add("clap-words", "the U-Net of CLAP-TTA", steps.train_on_clap_words, network)
    bridges = steps.bridges()
    if "sd" in bridges and "sd" not in brought.trained:
        add("sd", "the prior trained on the set", steps.train_sd, prior)
    if "pd" in bridges and "pd" not in brought.trained and preset.prior_published is None:
        add("pd", "the prior trained on captioned pictures", steps.train_pd, prior)
    if "linear" in bridges:
        add("linear", "the linear map, a bridge that needs no training", steps.fit_linear)
    if "retrieval" in bridges:
        add(
            "retrieval",
            "the centres of the training pictures, which pictures are taken over",
            steps.fit_centres,
        )
    for system in systems(steps):
        what = f"its answers at w = {preset.guidance_scale:g}"
        cost = sampled(preset.clips, system.bridge)
        add(f"answers/{system.name}", what, partial(_answer, steps, system), cost)
    new = [w for w in preset.swept if w != preset.guidance_scale]  # the answers of Table 1 are copied
    for system in swept_systems(steps):
        what = f"its answers at w = {', '.join(f'{w:g}' for w in preset.swept)}, for Fig. 3"
        cost = sampled(preset.swept_clips * len(new), system.bridge)
        add(f"guidance/{system.name}", what, partial(_sweep, steps, system), cost)
    if brought.imagehear is not None:
        cost = sampled(IMAGEHEAR_PICTURES, "zs")
        add("imagehear", "answers of IQ to ImageHear's pictures, Table 4's", steps.answer_pictures, cost)
    add("reference", "the held-out recordings, which all are compared with", steps.reference)
    add("answers/held-out", "crops of the held-out recordings, the yardstick", steps.held_out_recordings)
    cost = partial(vocoding_cost, preset.vocoder, preset.clips, preset.clip_seconds)
    add("answers/reconstruction", "whole held-out recordings through the vocoder", steps.reconstruct, cost)
    add("answers/training", "training recordings, a control", steps.training_recordings)
    add("answers/noise", "noise of the recordings' levels, a control", steps.noise)
    add("answers/shuffled", "the answers of ZS to other questions, a control", steps.shuffle)
    names = [step.name for step in found if step.name.startswith("answers/")]
    for name in [*names, *(f"answers/{name}" for name in brought.answers)]:
        add(f"scores/{name}", "its scores", steps.score)
    for system in swept_systems(steps):
        add(f"scores/guidance/{system.name}", "its scores at each w", steps.score_sweep)
    if brought.imagehear is not None:
        add("scores/imagehear", "CLAP score and class agreement of these answers", steps.score_pictures)
    add("gap", "how near words come to pictures, Table 2", steps.gap, partial(_gap_cost, steps, dim, tokens))
    return found


def systems(steps: Steps) -> list[System]:
    """Return those that are wanted and can be asked: without a prior for PD there is no PD."""
    there = {"zs", *steps.bridges()}
    wanted = steps.preset.systems
    return [each for each in (*SYSTEMS, *OURS) if each.name in wanted and each.bridge in there]


def swept_systems(steps: Steps) -> list[System]:
    """Return those of Fig. 3: all of the paper's, and ours that are asked with words."""
    return [each for each in systems(steps) if each in SYSTEMS or each.template is not None]


def _gap_cost(steps: Steps, dim: int, tokens: int) -> Cost:
    """A prior is sampled once for every clip of Table 2."""
    pairs = steps.preset.gap_clips * len({*steps.bridges()} & {*PRIORS})
    return prior_sampling_cost(steps.preset.prior, dim, tokens, pairs)


def _answer(steps: Steps, system: System, name: str) -> None:
    steps.answer(name, system)


def _sweep(steps: Steps, system: System, name: str) -> None:
    steps.sweep(name, system)
