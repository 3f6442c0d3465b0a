"""What the steps left on disk => the report."""

import json
import platform
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import numpy as np

from clipsonic.data.shards import read_info
from clipsonic.evaluation.directions import Measured
from clipsonic.interfaces.report.charts import (
    confusion_chart,
    distance_chart,
    guidance_chart,
    largest_confusions,
)
from clipsonic.interfaces.report.page import Confusion, Report, Row, data_uri
from clipsonic.interfaces.reproduce.claims import directions
from clipsonic.interfaces.reproduce.controls import ROWS
from clipsonic.interfaces.reproduce.measures import WINDOWED, Figure, read_page
from clipsonic.interfaces.reproduce.plan import Planned, swept_systems, systems
from clipsonic.interfaces.reproduce.sounds import pairs, players
from clipsonic.interfaces.reproduce.steps import Steps
from clipsonic.interfaces.sidecar import fingerprint
from clipsonic.model_folder import WEIGHTS

MEMORY = (
    "For each clip 1 - the largest correlation of its mel with any piece of a training clip: "
    "0 is a copy, at whatever level. The yardstick is the row held-out, real recordings that no system was trained "
    "on: a curve left of its is memory."
)
SAME_BOTH_SIDES = (
    "held-out",
    "reconstruction",
)  # of the reference's own recordings: their limit means nothing
LIBRARIES = ("clipsonic", "torch", "diffusers", "transformers")
TRAINED = (
    "pictures",
    "clip-words",
    "clap-words",
    "sd",
    "pd",
    "vocoder",
)  # folders of what may be trained here
CHART_LABELS = 40  # more make a chart that nobody can read

Curves = dict[str, list[tuple[float, Measured]]]  # of each system, over the guidance scale


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
    fads, claps = _curves(guidance, "frechet_audio_distance"), _curves(guidance, "clap_score")
    swept = {f"{name} at w = {w:g}": page for name, along in guidance.items() for w, page in along}
    gap = json.loads((steps.folder("gap") / "gap.json").read_bytes())
    one = next(iter(pages.values()))
    heard, ear, eye = (
        one[each] for each in ("class_agreement", "frechet_audio_distance", "frechet_mel_distance")
    )
    return Report(
        title=f"clipsonic: the tables of CLIPSonic, preset {preset}",
        about=f"clipsonic {version}; data {steps.data.name}, {ear['reference_clips']} held-out recordings; "
        f"guidance w = {steps.preset.guidance_scale:g}. Numbers of other data or encoders are not comparable.",
        table_note=f"FAD is over {ear['embedding']}, the FID of mels over {eye['embedding']}.",
        rows=[_row(steps, name, page) for name, page in pages.items()],
        notes=_notes(pages | swept),
        directions=directions(pages, fads, claps, gap),
        guidance=guidance_chart(fads, claps, *_levels(pages["reconstruction"])) if guidance else None,
        swept_clips=steps.preset.swept_clips,
        gap={
            "rows": gap["bridges"],
            "picture": data_uri("image/png", (steps.folder("gap") / "gap.png").read_bytes()),
        },
        window_seconds=steps.preset.window_seconds,
        hop_seconds=steps.preset.window_hop_seconds,
        pictures=read_page(steps.folder("scores/imagehear.json")) if steps.brought.imagehear else None,
        players=players(steps, pages),
        agreement_note=f"What {heard['encoder']} hears in each clip, among {len(heard['labels'])} labels; "
        "a silent clip is wrong. How often it is right about real held-out recordings is the row held-out.",
        confusions=[
            _confusion(name, found)
            for name, page in pages.items()
            if (found := page["class_agreement"]) is not None
        ],
        memory_note=MEMORY,
        distances=distance_chart(
            {
                name: [each["distance"] for each in page["nearest"]["clips"]]
                for name, page in pages.items()
                if name != "training"
            }
        ),
        pairs=[pair for name in pages if name not in ROWS for pair in pairs(steps, name, pages[name])],
        times=[(step.name, steps.work.times().get(step.name, {}).get("seconds", 0.0)) for step in planned],
        settings=json.dumps(_settings(steps), indent=1, ensure_ascii=False),
    )


def _names(steps: Steps) -> list[str]:
    own = [system.name for system in systems(steps)]
    return [*own, *steps.brought.answers, *ROWS]


def _curves(guidance: dict[str, list[tuple[float, dict[str, Any]]]], measure: str) -> Curves:
    return {
        name: [(w, figure) for w, page in along if (figure := Figure.of(page[measure])) is not None]
        for name, along in guidance.items()
    }


def _levels(page: dict[str, Any]) -> list[dict[str, float]]:
    """Return what Fig. 3 draws as a line at every w: distance and score of the reconstruction."""
    measured = [Figure.of(page[measure]) for measure in ("frechet_audio_distance", "clap_score")]
    return [{} if each is None else {"reconstruction": each.value} for each in measured]


def _notes(pages: dict[str, dict[str, Any]]) -> list[str]:
    """Each note once, with the names of those it is about."""
    about: dict[str, list[str]] = {}
    for name, page in pages.items():
        for note in page["notes"]:
            about.setdefault(note, []).append(name)
    return [
        f"{'all' if len(names) == len(pages) else ', '.join(names)}: {note}"
        for note, names in sorted(about.items())
    ]


def _settings(steps: Steps) -> dict[str, Any]:
    """What it takes to make all of it again: settings, versions, checksums."""
    trained = {name: steps.folder(name) / "model" for name in TRAINED}
    weights = {
        name: path
        for name, model in trained.items()
        for path in (model / "unet" / WEIGHTS, model / WEIGHTS)
        if path.is_file()
    }
    return {
        **json.loads((steps.work.folder / "settings.json").read_bytes()),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in LIBRARIES},
        "device": steps.device,
        "shards": read_info(steps.data).shards,
        "trained_sha256": {name: fingerprint(path) for name, path in weights.items()},
    }


def _confusion(name: str, found: dict[str, Any]) -> Confusion:
    counts, labels = np.array(found["confusion"]), found["labels"]
    heard = [*labels, "silence"]
    if len(labels) <= CHART_LABELS:
        return Confusion(name, confusion_chart(counts, labels, heard), [])
    return Confusion(name, None, largest_confusions(counts, labels, heard))


def _row(steps: Steps, name: str, page: dict[str, Any]) -> Row:
    known = {system.name: system for system in systems(steps)}
    agreement, nearest = page["class_agreement"], page.get("nearest")
    scores = {
        "clips": page["frechet_audio_distance"]["clips"],
        "frechet": page["frechet_audio_distance"],
        "infinity": None if name in SAME_BOTH_SIDES else page["frechet_audio_distance"]["infinity"],
        "score": page["clap_score"],
        "fid": page["frechet_mel_distance"],
        "agreement": agreement and agreement["accuracy"],
        "nearest": nearest and nearest["mean"],
        "apart": page.get("apart"),
        "windows": page["windows"] and [page["windows"][kind] for kind in WINDOWED],
    }
    if name in known:
        system = known[name]
        asked = system.template.format("[label]") if system.template else "a picture"
        bridge = f", over {system.bridge}" if system.bridge != "zs" else ""
        paper = "VGGSound {}, MUSIC {}".format(*system.paper) if system.paper else ""
        return Row(name, system.trained_on, asked + bridge, paper, False, scores)
    trained, asked, control = ROWS.get(name, ("another system", "its own way", False))
    return Row(name, trained, asked, "", control, scores)
