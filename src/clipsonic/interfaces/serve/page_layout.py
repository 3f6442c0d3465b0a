"""The page: where everything stands, and what happens on it."""

import asyncio
import json
from collections.abc import AsyncIterator
from html import escape
from typing import Any

import gradio as gr

from clipsonic.errors import UserError
from clipsonic.interfaces.serve.job import CANCELLED, DONE, WAITING, Closed, Full, Job
from clipsonic.interfaces.serve.jobs import Desk, Limits
from clipsonic.interfaces.serve.page_clips import history, read_made, result
from clipsonic.interfaces.serve.page_fields import fields
from clipsonic.interfaces.serve.page_form import read_form

LOOK_SECONDS = 0.25  # between two looks at a job
UPLOADS_KEPT = 3600  # seconds; longer than a job waits and runs
IDLE = "Ask for a sound, or begin with an example."


def layout(desk: Desk, limits: Limits) -> gr.Blocks:
    """The layout, and what happens on it."""
    with gr.Blocks(title="clipsonic", analytics_enabled=False, delete_cache=(60, UPLOADS_KEPT)) as page:
        gr.HTML(
            "<h1>clipsonic</h1><p>Sound for words, a picture or a video. All of it is made on this server.</p>",
            elem_id="top",
        )
        with gr.Row(equal_height=False):
            with gr.Column(scale=5, min_width=320):
                form = fields(desk, limits)
            with gr.Column(scale=6, min_width=320):
                status = gr.HTML(_said(IDLE), elem_id="status", js_on_load=_said_aloud("status"))
                meter = gr.HTML("", elem_id="meter")
                shown = gr.HTML("", elem_id="result")
                gr.HTML("<h2>Earlier in this visit</h2>", elem_id="earlier")
                earlier = gr.HTML(history(desk, []), elem_id="history")
        # What the browser keeps until its tab is closed: ids of what was made, and of what is being made.
        made = gr.Textbox("[]", visible="hidden", elem_id="made")
        current = gr.Textbox("", visible="hidden", elem_id="current")
        names = [name for name in form if name not in ("make", "cancel")]

        async def follow(job: Job, before: list[str]) -> AsyncIterator[dict[Any, Any]]:
            yield {
                **_busy(form, True),
                current: job.id,
                shown: "",
                earlier: history(desk, before),
            }
            words, bar = "", ""
            while not job.over:
                if words != (words := _stage(job)):  # said again by screen readers only if it is new
                    yield {status: _said(words)}
                if bar != (bar := _meter(job)):
                    yield {meter: bar}
                await asyncio.sleep(LOOK_SECONDS)
            ended = {**_busy(form, False), current: "", meter: ""}
            if job.state != DONE:
                cancelled = job.state == CANCELLED
                yield ended | {status: (_said if cancelled else _wrong)(_sentence(job.error or job.state))}
                return
            number = len(job.clips)
            yield ended | {
                status: _said("Done." if number == 1 else f"Done: {number} sounds."),
                shown: result(job),
                made: json.dumps([*before, job.id]),
            }

        async def make(*values: Any) -> AsyncIterator[dict[Any, Any]]:
            fields = dict(zip(names, values[:-1], strict=True))
            try:
                desk.check_room()
                request = await asyncio.to_thread(read_form, fields, limits)
                job = await asyncio.to_thread(desk.submit, request)
            except Full as full:
                yield {status: _wrong(f"The queue is full; try again in about {_time(full.retry_after)}.")}
                return
            except (UserError, Closed) as error:
                yield {status: _wrong(_sentence(str(error)))}
                return
            async for update in follow(job, read_made(values[-1])):
                yield update

        async def resume(kept: str, running: str) -> AsyncIterator[dict[Any, Any]]:
            """After a reload: what was made is listed again, and what is being made is followed on."""
            ids = read_made(kept)
            job = desk.get(running or "")
            yield {made: json.dumps(ids), earlier: history(desk, ids)}
            if job is not None and job.id not in ids:
                async for update in follow(job, ids):
                    yield update

        def cancel(running: str) -> None:
            job = desk.get(running or "")
            if job is not None:
                job.cancel()

        outputs = [status, meter, shown, earlier, made, current, form["make"], form["cancel"]]
        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        alone = quiet | {"preprocess": False, "concurrency_limit": None}
        gr.on(
            [form["make"].click, form["words"].submit],
            make,
            [*(form[name] for name in names), made],
            outputs,
            js="(...values) => { clipsonic.show(); return values; }",
            **alone,
        )
        form["cancel"].click(cancel, current, None, queue=False, **quiet)
        page.load(resume, [made, current], outputs, js="() => clipsonic.kept()", **alone)
        for box in (made, current):
            box.change(None, [made, current], None, js="(...kept) => clipsonic.keep(...kept)", **quiet)
    page.queue(default_concurrency_limit=None)
    return page


def _busy(form: dict[str, Any], busy: bool) -> dict[Any, Any]:
    return {
        form["make"]: gr.Button(interactive=not busy),
        form["cancel"]: gr.Button(interactive=busy),
    }


def _said_aloud(id: str) -> str:
    """Script that has screen readers tell what is written into an element."""
    return f"const box = document.getElementById('{id}'); box.role = 'status'; box.ariaLive = 'polite';"


def _stage(job: Job) -> str:
    if job.state != WAITING:
        return "Making the sound."
    ahead = job.ahead
    return "Waiting: next in turn." if not ahead else f"Waiting: {ahead} before this one."


def _meter(job: Job) -> str:
    return (
        f'<progress aria-label="Progress" max="100" value="{100 * job.progress:.0f}"></progress>'
        f"<p>{100 * job.progress:.0f} %, about {_time(job.seconds_left)} left</p>"
    )


def _said(words: str) -> str:
    return f"<p>{escape(words)}</p>"


def _wrong(words: str) -> str:
    return f'<p class="wrong">{escape(words)}</p>'


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."


def _time(seconds: float) -> str:
    """Seconds in the words of a rough guess."""
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"
