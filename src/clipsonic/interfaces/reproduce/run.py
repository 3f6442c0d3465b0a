"""`clipsonic reproduce`: the plan with its costs, or the steps that are not yet done, and the report."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from clipsonic import __version__
from clipsonic.files import only_one
from clipsonic.interfaces.report.page import write_report
from clipsonic.interfaces.reproduce.brought import Brought, brought_systems
from clipsonic.interfaces.reproduce.check import check, identity
from clipsonic.interfaces.reproduce.costs import matrix_peak
from clipsonic.interfaces.reproduce.plan import Planned, plan
from clipsonic.interfaces.reproduce.presets import REPRODUCTIONS
from clipsonic.interfaces.reproduce.results import collect
from clipsonic.interfaces.reproduce.steps import Steps
from clipsonic.interfaces.reproduce.work import Work
from clipsonic.interfaces.settings import choose
from clipsonic.interfaces.telling import collected, made, note, show
from clipsonic.training.precision import precision_of

LARGE_GPU = 1e14  # floating-point operations a second: what one is sold with, half precision


def run(
    preset: str,
    changes: list[str],
    data: list[Path],
    captions: Path | None,
    model: str | None,
    vocoder: str | None,
    others: list[str],
    out: Path,
    dry_run: bool,
    device: str = "cpu",
) -> None:
    """Takes every step that is not done, in order; the same command goes on where it was stopped."""
    chosen = choose(REPRODUCTIONS, preset, changes)
    prepared = data[0] if len(data) == 1 and (data[0] / "dataset.json").exists() else None
    brought = Brought(prepared, [] if prepared else data, captions, model, vocoder, brought_systems(others))
    steps = Steps(chosen, brought, Work(out), device)
    planned = plan(steps)
    if dry_run:
        half = precision_of(chosen.spectrogram.training.precision, steps.folder("pictures")) == "bf16"
        _show_plan(planned, torch.bfloat16 if half else torch.float32)
        return
    check(steps)
    steps.work.claim(identity(steps))
    with only_one(out):
        _take(steps, planned, preset, out)


def _take(steps: Steps, planned: list[Planned], preset: str, out: Path) -> None:
    for number, step in enumerate(planned, 1):
        if not steps.work.done(step.name) or steps.stale(step.name):
            note(f"step {number} of {len(planned)}, {step.name}: {step.what}")
            with steps.work.timed(step.name), collected() as pages:
                step.take()
            seconds = steps.work.times()[step.name]["seconds"]
            made({"step": step.name, "seconds": seconds, "made": pages}, f"{step.name}: {seconds} s")
    report = out / "report.html"
    write_report(collect(steps, planned, preset, __version__), report)
    made({"report": str(report), "steps": len(planned)}, str(report))


def _show_plan(planned: list[Planned], dtype: torch.dtype) -> None:
    peak = matrix_peak(dtype)
    pages: list[dict[str, Any]] = []
    lines = [
        f"{'step':<31}{'training steps':>15}{'clips':>12}{'GB':>8}{'hours here':>12}{'on a GPU':>10}  what"
    ]
    for step in planned:
        cost = step.cost
        figures = [
            f"{cost.steps:,}" if cost.steps else "",
            f"{cost.clips:,}" if cost.clips else "",
            f"{cost.gigabytes:.2f}" if cost.gigabytes else "",
            f"{cost.hours(peak):,.1f}" if cost.flop else "",
            f"{cost.hours(LARGE_GPU):,.1f}" if cost.flop else "",
        ]
        widths = (15, 12, 8, 12, 10)
        columns = "".join(f"{figure:>{width}}" for figure, width in zip(figures, widths, strict=True))
        lines.append(f"{step.name:<31}{columns}  {step.what}")
        hours = {"hours_here": cost.hours(peak), "hours_on_a_gpu": cost.hours(LARGE_GPU)}
        pages.append({"step": step.name, "what": step.what} | asdict(cost) | hours)
    flop = sum(step.cost.flop for step in planned)
    gigabytes = sum(step.cost.gigabytes for step in planned)
    lines.append(f"{len(planned)} steps, {flop:.2g} floating-point operations, {gigabytes:.1f} GB")
    lines.append(
        "Hours are estimates, at a third of the matrix product's speed: "
        f"here {peak / 1e9:.0f} GFLOP/s, measured now; a GPU of {LARGE_GPU / 1e12:.0f} TFLOP/s. "
        "Encoders, preparing and measuring are not in them."
    )
    show({"steps": pages, "flop": flop, "gigabytes": gigabytes, "flop_a_second_here": peak}, "\n".join(lines))
