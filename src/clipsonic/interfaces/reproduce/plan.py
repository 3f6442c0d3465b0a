"""Which steps a reproduction takes, in their order, and what each costs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from clipsonic.config import CROP_FRAMES
from clipsonic.evaluation.systems import OURS, SYSTEMS, System
from clipsonic.interfaces.reproduce.costs import (
    Cost,
    data_cost,
    prior_cost,
    sampling_cost,
    spectrogram_cost,
    vocoder_cost,
)
from clipsonic.interfaces.reproduce.steps import Steps

ANSWER_FRAMES = 2 * CROP_FRAMES  # 4.096 s
CLIP_SHAPE = (768, 77)  # of ViT-L/14: numbers of an embedding, tokens of a text
MINI_SHAPE = (384, 16)
LITTLE = Cost()


@dataclass(frozen=True)
class Planned:
    """One step; its name is also that of its folder."""

    name: str
    what: str
    take: Callable[[], None]
    cost: Cost


def plan(steps: Steps) -> list[Planned]:
    """All steps; what the user brought is not made again."""
    preset, brought = steps.preset, steps.brought
    dim, tokens = MINI_SHAPE if preset.encoder == "mini" else CLIP_SHAPE
    network = spectrogram_cost(preset.spectrogram, dim)
    prior = prior_cost(preset.prior, dim, tokens)
    found: list[Planned] = []

    def add(name: str, what: str, take: Callable[[str], None], cost: Cost = LITTLE) -> None:
        found.append(Planned(name, what, partial(take, name), cost))

    if brought.data is None:
        cost = data_cost(preset.training_clips, preset.clip_seconds, dim)
        add("data", f"videos => clips, and embeddings of {preset.encoder}", steps.prepare, cost)
    if brought.vocoder is None and steps.model is None:
        add("vocoder", "log-mel => wave", steps.train_vocoder, vocoder_cost(preset.vocoder))
    trained = {system.trained_on for system in systems(steps)}
    if steps.model is None and "pictures" in trained:
        add("pictures", "the U-Net of IQ, ZS, PD and SD", steps.train_on_pictures, network)
    if "clip words" in trained:
        add("clip-words", "the U-Net of CLIP-TTA", steps.train_on_clip_words, network)
    if "clap words" in trained:
        add("clap-words", "the U-Net of CLAP-TTA", steps.train_on_clap_words, network)
    bridges = steps.bridges()
    if "sd" in bridges:
        add("sd", "the prior trained on the set", steps.train_sd, prior)
    if "pd" in bridges and preset.prior_published is None:
        add("pd", "the prior trained on captioned pictures", steps.train_pd, prior)
    if "linear" in bridges:
        add("linear", "the linear map, a bridge that needs no training", steps.fit_linear)
    if "retrieval" in bridges:
        add(
            "retrieval",
            "the centres of the training pictures, which pictures are taken over",
            steps.fit_centres,
        )
    answers = sampling_cost(preset.spectrogram, dim, preset.clips, ANSWER_FRAMES)
    swept = sampling_cost(preset.spectrogram, dim, preset.swept_clips * len(preset.swept), ANSWER_FRAMES)
    for system in systems(steps):
        what = f"its answers at w = {preset.guidance_scale:g}"
        add(f"answers/{system.name}", what, partial(_answer, steps, system), answers)
    for system in swept_systems(steps):
        what = f"its answers at w = {', '.join(f'{w:g}' for w in preset.swept)}, for Fig. 3"
        add(f"guidance/{system.name}", what, partial(_sweep, steps, system), swept)
    add("reference", "the held-out recordings, which all are compared with", steps.reference)
    add("answers/held-out", "crops of the held-out recordings, the yardstick", steps.held_out_recordings)
    add("answers/reconstruction", "the held-out recordings through the vocoder", steps.reconstruct)
    add("answers/training", "training recordings, a control", steps.training_recordings)
    add("answers/noise", "noise of the recordings' levels, a control", steps.noise)
    add("answers/shuffled", "the answers of ZS to other questions, a control", steps.shuffle)
    names = [step.name for step in found if step.name.startswith("answers/")]
    for name in [*names, *(f"answers/{name}" for name in brought.answers)]:
        add(f"scores/{name}", "its scores", steps.score)
    for system in swept_systems(steps):
        add(f"scores/guidance/{system.name}", "its scores at each w", steps.score_sweep)
    add("gap", "how near words come to pictures, Table 2", steps.gap)
    return found


def systems(steps: Steps) -> list[System]:
    """Those that are wanted and can be asked: without a prior for PD there is no PD."""
    there = {"zs", *steps.bridges()}
    wanted = steps.preset.systems
    return [each for each in (*SYSTEMS, *OURS) if each.name in wanted and each.bridge in there]


def swept_systems(steps: Steps) -> list[System]:
    """Those of Fig. 3: trained on pictures, asked with words."""
    return [each for each in systems(steps) if each.trained_on == "pictures" and each.template is not None]


def _answer(steps: Steps, system: System, name: str) -> None:
    steps.answer(name, system)


def _sweep(steps: Steps, system: System, name: str) -> None:
    steps.sweep(name, system)
