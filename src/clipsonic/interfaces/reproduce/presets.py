"""What a reproduction trains, asks and measures."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from clipsonic.config import Frozen
from clipsonic.evaluation.questions import SEEDS
from clipsonic.evaluation.systems import OURS, SYSTEMS
from clipsonic.limits import MAX_GUIDANCE
from clipsonic.settings.prior import PRIOR_PRESETS, PriorSettings
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS, SpectrogramSettings
from clipsonic.settings.vocoder import VOCODER_PRESETS, VocoderSettings

SYSTEM_NAMES = tuple(system.name for system in (*SYSTEMS, *OURS))


PAPER_SYSTEMS = tuple(system.name for system in SYSTEMS)


def _known(name: str) -> str:
    if name not in SYSTEM_NAMES:
        raise ValueError(f"no system {name}; there are {', '.join(SYSTEM_NAMES)}")
    return name


def _with_zs(names: tuple[str, ...]) -> tuple[str, ...]:
    if "ZS" not in names:
        raise ValueError("ZS must be among them: a control is made of its answers")
    return names


SystemName = Annotated[str, AfterValidator(_known)]
Guidance = Annotated[float, Field(ge=0, le=MAX_GUIDANCE)]


class Reproduction(Frozen):
    """Everything that decides a reproduction, besides its data."""

    encoder: str  # language-vision: the condition of the paper's systems
    audio_encoder: Literal["clap", "mini"]  # language-audio: scores, class agreement, condition of CLAP-TTA
    embedding: Literal["vggish", "mini"]  # of the Fréchet audio distance
    model: str | None  # whose U-Net and vocoder are taken unless others are named; None trains them
    prior_published: str | None  # CLIPSonic-PD's; None trains one on captioned pictures
    spectrogram: SpectrogramSettings
    prior: PriorSettings
    vocoder: VocoderSettings
    systems: Annotated[tuple[SystemName, ...], AfterValidator(_with_zs)] = SYSTEM_NAMES  # to be measured
    centres: int = Field(100, gt=1)  # of the training pictures, which the system of that name is asked over
    clips: int = Field(512, gt=1)  # answers of a system
    guidance_scale: Guidance = 1.5
    swept: tuple[Guidance, ...] = Field(
        (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0), min_length=1
    )  # guidance scales of Fig. 3
    swept_clips: int = Field(512, gt=1)  # answers of a system at each of them
    # What the CLAP score compares with: "the sound of [label]", or a system's own query in words, the paper's.
    score_text: Literal["sound", "query"] = "sound"
    gap_clips: int = Field(512, gt=1)  # held-out clips of Table 2, one random frame each
    window_seconds: float = Field(4.0, gt=0)  # of Table 5's sliding windows, over the whole reconstructions
    window_hop_seconds: float = Field(0.5, gt=0)
    # Whose sound the vocoder is trained on: the data set's own, or VGGSound's, which the user brings.
    vocoder_data: Literal["own", "VGGSound"] = "own"
    seed: int = Field(0, ge=0, lt=SEEDS)
    training_clips: int  # of the training split, for the plan: the user's files decide
    held_out_clips: int  # of the others, for the plan
    labels: int | None = None  # of the published data set; the user's may be others, and then a note says so
    clip_seconds: float


def _paper(
    steps: int,
    training_clips: int,
    held_out_clips: int,
    labels: int,
    vocoder_data: Literal["own", "VGGSound"] = "own",
) -> Reproduction:
    spectrogram = SPECTROGRAM_PRESETS["paper"]
    training = spectrogram.training.model_copy(update={"steps": steps})
    return Reproduction(
        encoder="openai/clip-vit-large-patch14",
        audio_encoder="clap",
        embedding="vggish",
        model=None,
        prior_published="laion/DALLE2-PyTorch",
        spectrogram=spectrogram.model_copy(update={"training": training}),
        prior=PRIOR_PRESETS["paper"],
        vocoder=VOCODER_PRESETS["paper-large"],
        vocoder_data=vocoder_data,
        systems=PAPER_SYSTEMS,
        training_clips=training_clips,
        held_out_clips=held_out_clips,
        labels=labels,
        clip_seconds=10.0,
    )


REPRODUCTIONS: dict[str, Reproduction] = {
    # Two processor cores, nothing from a hub.
    "mini": Reproduction(
        encoder="mini",
        audio_encoder="mini",
        embedding="mini",
        model="mini",
        prior_published=None,
        spectrogram=SPECTROGRAM_PRESETS["mini"],
        prior=PRIOR_PRESETS["mini"],
        vocoder=VOCODER_PRESETS["mini"],
        clips=160,
        swept_clips=80,
        training_clips=2_169,
        held_out_clips=241,
        clip_seconds=10.0,
    ),
    # Solos of 21 instruments: the paper has 1,055 of the listed 1,164 videos, split 9:1; four minutes each.
    "music": _paper(200_000, 950 * 24, 105 * 24, 21, vocoder_data="VGGSound"),
    # The published list has 183,730 rows of split train and 15,446 of split test.
    "vggsound": _paper(500_000, 183_730, 15_446, 309),
}
