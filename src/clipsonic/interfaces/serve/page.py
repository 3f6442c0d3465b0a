"""The local web page, in Gradio, on top of the queue. Nothing in it is fetched from anywhere but this server."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from clipsonic.interfaces.serve.jobs import Desk, Limits
from clipsonic.interfaces.serve.page_clips import files
from clipsonic.interfaces.serve.page_gate import Gate

HERE = Path(__file__).parent


def mount(app: FastAPI, desk: Desk, limits: Limits, token: str | None, prefix: str | None = None) -> FastAPI:
    """Puts the page at "/" of an application, behind all that it answers itself.

    Args:
        token: without which nothing of the page is shown; None shows it to everybody.
        prefix: path at which a proxy mounts the server, if not told by each request.
    """
    folder = tempfile.TemporaryDirectory(prefix="clipsonic-page-", ignore_cleanup_errors=True)
    os.environ |= {  # read when gradio is imported, and when its parts are made
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_OFFLINE": "1",
        "GRADIO_TEMP_DIR": folder.name,
        # Statistics of the last 10,000 events, reckoned anew after each, which nobody here can see.
        "GRADIO_ANALYTICS_MAX_EVENTS": "1",
        "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000",
    }
    import gradio as gr

    from clipsonic.interfaces.serve.page_layout import layout

    _fetch_nothing()

    def make() -> None:
        gr.mount_gradio_app(
            app,
            layout(desk, limits),
            "/",
            root_path=prefix or None,
            footer_links=[],
            run_history=False,
            show_error=True,
            max_file_size=limits.upload_bytes,
            ssr_mode=False,
            enable_monitoring=False,
            pwa=False,
            mcp_server=False,
            theme=_theme(),
            css=(HERE / "page.css").read_text("utf-8"),
            head=f"<script>{(HERE / 'page.js').read_text('utf-8')}</script>",
        )

    _in_a_loop(make)
    mounted: Any = app.router.routes[-1]
    mounted.app = Gate(mounted.app, files(desk, Path(folder.name)), token)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def with_folder(app: FastAPI) -> AsyncIterator[Any]:
        try:
            async with inner(app) as state:
                yield state
        finally:
            folder.cleanup()

    app.router.lifespan_context = with_folder
    return app


def _in_a_loop(make: Callable[[], None]) -> None:
    """Call `make` while an event loop runs: Gradio else opens one for each of its locks, and closes none."""

    async def call() -> None:
        make()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(call())
    else:
        make()


def _fetch_nothing() -> None:
    """Takes from Gradio what downloads a file that a request names by its address instead of uploading it."""
    import gradio as gr
    from gradio import processing_utils

    async def refuse(url: str, *_: Any, **__: Any) -> str:
        raise gr.Error("files are uploaded, not named by their address")

    processing_utils.async_ssrf_protected_download = refuse


def _theme() -> Any:
    """Fonts that every system has, and colours of enough contrast (4.5 to 1, WCAG AA)."""
    import gradio as gr

    theme = gr.themes.Default(
        primary_hue="teal",
        neutral_hue="slate",
        font=[gr.themes.Font("system-ui"), gr.themes.Font("sans-serif")],
        font_mono=[gr.themes.Font("ui-monospace"), gr.themes.Font("monospace")],
    )
    dim, bright, button, pressed = "*neutral_500", "*neutral_300", "*primary_700", "*primary_800"
    return theme.set(
        body_text_color_subdued=dim,
        body_text_color_subdued_dark=bright,
        input_placeholder_color=dim,
        input_placeholder_color_dark="*neutral_400",
        block_info_text_color=dim,
        block_info_text_color_dark=bright,
        button_primary_background_fill=button,
        button_primary_background_fill_dark=button,
        button_primary_background_fill_hover=pressed,
        button_primary_background_fill_hover_dark=pressed,
    )
