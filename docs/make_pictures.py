"""Draws docs/pictures from the shipped mini: `python docs/make_pictures.py`. Takes a minute on two cores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from clipsonic import CLIPSonicPipeline
from clipsonic.audio import log_mel, to_model_range
from clipsonic.config import CLIP_SECONDS, LOG_MEL_FLOOR, LOG_MEL_TOP, SAMPLE_RATE
from clipsonic.diffusion.objective import Objective
from clipsonic.diffusion.prediction import Prediction
from clipsonic.diffusion.sampling import denoiser, guided, sample

FOLDER = Path(__file__).parent / "pictures"
PROMPT = "a photo of a rooster"
WORDS = ("dog", "cat", "rooster", "rain", "wind", "train", "helicopter", "piano")
SIZE = (1, 64, 128)


def new_figure(width: float, height: float) -> Figure:
    """A figure of that many inches, without a window."""
    figure = Figure(figsize=(width, height), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, name: str) -> None:
    """Writes a picture, in 128 colours so that it stays small."""
    import io

    from PIL import Image

    FOLDER.mkdir(exist_ok=True)
    whole = io.BytesIO()
    figure.savefig(whole, format="png")
    Image.open(whole).convert("RGB").quantize(96).save(FOLDER / f"{name}.png", optimize=True)


def draw_mels(name: str, rows: Sequence[Sequence[Any]], titles: Sequence[str], sides: Sequence[str]) -> None:
    """Mels (64, 128) in the model's range => a picture of them in rows."""
    figure = new_figure(11, 0.5 + 1.75 * len(rows))
    grid = figure.subplots(len(rows), len(titles), squeeze=False)
    for axes_row, mels, side in zip(grid, rows, sides, strict=True):
        for axes, mel in zip(axes_row, mels, strict=True):
            axes.imshow(
                np.asarray(mel), origin="lower", aspect="auto", cmap="magma", vmin=-1, vmax=1,
                extent=(0, CLIP_SECONDS, 0, 64),
            )  # fmt: skip
            axes.set_yticks([])
        axes_row[0].set_ylabel(side)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=10)
    save(figure, name)


def embeddings(pipeline: CLIPSonicPipeline) -> None:
    """Cosines between words: as the encoder says them, and over the linear map."""
    prompts = [f"a photo of a {word}" for word in WORDS]
    figure = new_figure(9, 4)
    for axes, bridge in zip(figure.subplots(1, 2), ("zs", "linear"), strict=True):
        rows = pipeline.embed(prompts, bridge=bridge)
        picture = axes.imshow(rows @ rows.T, vmin=0, vmax=1, cmap="viridis")
        axes.set_title({"zs": "words as they are", "linear": "words over the linear map"}[bridge])
        axes.set_xticks(range(len(WORDS)), WORDS, rotation=45, ha="right")
        axes.set_yticks(range(len(WORDS)), WORDS)
    figure.colorbar(picture, ax=figure.axes, label="cosine")
    save(figure, "embeddings")


def schedule(objective: Objective) -> None:
    """How much of the mel and of the noise there is at each time."""
    figure = new_figure(8, 2.8)
    axes = figure.subplots()
    axes.plot(objective.alpha_bar.sqrt(), label="√ᾱ: the mel's share")
    axes.plot((1 - objective.alpha_bar).sqrt(), label="√(1 − ᾱ): the noise's share")
    axes.set(xlabel="time t", ylabel="share")
    axes.legend()
    save(figure, "schedule")


def noising(pipeline: CLIPSonicPipeline, objective: Objective, x0: torch.Tensor, row: torch.Tensor) -> None:
    """A clip under more and more noise, and what the network takes it for in one look."""
    times = [100, 300, 500, 700, 900]
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    network = denoiser(pipeline.unet, objective.timesteps)
    noisy, guessed = [], []
    with torch.inference_mode():
        for time in times:
            t = torch.tensor([time])
            xt = objective.add_noise(x0, noise, t)
            noisy.append(xt[0, 0])
            guessed.append(objective.clean(network(xt, t, row).output, xt, t)[0, 0])
    draw_mels(
        "noise", [noisy, guessed], [f"t = {time}" for time in times], ["noisy mel", "guess of the clean"]
    )


def steps(pipeline: CLIPSonicPipeline, objective: Objective, row: torch.Tensor) -> None:
    """The way from noise to a mel in 12 steps."""
    seen: list[tuple[Any, Any]] = []
    ask = guided(denoiser(pipeline.unet, objective.timesteps), row, 1.5)

    def watched(x: torch.Tensor, t: torch.Tensor) -> Prediction:
        said = ask(x, t)
        seen.append((x[0, 0], objective.clean(said.output, x, t)[0, 0]))
        return said

    end = sample(watched, pipeline.scheduler, SIZE, 12, [torch.Generator().manual_seed(0)])
    chosen = [0, 2, 4, 7, 10]
    rows = [[seen[n][each] for n in chosen] + [end[0, 0]] for each in (0, 1)]
    draw_mels("steps", rows, [*(f"before step {n + 1}" for n in chosen), "after step 12"], ["x", "guess"])


def guidance(pipeline: CLIPSonicPipeline, objective: Objective, row: torch.Tensor) -> None:
    """One noise under more and more guidance."""
    scales = [0.0, 1.0, 1.5, 3.0, 6.0]
    network = denoiser(pipeline.unet, objective.timesteps)
    mels = [
        sample(
            guided(network, row, w), pipeline.scheduler, SIZE, 12, [torch.Generator().manual_seed(0)]
        )[0, 0]
        for w in scales
    ]  # fmt: skip
    draw_mels("guidance", [mels], [f"w = {w:g}" for w in scales], ["mel"])


def vocoding(mel: torch.Tensor, wave: torch.Tensor) -> None:
    """The mel that was made, the vocoder's wave, and the mel of that wave."""
    figure = new_figure(11, 2.4)
    before, middle, after = figure.subplots(1, 3)
    middle.plot(np.arange(len(wave)) / SAMPLE_RATE, wave, linewidth=0.4)
    middle.set(title="wave", xlabel="seconds", ylim=(-1, 1))
    for axes, each, title in ((before, mel, "mel"), (after, log_mel(wave[None])[0], "mel of the wave")):
        axes.imshow(
            each, origin="lower", aspect="auto", cmap="magma", vmin=LOG_MEL_FLOOR, vmax=LOG_MEL_TOP,
            extent=(0, CLIP_SECONDS, 0, 64),
        )  # fmt: skip
        axes.set(title=title, xlabel="seconds", yticks=[])
    save(figure, "vocoder")


def main() -> None:
    """Draws all of them."""
    pipeline = CLIPSonicPipeline.from_pretrained("mini")
    objective = Objective(pipeline.scheduler)
    embeddings(pipeline)
    schedule(objective)
    row = pipeline.embed([PROMPT])
    clip = pipeline(PROMPT, generator=torch.Generator().manual_seed(0))
    mel, wave = torch.from_numpy(clip.mels[0]), torch.from_numpy(clip.audios[0])
    noising(pipeline, objective, to_model_range(mel)[None, None], row)
    steps(pipeline, objective, row)
    guidance(pipeline, objective, row)
    vocoding(mel, wave)


if __name__ == "__main__":
    main()
