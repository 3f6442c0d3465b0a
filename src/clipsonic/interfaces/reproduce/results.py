"""What the steps left on disk => the report."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clipsonic.data.dataset import ClipDataset
from clipsonic.evaluation.audio_files import find_audio, read_clip
from clipsonic.evaluation.directions import Direction, less, rises
from clipsonic.interfaces.report.charts import confusion_chart, distance_chart, guidance_chart
from clipsonic.interfaces.report.page import Clip, Pair, Players, Report, Row, clip, data_uri
from clipsonic.interfaces.reproduce.measures import read_page
from clipsonic.interfaces.reproduce.plan import Planned, swept_systems, systems
from clipsonic.interfaces.reproduce.steps import Steps

CONTROLS = {
    "reconstruction": ("-", "the true mel", False),
    "real": ("-", "training recordings", True),
    "shuffled": ("pictures", "other questions than ZS answered", True),
    "noise": ("-", "nothing: white noise", True),
}
MEMORY = (
    "For each clip 1 - the largest correlation of its mel with any piece of a training clip: "
    "0 is a copy, at whatever level. A curve left of that of the reconstructions, real recordings that no system "
    "was trained on, is memory."
)
PAIRS = 2  # nearest ones shown of each system


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval, as read from a file."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, page: dict[str, Any] | None) -> "Figure | None":
        """A `Mean` or `Frechet` as JSON, or nothing."""
        return None if page is None else cls(page["value"], page["low"], page["high"])


def collect(steps: Steps, planned: Sequence[Planned], preset: str, version: str) -> Report:
    """Reads every score and picks the sounds to play."""
    pages = {name: read_page(steps.folder(f"scores/answers/{name}.json")) for name in _names(steps)}
    guidance = {
        system.name: [
            (w, read_page(steps.folder(f"scores/guidance/{system.name}") / f"w={w:g}.json"))
            for w in steps.preset.swept
        ]
        for system in swept_systems(steps)
    }
    fads = {
        name: [(w, _figure(page["frechet_audio_distance"])) for w, page in along]
        for name, along in guidance.items()
    }
    claps = {
        name: [(w, _figure(page["clap_score"])) for w, page in along] for name, along in guidance.items()
    }
    gap = json.loads((steps.folder("gap") / "gap.json").read_bytes())
    heard = next(iter(pages.values()))["class_agreement"]
    scorer = next((note for page in pages.values() for note in page["notes"] if "held-out" in note), "")
    one = next(iter(pages.values()))["frechet_audio_distance"]
    return Report(
        title=f"clipsonic: the tables of CLIPSonic, preset {preset}",
        about=f"clipsonic {version}; data {steps.data.name}, {one['reference_clips']} held-out recordings; "
        f"guidance w = {steps.preset.guidance_scale:g}. Numbers of other data or encoders are not comparable.",
        table_note=f"Fréchet distances are over {one['embedding']}.",
        rows=[_row(steps, name, page) for name, page in pages.items()],
        notes=sorted({note for page in pages.values() for note in page["notes"]}),
        directions=directions(pages, fads, claps, gap),
        guidance=guidance_chart(fads, claps) if guidance else None,
        swept_clips=steps.preset.swept_clips,
        gap={
            "rows": gap["bridges"],
            "picture": data_uri("image/png", (steps.folder("gap") / "gap.png").read_bytes()),
        },
        window_seconds=steps.preset.window_seconds,
        players=_players(steps, list(pages)),
        agreement_note=f"What {heard['encoder']} hears in each clip, among {len(heard['labels'])} labels; "
        f"a silent clip is wrong. {scorer}.",
        confusions=[
            (
                name,
                confusion_chart(np.array(found["confusion"]), found["labels"], [*found["labels"], "silence"]),
            )
            for name, page in pages.items()
            if (found := page["class_agreement"]) is not None
        ],
        memory_note=MEMORY,
        distances=distance_chart(
            {
                name: [each["distance"] for each in page["nearest"]["clips"]]
                for name, page in pages.items()
                if name != "real"
            }
        ),
        pairs=[pair for name in pages if name not in CONTROLS for pair in _pairs(steps, name, pages[name])],
        times=[(step.name, steps.work.times().get(step.name, {}).get("seconds", 0.0)) for step in planned],
        settings=(steps.work.folder / "settings.json").read_text(),
    )


def directions(
    pages: dict[str, dict[str, Any]],
    fads: dict[str, list[tuple[float, Figure]]],
    claps: dict[str, list[tuple[float, Figure]]],
    gap: dict[str, Any],
) -> list[Direction]:
    """The claims of the paper that a right implementation should show."""
    fad = {name: _figure(page["frechet_audio_distance"]) for name, page in pages.items()}
    clap = {name: _figure(page["clap_score"]) for name, page in pages.items()}
    cosine = {row["bridge"]: _figure(row["cosine"]) for row in gap["bridges"]}
    windows = {
        f"{name}, {kind}": _figure(found)
        for name, page in pages.items()
        for kind, found in (("whole", page["clap_score"]), ("best window", page["windows"]["max"]))
    }
    found = [
        less("a prior brings the Fréchet distance down: PD < ZS", fad, "PD", "ZS"),
        less("one trained on the set brings it down further: SD < PD", fad, "SD", "PD"),
        less("pictures do better than words: IQ < ZS", fad, "IQ", "ZS"),
        less("supervision does better than none: CLIP-TTA < ZS", fad, "CLIP-TTA", "ZS"),
        less("supervision does better than none: CLAP-TTA < ZS", fad, "CLAP-TTA", "ZS"),
        less("the vocoder is not what limits: reconstruction < IQ", fad, "reconstruction", "IQ"),
        less("bridged words come nearer to pictures: cosine ZS < PD < SD", cosine, "zs", "pd", "sd"),
    ]
    for name, along in fads.items():
        found.append(rises(f"the Fréchet distance of {name} rises with w", along))
        found.append(rises(f"the CLAP score of {name} rises with w", claps[name]))
    for name in ("IQ", "ZS"):
        claim = f"the best part of a clip scores higher than the whole ({name})"
        found.append(less(claim, windows, f"{name}, whole", f"{name}, best window"))
    found.append(less("the measures tell noise from ZS: Fréchet distance", fad, "ZS", "noise"))
    found.append(less("the measures tell shuffled answers from ZS: CLAP score", clap, "shuffled", "ZS"))
    return found


def _names(steps: Steps) -> list[str]:
    own = [system.name for system in systems(steps)]
    return [*own, *steps.brought.answers, *CONTROLS]


def _figure(page: dict[str, Any]) -> Figure:
    return Figure(page["value"], page["low"], page["high"])


def _row(steps: Steps, name: str, page: dict[str, Any]) -> Row:
    known = {system.name: system for system in systems(steps)}
    agreement, nearest = page["class_agreement"], page.get("nearest")
    scores = {
        "clips": page["frechet_audio_distance"]["clips"],
        "frechet": page["frechet_audio_distance"],
        "score": page["clap_score"],
        "fid": page["frechet_mel_distance"],
        "agreement": agreement and agreement["accuracy"],
        "nearest": nearest and nearest["mean"],
        "windows": [page["windows"][kind] for kind in ("max", "mean", "min")] if "windows" in page else None,
    }
    if name in known:
        system = known[name]
        asked = system.template.format("[label]") if system.template else "a picture"
        bridge = f", over {system.bridge}" if system.bridge != "zs" else ""
        paper = "VGGSound {}, MUSIC {}".format(*system.paper) if system.paper else ""
        return Row(name, system.trained_on, asked + bridge, paper, False, scores)
    trained, asked, control = CONTROLS.get(name, ("another system", "its own way", False))
    return Row(name, trained, asked, "", control, scores)


def _players(steps: Steps, names: list[str]) -> Players:
    """The first clip of each label, of every system and of the held-out recordings."""
    asked = steps.questions(steps.preset.clips)
    recordings = steps.held_out()
    by_key = {entry.key: number for number, (_, entry) in enumerate(recordings.clips)}
    rows: dict[str, list[Clip | None]] = {}
    first = {question.label: question for question in reversed(asked)}
    for label, question in sorted(first.items()):
        wave = recordings.wave(by_key[question.clip])[:65_536].astype(np.float32) / 32768
        rows[label] = [clip(f"{label}, real", wave)]
    for name in names:
        files = find_audio(_answers(steps, name))
        of_label = {file.label: file for file in reversed(files)}
        for label, row in rows.items():
            file = of_label.get(label)
            row.append(clip(f"{label}, {name}", read_clip(file.path).numpy()) if file else None)
    return Players(["real", *names], list(rows.items()))


def _pairs(steps: Steps, name: str, page: dict[str, Any]) -> list[Pair]:
    """The generated clips nearest to the training set, and what they are near to."""
    training = ClipDataset(steps.data, {"train"})
    by_key = {entry.key: number for number, (_, entry) in enumerate(training.clips)}
    pairs = []
    for found in sorted(page["nearest"]["clips"], key=lambda each: each["distance"])[:PAIRS]:
        made = read_clip(_answers(steps, name) / found["file"]).numpy()
        start = round(found["at"] * 16_000)
        wave = training.wave(by_key[found["nearest"]])[start : start + len(made)].astype(np.float32) / 32768
        pairs.append(Pair(name, found["distance"], clip(found["file"], made), clip(found["nearest"], wave)))
    return pairs


def _answers(steps: Steps, name: str) -> Any:
    return steps.brought.answers.get(name) or steps.folder(f"answers/{name}")
