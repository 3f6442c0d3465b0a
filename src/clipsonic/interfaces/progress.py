"""The progress of long work, on the error stream, with the time left: a bar in a terminal, elsewhere few lines."""

import sys
import time
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from clipsonic.interfaces.telling import manner, note

EVERY = 30.0  # seconds between two lines where no bar is drawn
PACE = 3600.0  # seconds that the pace is measured over: a step may take minutes
BYTES = "MB"

console = Console(stderr=True, highlight=False, emoji=False)


def bar(unit: str) -> Progress:
    """A bar of `unit`s whose description and `note` field the caller updates."""
    if manner.quiet or not sys.stderr.isatty() or console.is_dumb_terminal:
        return _Lines(unit)
    # Rich would send what is printed beside a bar to the error stream, away from where it was piped.
    return Progress(
        BarColumn(bar_width=24),
        _Words(unit),
        console=console,
        redirect_stdout=sys.stdout.isatty(),
        speed_estimate_period=PACE,
    )


def bytes_bar() -> Progress:
    """A bar of bytes, told in megabytes."""
    return bar(BYTES)


def described(task: Task, unit: str) -> str:
    """A task in one line, the least important last: a narrow terminal cuts its end off."""
    if unit == BYTES:
        total = "" if task.total is None else f"/{task.total / 1e6:.1f}"
        words = [f"{task.description}: {task.completed / 1e6:.1f}{total} {unit}"]
    else:
        total = "" if task.total is None else f" of {task.total:,.0f}"
        words = [f"{task.description}: {task.completed:,.0f}{total} {unit}"]
    if task.finished:
        words.append(f"in {timedelta(seconds=int(task.finished_time or 0))}")
    elif task.time_remaining is not None:
        words.append(f"{timedelta(seconds=int(task.time_remaining))} left")
    if unit == BYTES and task.speed:
        words.append(f"{task.speed / 1e6:,.1f} {unit}/s")
    if said := task.fields.get("note"):
        words.append(said)
    return ", ".join(words)


class _Words(ProgressColumn):
    """What is told beside the bar."""

    def __init__(self, unit: str) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self.unit = unit

    def render(self, task: Task) -> Text:
        return Text(described(task, self.unit), no_wrap=True, overflow="ellipsis")


class _Lines(Progress):
    """Where no bar can be drawn: a line now and then, none of what takes less, and one at a download's end."""

    def __init__(self, unit: str) -> None:
        super().__init__(disable=True, speed_estimate_period=PACE)
        self.unit = unit
        self.said = time.monotonic()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        self._say(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        self._say(task_id)

    def stop(self) -> None:
        super().stop()
        if self.unit == BYTES:
            for task in self.tasks:
                note(described(task, self.unit))

    def _say(self, task_id: TaskID) -> None:
        now = time.monotonic()
        if now - self.said >= EVERY:
            self.said = now
            note(described(self._tasks[task_id], self.unit))
