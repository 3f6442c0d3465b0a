"""`clipsonic generate --prompts FILE`: many requests, alike ones together, on several processes, resumable."""

import hashlib
import json
import multiprocessing
import os
import signal
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic.errors import UserError
from clipsonic.interfaces.answering import answer, answer_alike
from clipsonic.interfaces.asking import Asked
from clipsonic.interfaces.engine import Engine
from clipsonic.interfaces.progress import bar, console
from clipsonic.interfaces.prompts import read_prompts
from clipsonic.interfaces.writing import write_clip

if TYPE_CHECKING:
    from clipsonic.pipeline import CLIPSonicPipeline

TOGETHER = 8  # requests in one batch
Row = tuple[int, Asked]


def run(prompts: Path, like: Asked, folder: Path, ending: str, engine: Engine, processes: int) -> None:
    """Makes every row's clip that is not there yet; rows that fail are named and do not stop the others.

    Raises:
        UserError: nothing can be done, or some rows failed.
    """
    if processes < 1:
        raise UserError(f"{processes} processes; one is the least")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {folder}: {error.strerror}") from error
    rows = list(read_prompts(prompts, like, folder, ending))
    if not rows:
        raise UserError(f"{prompts} has no rows")
    engine.check()
    wrong = [(number, asked) for number, asked in rows if isinstance(asked, str)]
    right = [(number, asked) for number, asked in rows if isinstance(asked, Asked)]
    left = [row for row in right if not done(row[1], engine)]
    failed = len(wrong)
    for number, why in wrong:
        _tell(prompts, number, why)
    with bar("clips") as progress:
        task = progress.add_task("generating", total=len(right), completed=len(right) - len(left), note="")
        for group, failures in work(groups(left), engine, processes):
            failed += len(failures)
            for number, why in failures:
                _tell(prompts, number, why)
            progress.advance(task, len(group))
    before = len(right) - len(left)
    said = f"{folder}: {len(rows) - failed} of {len(rows)} clips, {before} of them before"
    console.print(said, markup=False, soft_wrap=True)
    if failed:
        raise UserError(
            f"{failed} of {len(rows)} rows of {prompts} failed; mend them, and the same command makes them"
        )


def _tell(prompts: Path, number: int, why: str) -> None:
    console.print(f"{prompts}, row {number}: {why}", markup=False, soft_wrap=True)


def request_id(asked: Asked, engine: Engine) -> str:
    """A fingerprint of everything that was asked for, written into the sidecar to know what is done."""
    page = json.dumps([asdict(asked), asdict(engine)], default=str, sort_keys=True)
    return hashlib.sha256(page.encode()).hexdigest()[:16]


def done(asked: Asked, engine: Engine) -> bool:
    """Whether the clip is there, made for this very request."""
    path = Path(str(asked.output))
    try:
        page = json.loads(path.with_suffix(".json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return path.exists() and isinstance(page, dict) and page.get("request") == request_id(asked, engine)


def groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that can be made in one batch, by eights; a video is alone."""
    alike: dict[Any, list[Row]] = defaultdict(list)
    for number, asked in rows:
        key = (
            asked.sampling,
            asked.query.negative,
            asked.query.bridge,
            number if asked.query.video is not None else None,
        )
        alike[key].append((number, asked))
    return [
        some[first : first + TOGETHER] for some in alike.values() for first in range(0, len(some), TOGETHER)
    ]


def work(
    parts: Sequence[list[Row]], engine: Engine, processes: int
) -> Iterator[tuple[list[Row], list[tuple[int, str]]]]:
    """Makes the groups and yields each with its failures, as they are done."""
    if not parts:
        return
    if processes == 1:
        maker = _Maker(engine)
        for part in parts:
            yield part, maker.make(part)
        return
    context = multiprocessing.get_context("spawn")
    count = min(processes, len(parts))
    pool = ProcessPoolExecutor(count, context, _begin, (engine, max(1, (os.cpu_count() or 1) // count)))
    try:
        running: dict[Future[list[tuple[int, str]]], list[Row]] = {
            pool.submit(_make, part): part for part in parts
        }
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Maker:
    """A model that makes groups of requests; bridges that are not its own come with the model that they join."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.loaded: dict[str | None, tuple[CLIPSonicPipeline, str]] = {}

    def make(self, rows: Sequence[Row]) -> list[tuple[int, str]]:
        """Writes the clips of a group => the rows that failed, and why."""
        try:
            bridge = rows[0][1].query.bridge
            if bridge not in self.loaded:
                self.loaded[bridge] = self.engine.load(bridge)
            self._write(rows, *self.loaded[bridge])
        except UserError as error:
            if len(rows) == 1:
                return [(rows[0][0], str(error))]
            return [failure for row in rows for failure in self.make([row])]  # which of them it was
        return []

    def _write(self, rows: Sequence[Row], pipeline: "CLIPSonicPipeline", bridge: str) -> None:
        from clipsonic.interfaces.sidecar import describe

        asked = [each for _, each in rows]
        if len(asked) == 1:
            answers = answer(pipeline, bridge, asked[0], int(asked[0].seed or 0))
        else:
            answers = answer_alike(pipeline, bridge, asked)
        for each, (audio, mel, page) in zip(asked, answers, strict=True):
            about = describe(pipeline, each, bridge, self.engine) | page
            about |= {"request": request_id(each, self.engine)}
            write_clip(Path(str(each.output)), audio, mel, about, each.finish, each.query.video)


_maker: _Maker | None = None  # of a worker process


def _begin(engine: Engine, threads: int) -> None:
    import torch

    global _maker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process stops all
    torch.set_num_threads(threads)
    _maker = _Maker(replace(engine))


def _make(rows: list[Row]) -> list[tuple[int, str]]:
    assert _maker is not None
    return _maker.make(rows)
