"""`clipsonic reproduce`: the plan with its costs, or the steps that are not yet done, and the report."""

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from clipsonic import __version__
from clipsonic.errors import UserError
from clipsonic.files import only_one
from clipsonic.interfaces.report.page import write_report
from clipsonic.interfaces.reproduce.brought import Brought, brought_parts, brought_systems
from clipsonic.interfaces.reproduce.check import check, differences, identity, missing
from clipsonic.interfaces.reproduce.costs import GPU, speed_here
from clipsonic.interfaces.reproduce.plan import Planned, plan
from clipsonic.interfaces.reproduce.presets import REPRODUCTIONS
from clipsonic.interfaces.reproduce.results import collect
from clipsonic.interfaces.reproduce.steps import Steps
from clipsonic.interfaces.reproduce.work import Work
from clipsonic.interfaces.settings import choose
from clipsonic.interfaces.telling import collected, made, note, show
from clipsonic.training.precision import precision_of

IN = {"no": "in single precision", "bf16": "in bf16", "fp16": "in fp16"}


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
    trained: Sequence[str] = (),
    imagehear: Path | None = None,
) -> None:
    """Take every step that is not done, in order; the same command resumes.

    Raises:
        UserError: what is needed is missing or wrong, or several processes run it.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(
            "reproduce must run in one process: train the parts with torchrun and bring them with --model, "
            "--vocoder and --trained"
        )
    chosen = choose(REPRODUCTIONS, preset, changes)
    prepared = data[0] if len(data) == 1 and (data[0] / "dataset.json").exists() else None
    brought = Brought(
        prepared,
        [] if prepared else data,
        captions,
        model,
        vocoder,
        brought_systems(others),
        brought_parts(trained),
        imagehear,
    )
    steps = Steps(chosen, brought, Work(out), device)
    check(steps)
    for line in differences(steps):
        note(line)
    lacking = missing(steps)
    if lacking and not dry_run:
        raise UserError(lacking[0])
    planned = plan(steps)
    if steps.model is not None and any(step.name == "vocoder" for step in planned):
        note(
            f"the model {steps.model} has no trained vocoder, so one is trained; name another with --vocoder, "
            "or griffin-lim to measure with that"
        )
    if dry_run:
        _show_plan(planned, steps)
        for line in lacking:
            note(f"needed before the first step: {line}")
        return
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


def _show_plan(planned: list[Planned], steps: Steps) -> None:
    costs = []
    for step in planned:
        cost = step.count()
        costs.append(replace(cost, precision=precision_of(cost.precision, steps.folder(step.name))))
    speeds = {precision: speed_here(precision) for precision in sorted({cost.precision for cost in costs})}
    pages: list[dict[str, Any]] = []
    lines = [
        f"{'step':<31}{'training steps':>15}{'clips':>12}{'GB':>8}{'hours here':>12}{'on a GPU':>10}  what"
    ]
    for step, cost in zip(planned, costs, strict=True):
        here, gpu = cost.hours(speeds[cost.precision]), cost.hours(GPU)
        figures = [
            f"{cost.steps:,}" if cost.steps else "",
            f"{cost.clips:,}" if cost.clips else "",
            f"{cost.gigabytes:.2f}" if cost.gigabytes else "",
            _rounded(here) if cost.flop else "",
            _rounded(gpu) if cost.flop else "",
        ]
        widths = (15, 12, 8, 12, 10)
        columns = "".join(f"{figure:>{width}}" for figure, width in zip(figures, widths, strict=True))
        lines.append(f"{step.name:<31}{columns}  {step.what}")
        hours = {"hours_here": here, "hours_on_a_gpu": gpu}
        pages.append({"step": step.name, "what": step.what} | asdict(cost) | hours)
    flop, gigabytes = sum(cost.flop for cost in costs), sum(cost.gigabytes for cost in costs)
    here = sum(page["hours_here"] for page in pages)
    lines.append(
        f"{len(planned)} steps, {flop:.2g} floating-point operations, {gigabytes:.1f} GB, "
        f"{_rounded(here)} hours here"
    )
    measured = ", ".join(f"{speed / 1e9:.3g} GFLOP/s {IN[name]}" for name, speed in speeds.items())
    lines.append(
        f"Hours are estimates: here at the {measured} that mini's U-Net reaches now, on a GPU at {GPU / 1e12:.0f} "
        "TFLOP/s, a third of what one is sold with. Decoding videos and measuring are not in them."
    )
    show(
        {"steps": pages, "flop": flop, "gigabytes": gigabytes, "flop_a_second_here": speeds}, "\n".join(lines)
    )


def _rounded(hours: float) -> str:
    return f"{hours:,.1f}" if hours >= 0.1 else f"{hours:.2g}"
