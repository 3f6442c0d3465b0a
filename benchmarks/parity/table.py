"""What every comparison with the authors' code reports."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One part, given the same weights and inputs as the authors' code.

    Attributes:
        part: what was compared.
        parameters: weights of our part.
        largest_difference: over all numbers that came out.
        seconds_per_item: how long ours takes for a clip, a text, a window: what `note` says.
        note: size, inputs, units, and what differs on purpose.
    """

    part: str
    parameters: int
    largest_difference: float
    seconds_per_item: float
    note: str


def as_markdown(rows: Iterable[Row]) -> str:
    """Rows => a table for the documentation."""
    lines = ["| part | parameters | largest difference | seconds an item | note |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.part} | {row.parameters:,} | {row.largest_difference:.1e} | {row.seconds_per_item:.3g} "
        f"| {row.note} |"
        for row in rows
    ]
    return "\n".join(lines)
