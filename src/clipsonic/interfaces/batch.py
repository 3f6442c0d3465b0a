"""`clipsonic generate --prompts FILE`: many requests, alike ones together, on several processes, resumable."""

import hashlib
import json
import multiprocessing
import signal
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from clipsonic.errors import UserError
from clipsonic.files import only_one
from clipsonic.interfaces.answering import Answer, answer, answer_alike
from clipsonic.interfaces.asking import Asked
from clipsonic.interfaces.engine import Engine
from clipsonic.interfaces.generate import about_clip
from clipsonic.interfaces.progress import bar
from clipsonic.interfaces.prompts import read_prompts
from clipsonic.interfaces.telling import made, manner, note, trouble
from clipsonic.interfaces.threads import threads_each
from clipsonic.interfaces.writing import write_clip
from clipsonic.model_folder import resolve

if TYPE_CHECKING:
    from clipsonic.pipeline import CLIPSonicPipeline

TOGETHER = 8  # requests in one batch
MADE_OF = (".json", ".safetensors")  # endings of what decides a model
Row = tuple[int, Asked]


def run(
    prompts: Path,
    like: Asked,
    folder: Path,
    ending: str,
    engine: Engine,
    processes: int,
    ray: str | None = None,
) -> None:
    """Makes every row's clip that is not there yet; rows that fail are named and do not stop the others.

    Raises:
        UserError: nothing can be done, or some rows failed.
    """
    if processes < 1:
        raise UserError(f"{processes} processes; one is the least")
    with only_one(folder):
        _run(prompts, like, folder, ending, engine, processes, ray)


def _run(
    prompts: Path,
    like: Asked,
    folder: Path,
    ending: str,
    engine: Engine,
    processes: int,
    ray: str | None,
) -> None:
    rows = list(read_prompts(prompts, like, folder, ending))
    if not rows:
        raise UserError(f"{prompts} has no rows")
    engine.check()
    wrong = [(number, asked) for number, asked in rows if isinstance(asked, str)]
    right = [(number, asked) for number, asked in rows if isinstance(asked, Asked)]
    maker = made_by(engine)
    left = [row for row in right if not done(row[1], maker)]
    failed = len(wrong)
    for number, why in wrong:
        _tell(prompts, number, why)
    with bar("clips") as progress:
        task = progress.add_task("generating", total=len(right), completed=len(right) - len(left), note="")
        with closing(work(groups(left), engine, maker, processes, ray)) as parts:  # Ctrl-C ends it at once
            for group, failures in parts:
                failed += len(failures)
                for number, why in failures:
                    _tell(prompts, number, why)
                _list([row for row in group if row[0] not in dict(failures)])
                progress.advance(task, len(group))
    before = len(right) - len(left)
    page = {"folder": str(folder), "rows": len(rows), "clips": len(rows) - failed, "before": before}
    made(page, f"{folder}: {len(rows) - failed} of {len(rows)} clips, {before} of them before")
    if failed:
        raise UserError(
            f"{failed} of {len(rows)} rows of {prompts} failed; mend them, and the same command makes them"
        )


def _tell(prompts: Path, number: int, why: str) -> None:
    trouble(f"{prompts}, row {number}: {why}", {"row": number, "error": why})


def _list(rows: Sequence[Row]) -> None:
    """Name the clips of a group for programs, and tell everyone what should be known of them."""
    for number, asked in rows:
        path = Path(str(asked.output))
        page = json.loads(path.with_suffix(".json").read_text("utf-8"))
        missed = asked.finish.missed(page)
        for line in [*page["notes"], *([missed] if missed else [])]:
            note(f"{path.name}: {line}")
        if manner.as_json:
            made({"row": number} | about_clip(path, page)[0], "")


def made_by(engine: Engine) -> str:
    """A fingerprint of what answers: its settings, and the files of its model and vocoder, whatever their names.

    Raises:
        UserError: there is no such model.
    """
    from clipsonic.interfaces.sidecar import fingerprint

    folders = [resolve(engine.model)]
    folders += [Path(engine.vocoder)] if engine.vocoder is not None and Path(engine.vocoder).is_dir() else []
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in MADE_OF]
    settings = asdict(engine) | {"model": None, "vocoder": None if len(folders) > 1 else engine.vocoder}
    page = [settings, *(fingerprint(path) for path in files)]
    return hashlib.sha256(json.dumps(page).encode()).hexdigest()


def request_id(asked: Asked, maker: str) -> str:
    """Return a fingerprint of a request and its model, kept in the metadata to know what is done.

    Files count by where they are, however their paths are spelled.
    """

    def spelled(value: Any) -> str:
        return str(value.resolve() if isinstance(value, Path) else value)

    page = json.dumps([asdict(replace(asked, replaces="ours")), maker], default=spelled, sort_keys=True)
    return hashlib.sha256(page.encode()).hexdigest()[:16]


