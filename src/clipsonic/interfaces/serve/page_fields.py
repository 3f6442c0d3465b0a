"""The fields and buttons of the page."""

import json
from typing import Any

import gradio as gr

from clipsonic.config import CLIP_SECONDS
from clipsonic.errors import UserError
from clipsonic.interfaces.serve.jobs import Desk, Limits

EXAMPLES = ("a photo of a dog", "rain", "a violin", "sea waves", "a rooster", "a train")
BRIDGES = {
    "zs": "none",
    "linear": "linear map",
    "shift": "shift",
    "retrieval": "nearest pictures",
    "pd": "prior of captions (pd)",
    "sd": "prior of its own data (sd)",
}


def fields(desk: Desk, limits: Limits) -> dict[str, Any]:
    """The fields and buttons, by name; the fields first, as `read_form` knows them."""
    pipeline = desk.pipeline
    words = gr.Textbox(
        label="Words",
        placeholder="a photo of a dog",
        max_length=limits.prompt_characters,
        elem_id="words",
    )
    with gr.Row(elem_id="examples"):
        for example in EXAMPLES:
            # Filled in and made by the browser, so that it is one way for all.
            gr.Button(example, size="sm").click(
                None, None, words, js=f"() => {json.dumps(example)}", api_visibility="private"
            ).then(None, js="() => document.querySelector('#make').click()", api_visibility="private")
    with gr.Row(elem_id="uploads", visible=_sees(pipeline)):
        picture = gr.Image(
            label="Picture",
            type="filepath",
            sources=["upload"],
            height=170,
            min_width=120,
            elem_id="picture",
            buttons=[],
        )
        video = gr.File(label="Video", file_types=["video"], height=170, min_width=120, elem_id="video")
    with gr.Accordion("Settings", open=False):
        seconds = gr.Textbox(
            label="Length in seconds",
            placeholder=f"{CLIP_SECONDS:.1f}, or as long as the video; {limits.seconds:g} at the most",
        )
        number = gr.Slider(1, limits.candidates, 1, step=1, label="Sounds to choose from", buttons=[])
        seed = gr.Textbox(label="Seed", placeholder="drawn, and shown with the sound")
        guidance = gr.Slider(
            1, 10, 1.5, step=0.1, label="Guidance", info="Higher keeps closer to what is asked.", buttons=[]
        )
        negative = gr.Textbox(
            label="Not like", placeholder="what it should not sound like", max_length=limits.prompt_characters
        )
        steps = gr.Slider(
            1,
            limits.steps,
            min(pipeline.config.sampling_steps, limits.steps),
            step=1,
            label="Steps",
            info="More take longer.",
            buttons=[],
        )
        bridge = gr.Radio(
            [(BRIDGES.get(name, name), name) for name in pipeline.bridges],
            value=desk.bridge,
            label="Bridge from words to pictures",
            visible=len(pipeline.bridges) > 1,
        )
    with gr.Row(elem_id="actions"):
        make = gr.Button("Make the sound", variant="primary", elem_id="make", scale=3, min_width=120)
        cancel = gr.Button("Cancel", elem_id="cancel", interactive=False, scale=1, min_width=90)
    return {
        "words": words,
        "picture": picture,
        "video": video,
        "seconds": seconds,
        "number": number,
        "seed": seed,
        "guidance": guidance,
        "negative": negative,
        "steps": steps,
        "bridge": bridge,
        "make": make,
        "cancel": cancel,
    }


def _sees(pipeline: Any) -> bool:
    try:
        pipeline.sees()
    except UserError:
        return False
    return True
