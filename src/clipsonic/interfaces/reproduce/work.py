"""The folder of a reproduction: where each step leaves what it made, how long it took, and whether it is done."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsonic.errors import UserError
from clipsonic.files import write_json

TIMES = "times.json"
SWEPT = ("swept", "swept_clips")  # settings of Fig. 3's steps alone


@dataclass(frozen=True)
class Work:
    """A folder with one subfolder a step."""

    folder: Path

    def claim(self, page: dict[str, Any]) -> None:
        """Takes an empty folder for these settings, or checks that it was taken for the same.

        What is swept may change as long as no sweep was begun.

        Raises:
            UserError: it was taken for others, or cannot be written.
        """
        path = self.folder / "settings.json"
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"{self.folder} is a file; name another folder")
        if path.exists():
            before = json.loads(path.read_bytes())
            if not any(step.startswith("guidance/") for step in self.times()):
                before["preset"] |= {name: page["preset"][name] for name in SWEPT}
            if before != page:
                different = sorted(
                    name for name in before.keys() | page.keys() if before.get(name) != page.get(name)
                )
                raise UserError(
                    f"{self.folder} holds a reproduction with another {', '.join(different)}; name another folder"
                )
            write_json(path, page)
            return
        if self.folder.exists() and any(self.folder.iterdir()):
            raise UserError(f"{self.folder} holds something else than a reproduction; name another folder")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(path, page)
        except OSError as error:
            raise UserError(f"{self.folder} cannot be written: {error.strerror}") from error

    def times(self) -> dict[str, dict[str, Any]]:
        """Of each step that was begun: its `seconds` over all stretches, and whether it is `done`."""
        path = self.folder / TIMES
        return dict(json.loads(path.read_bytes())) if path.exists() else {}

    def done(self, step: str) -> bool:
        """Whether a step ended well."""
        return bool(self.times().get(step, {}).get("done"))

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Adds the time inside to a step's; it is done when the block ends well."""
        began, done = time.monotonic(), False
        try:
            yield
            done = True
        finally:
            times = self.times()
            seconds = times.get(step, {}).get("seconds", 0.0) + time.monotonic() - began
            write_json(self.folder / TIMES, times | {step: {"seconds": round(seconds, 1), "done": done}})
