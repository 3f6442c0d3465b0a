"""`clipsonic generate`: a query => sound file, picture and sidecar, all whole or none."""

import hashlib
import json
import re
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic.errors import UserError
from clipsonic.interfaces.pictures import open_picture, save_mel
from clipsonic.interfaces.progress import bar, console

if TYPE_CHECKING:
    from clipsonic.pipeline import CLIPSonicPipeline

FORMATS = {".wav": "PCM_16", ".flac": "PCM_16", ".ogg": "VORBIS"}
MAX_SEED = 2**62


def run(
    prompt: str | None,
    image: Path | None,
    model: str,
    output: Path | None,
    guidance_scale: float,
    steps: int | None,
    scheduler: str | None,
    seconds: float,
    seed: int | None,
    number: int,
    device: str,
) -> None:
    """Generates and writes; what can be refused is refused before the model is loaded."""
    if (prompt is None) == (image is None):
        raise UserError(
            'ask with a text or with --image FILE, one of the two: clipsonic generate "a photo of a dog"'
        )
    if prompt is not None and not prompt.strip():
        raise UserError("the prompt is empty; say what the sound is of")
    if seed is not None and not 0 <= seed < MAX_SEED:
        raise UserError(f"the seed is {seed}; it goes from 0 to {MAX_SEED - 1}")
    output = output or Path(f"{file_name(prompt or Path(image or '').stem)}.wav")
    check_output(output)
    picture = open_picture(image) if image is not None else None
    paths = [
        output if number == 1 else output.with_stem(f"{output.stem}-{clip + 1}") for clip in range(number)
    ]
    if image is not None and image.resolve() in [path.with_suffix(".png").resolve() for path in paths]:
        raise UserError(f"the spectrogram would be written over {image}; name another file with -o")
    first = secrets.randbelow(2**31) if seed is None else seed

    import torch

    from clipsonic.diffusion.sampling import solver
    from clipsonic.model_folder import resolve
    from clipsonic.pipeline import BATCH, CLIPSonicPipeline

    check_device(device)
    pipeline = CLIPSonicPipeline.from_pretrained(model).to(device)
    if scheduler is not None:
        learned = pipeline.unet.config.out_channels > pipeline.unet.config.in_channels
        pipeline.scheduler = solver(scheduler, pipeline.scheduler, learned)
    pipeline.check_inputs(prompt, picture, guidance_scale, steps, seconds, number)
    taken = pipeline.config.sampling_steps if steps is None else steps
    seeds = [first + clip for clip in range(number)]
    with bar("steps") as progress:
        task = progress.add_task("generating", total=taken * -(-number // BATCH), note="")
        result = pipeline(
            prompt,
            picture,
            guidance_scale=guidance_scale,
            num_inference_steps=taken,
            audio_length_in_s=seconds,
            num_waveforms_per_prompt=number,
            generator=[torch.Generator().manual_seed(each) for each in seeds],
            on_step=lambda step: progress.update(task, completed=step),
        )
    page = _sidecar(pipeline, resolve(model), prompt, image) | {
        "model": model,
        "guidance_scale": guidance_scale,
        "steps": taken,
        "scheduler": type(pipeline.scheduler).__name__,
        "seconds": seconds,
    }
    for clip, (path, each) in enumerate(zip(paths, seeds, strict=True)):
        write_clip(path, result.audios[clip], result.mels[clip], page | {"seed": each})
        names = f"{path}  {path.with_suffix('.png').name}  {path.with_suffix('.json').name}  seed {each}"
        console.print(names, markup=False, soft_wrap=True)


def check_device(name: str) -> None:
    """Refuses a device that this machine lacks.

    Raises:
        UserError: torch cannot use it.
    """
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"no device '{name}' on this machine; choose cpu") from error


def check_output(path: Path) -> None:
    """Refuses a file name that cannot be written, before any work is done.

    Raises:
        UserError: unknown ending, or the folder is missing or closed to us.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path} should end in {', '.join(FORMATS)}")
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UserError(
            f"cannot write to {path.parent}: {error.strerror}; name another file with -o"
        ) from error


def write_clip(path: Path, audio: Any, mel: Any, page: dict[str, Any]) -> None:
    """Writes sound, PNG and JSON aside, then moves all three to their names."""
    import soundfile

    from clipsonic.config import SAMPLE_RATE

    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".clipsonic-") as folder:
            aside = Path(folder)
            kind = path.suffix.lower()
            soundfile.write(
                aside / "sound", audio, SAMPLE_RATE, format=kind[1:].upper(), subtype=FORMATS[kind]
            )
            save_mel(aside / "picture", mel, title=str(page["query"]))
            (aside / "page").write_text(json.dumps(page, indent=1, ensure_ascii=False) + "\n")
            (aside / "sound").replace(path)
            (aside / "picture").replace(path.with_suffix(".png"))
            (aside / "page").replace(path.with_suffix(".json"))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def _sidecar(
    pipeline: "CLIPSonicPipeline", folder: Path, prompt: str | None, image: Path | None
) -> dict[str, Any]:
    from clipsonic import __version__
    from clipsonic.model_folder import WEIGHTS

    with (folder / "unet" / WEIGHTS).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "query": prompt if prompt is not None else str(image),
        "query_kind": "text" if prompt is not None else "image",
        "bridge": "zs" if prompt is not None else "none",
        "model_sha256": digest,
        "encoder": pipeline.config.encoder_id,
        "clipsonic": __version__,
    }


def file_name(query: str) -> str:
    """A query => the stem of a file name."""
    return re.sub(r"[^\w]+", "-", query.lower()).strip("-")[:60] or "out"