def done(asked: Asked, maker: str) -> bool:
    """Whether the clip is there, made for this very request."""
    path = Path(str(asked.output))
    try:
        page = json.loads(path.with_suffix(".json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return path.exists() and isinstance(page, dict) and page.get("request") == request_id(asked, maker)


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
    parts: Sequence[list[Row]], engine: Engine, maker: str, processes: int, ray: str | None = None
) -> Generator[tuple[list[Row], list[tuple[int, str]]]]:
    """Makes the groups and yields each with its failures, as they are done."""
    if not parts:
        return
    if ray is not None:
        from clipsonic.interfaces.clustered import make_all

        yield from make_all(parts, engine, maker, ray)
        return
    if processes == 1:
        alone = Maker(engine, maker)
        for part in parts:
            yield part, alone.make(part)
        return
    context = multiprocessing.get_context("spawn")
    count = min(processes, len(parts))
    pool = ProcessPoolExecutor(count, context, _begin, (engine, maker, threads_each(count)))
    try:
        with _undisturbed():
            # Not `wait`: Ctrl-C in it leaves futures locked, and the pool's end would wait for them for ever.
            ended: SimpleQueue[Future[list[tuple[int, str]]]] = SimpleQueue()
            running = {pool.submit(_make, part): part for part in parts}
            for future in running:
                future.add_done_callback(ended.put)
        while running:
            future = ended.get()
            yield running.pop(future), future.result()
    except BrokenProcessPool as error:
        raise UserError(
            "a process was ended from outside, perhaps for want of memory; the same command goes on, "
            "with fewer --processes if need be"
        ) from error
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.terminate()  # which lets it finish what it is writing
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A block in which processes begin that Ctrl-C does not reach: the main process stops them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Maker:
    """A model that makes groups of requests; bridges that are not its own come with the model that they join."""

    def __init__(self, engine: Engine, maker: str) -> None:
        self.engine, self.maker = engine, maker
        self.loaded: dict[str | None, tuple[CLIPSonicPipeline, str]] = {}
        self.stopped = self.stoppable = False

    def stop(self, *signal: Any) -> None:
        """Nothing more is begun, and nothing goes on but what is being written."""
        self.stopped = True
        if self.stoppable:
            raise KeyboardInterrupt

    def make(self, rows: Sequence[Row]) -> list[tuple[int, str]]:
        """Writes the clips of a group => the rows that failed, and why."""
        try:
            self._write(rows, self._answers([asked for _, asked in rows]))
        except UserError as error:
            if len(rows) == 1:
                return [(rows[0][0], str(error))]
            return [failure for row in rows for failure in self.make([row])]  # which of them it was
        return []

    def _answers(self, asked: Sequence[Asked]) -> list[Answer]:
        self.stoppable = True
        try:
            self._go_on()
            bridge = asked[0].query.bridge
            if bridge not in self.loaded:
                self.loaded[bridge] = self.engine.load(bridge)
            model = self.loaded[bridge]
            if len(asked) == 1:
                answers = answer(*model, asked[0], int(asked[0].seed or 0), self._go_on)
            else:
                answers = answer_alike(*model, asked, self._go_on)
            self._go_on()
            return answers
        finally:
            self.stoppable = False

    def _go_on(self, step: int = 0) -> None:
        """Stops here if a signal came: what it raised may have been swallowed by whatever ran then."""
        if self.stopped:
            raise KeyboardInterrupt

    def _write(self, rows: Sequence[Row], answers: Sequence[Answer]) -> None:
        from clipsonic.interfaces.sidecar import describe, remarks

        for (_, asked), (audio, mel, page) in zip(rows, answers, strict=True):
            about = describe(*self.loaded[asked.query.bridge], asked, self.engine) | page
            about |= remarks(self.loaded[asked.query.bridge][0], asked.query)
            about |= {"request": request_id(asked, self.maker)}
            write_clip(Path(str(asked.output)), audio, mel, about, asked.finish, asked.query.video)


_maker: Maker | None = None  # of a worker process


def _begin(engine: Engine, maker: str, threads: int) -> None:
    import torch

    from clipsonic.data.bounded import end_with_parent

    global _maker
    end_with_parent()
    torch.set_num_threads(threads)
    _maker = Maker(engine, maker)
    signal.signal(signal.SIGTERM, _maker.stop)


def _make(rows: list[Row]) -> list[tuple[int, str]]:
    assert _maker is not None
    return _maker.make(rows)
