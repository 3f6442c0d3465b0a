"""The paper's claims, held against the scores that were read."""

from typing import Any

from clipsonic.evaluation.directions import Direction, Measured, less, rises
from clipsonic.evaluation.systems import SYSTEMS
from clipsonic.interfaces.reproduce.measures import Figure


def directions(
    pages: dict[str, dict[str, Any]],
    fads: dict[str, list[tuple[float, Measured]]],
    claps: dict[str, list[tuple[float, Measured]]],
    gap: dict[str, Any],
) -> list[Direction]:
    """What a right implementation should show; a claim about what was not measured says so."""
    fad = _figures({name: page["frechet_audio_distance"] for name, page in pages.items()})
    clap = _figures({name: page["clap_score"] for name, page in pages.items()})
    cosine = _figures({row["bridge"]: row["cosine"] for row in gap["bridges"]})
    windows = _figures(pages["reconstruction"]["windows"] or {}) if "reconstruction" in pages else {}
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
    claim = "the best window of a recording scores above the whole: reconstruction, whole < max"
    found.append(less(claim, windows, "whole", "max"))
    for system in SYSTEMS:
        if system.name in pages:
            claim = f"short answers score above whole recordings: CLAP score, reconstruction < {system.name}"
            found.append(less(claim, clap, "reconstruction", system.name))
    found.append(less("the measures tell noise from ZS: Fréchet distance", fad, "ZS", "noise"))
    found.append(less("the measures tell shuffled answers from ZS: CLAP score", clap, "shuffled", "ZS"))
    return found


def _figures(pages: dict[str, dict[str, Any] | None]) -> dict[str, Figure]:
    """Those that were measured."""
    return {name: figure for name, page in pages.items() if (figure := Figure.of(page)) is not None}
