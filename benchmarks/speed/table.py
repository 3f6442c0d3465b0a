"""Rows => the table that is printed and the file that is kept."""

import platform

import torch

from benchmarks.speed.timing import Row, matrix_product

HEAD = ("", "| work | against | ours | theirs | ratio | asked | quality |", "|---|---|---|---|---|---|---|")


def machine() -> str:
    """What the rows ran on, and its ceiling."""
    single, half = (matrix_product(dtype) / 1e9 for dtype in (torch.float32, torch.bfloat16))
    return (
        f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}; a product of two "
        f"matrices of 2048 x 2048 runs at {single:.0f} GFLOP/s in single precision, {half:.0f} in bfloat16"
    )


def line(row: Row) -> str:
    """A row of the table, to read and to paste into the documentation."""
    theirs = "absent" if row.theirs is None and row.peer else _number(row.theirs, row.unit)
    ratio = "" if row.ratio is None else "{:.3g} [{:.3g}, {:.3g}] x".format(*row.ratio)
    cells = (row.work, row.peer, _number(row.ours, row.unit), theirs, ratio, row.goal, row.quality)
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3g} {unit}"
