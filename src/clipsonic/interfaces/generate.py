"""`clipsonic generate`: a query => sound file, picture and sidecar, all whole or none."""

import json
import re
import secrets
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic.data.pictures import open_picture
from clipsonic.errors import UserError
from clipsonic.interfaces.engine import Engine, Sampling
from clipsonic.interfaces.pictures import save_mel
from clipsonic.interfaces.progress import bar, console
from clipsonic.interfaces.start import absent, uncollected

if TYPE_CHECKING:
    from clipsonic.pipeline import CLIPSonicPipeline

FORMATS = {".wav": "PCM_16", ".flac": "PCM_16", ".ogg": "VORBIS"}
MAX_SEED = 2**62


@dataclass(frozen=True)
class Query:
    """What is asked for: texts and pictures under weights, and what lies beside or beyond them."""

    texts: list[str]
    images: list[Path]
    weights: list[float] | None = None  # texts first, then pictures; equal unless told
    negative: str | None = None  # guidance leads away from it
    to: str | None = None  # the other end of a way
    points: int = 5  # on that way, ends included
    bridge: str | None = None  # from words to pictures; the model's own choice, or a folder or hub id of one

    def check(self) -> None:
        """Refuses what cannot be asked, before anything is loaded.

        Raises:
            UserError: with what to ask instead.
        """
        if not self.texts and not self.images:
            raise UserError('ask with a text or with --image FILE: clipsonic generate "a photo of a dog"')
        for text in (*self.texts, *(each for each in (self.negative, self.to) if each is not None)):
            if not text.strip():
                raise UserError("the prompt is empty; say what the sound is of")
        parts = len(self.texts) + len(self.images)
        if self.weights is not None and len(self.weights) != parts:
            raise UserError(
                f"{len(self.weights)} weights for {parts} queries; give one each, texts before pictures"
            )
        if self.to is not None and not 2 <= self.points <= 100:
            raise UserError(f"{self.points} points between two queries; they go from 2 to 100")

    @property
    def title(self) -> str:
        """The query in a few words."""
        words = " + ".join([*self.texts, *(image.stem for image in self.images)])
        return words if self.to is None else f"{words} to {self.to}"


def run(
    query: Query, output: Path | None, sampling: Sampling, seed: int | None, number: int, engine: Engine
) -> None:
    """Generates and writes; what can be refused is refused before the model is loaded."""
    query.check()
    if query.negative is not None and sampling.guidance_scale <= 1:
        raise UserError("--negative needs a --guidance-scale above 1: guidance is what leads away from it")
    if seed is not None and not 0 <= seed < MAX_SEED:
        raise UserError(f"the seed is {seed}; it goes from 0 to {MAX_SEED - 1}")
    output = output or Path(f"{file_name(query.title)}.wav")
    check_output(output)
    pictures = [open_picture(image) for image in query.images]
    clips = number * (1 if query.to is None else query.points)
    paths = [output if clips == 1 else output.with_stem(f"{output.stem}-{clip + 1}") for clip in range(clips)]
    for image in query.images:
        if image.resolve() in [path.with_suffix(".png").resolve() for path in paths]:
            raise UserError(f"the spectrogram would be written over {image}; name another file with -o")
    first = secrets.randbelow(2**31) if seed is None else seed

    with uncollected():
        import torch

        engine.check()
        # A fifth of all imports, for beta-distributed noise levels that no model here has.
        with absent("scipy"):
            from clipsonic.interfaces.sidecar import describe
            from clipsonic.pipeline import BATCH
        pipeline, bridge = engine.load(query.bridge)
    pipeline.check_inputs(
        query.texts or None,
        None,
        sampling.guidance_scale,
        sampling.steps,
        sampling.seconds,
        number,
        sampling.guidance_interval,
    )
    taken = pipeline.config.sampling_steps if sampling.steps is None else sampling.steps
    rows, seeds, shares = [], [], []
    generators = []
    for each in (first + clip for clip in range(number)):
        random = torch.Generator().manual_seed(each)
        points = _embed(pipeline, query, pictures, bridge, random)
        rows += points
        seeds += [each] * len(points)
        shares += [place / max(1, len(points) - 1) for place in range(len(points))]
        generators += [random.clone_state() if len(points) > 1 else random for _ in points]
    with bar("steps") as progress:
        task = progress.add_task("generating", total=taken * -(-clips // BATCH), note="")
        result = pipeline(
            embedding=torch.stack(rows),
            bridge=bridge,
            negative_prompt=query.negative,
            guidance_scale=sampling.guidance_scale,
            guidance_interval=sampling.guidance_interval,
            num_inference_steps=taken,
            audio_length_in_s=sampling.seconds,
            generator=generators,
            on_step=lambda step: progress.update(task, completed=step),
        )
    page = describe(pipeline, query, bridge, engine) | asdict(sampling) | {"steps": taken}
    for clip, (path, each, share) in enumerate(zip(paths, seeds, shares, strict=True)):
        place = {} if query.to is None else {"share": share}
        write_clip(path, result.audios[clip], result.mels[clip], page | place | {"seed": each})
        names = f"{path}  {path.with_suffix('.png').name}  {path.with_suffix('.json').name}  seed {each}"
        console.print(names, markup=False, soft_wrap=True)


def _embed(
    pipeline: "CLIPSonicPipeline", query: Query, pictures: list[Any], bridge: str, random: Any
) -> list[Any]:
    """The query => one embedding, or those along the way to its other end."""
    import torch

    from clipsonic.queries import between, mix

    parts = []
    if query.texts:
        parts.append(pipeline.embed(query.texts, bridge=bridge, generators=[random] * len(query.texts)))
    if pictures:
        parts.append(pipeline.embed(image=pictures))
    start = mix(torch.cat(parts), query.weights)
    if query.to is None:
        return [start]
    end = pipeline.embed([query.to], bridge=bridge, generators=[random])[0]
    return list(between(start, end, [place / (query.points - 1) for place in range(query.points)]))


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
            (aside / "page").write_text(json.dumps(page, indent=1, ensure_ascii=False) + "\n", "utf-8")
            (aside / "sound").replace(path)
            (aside / "picture").replace(path.with_suffix(".png"))
            (aside / "page").replace(path.with_suffix(".json"))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def file_name(query: str) -> str:
    """A query => the stem of a file name."""
    return re.sub(r"[^\w]+", "-", query.lower()).strip("-")[:60] or "out"
