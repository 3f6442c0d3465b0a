"""`clipsonic evaluate audio`: a folder of sounds => every score there is, as a table and as JSON."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clipsonic.errors import UserError
from clipsonic.files import only_one, write_json
from clipsonic.interfaces.engine import check_device
from clipsonic.interfaces.progress import bar
from clipsonic.interfaces.telling import note, show

if TYPE_CHECKING:
    from jaxtyping import Float

    from clipsonic.encoders.base import AudioEncoder, Encoder
    from clipsonic.evaluation.agreement import Agreement
    from clipsonic.evaluation.audio_files import AudioFile
    from clipsonic.evaluation.bootstrap import Mean
    from clipsonic.evaluation.embeddings import SoundEmbedding
    from clipsonic.evaluation.frechet import Frechet

NONE = "none"


@dataclass(frozen=True)
class Scores:
    """What was measured, None where it was not."""

    fad: "Frechet"
    fid: "Frechet | None"
    clap: "Mean | None"
    picture: "Mean | None"
    agreement: "Agreement | None"
    skipped: dict[str, str]  # file => why it was left out
    notes: list[str]  # what a reader of the numbers should know


def run_audio(
    folder: Path,
    reference: Path,
    prompts: Path | None,
    embedding: str,
    score_with: str | None,
    images_with: str,
    labels: Sequence[str],
    out: Path | None,
    device: str = "cpu",
) -> None:
    """Measures, prints and writes; what is missing is told before anything is heard."""
    check_device(device)
    with nullcontext() if out is None else only_one(out):
        _run_audio(folder, reference, prompts, embedding, score_with, images_with, labels, out, device)


def _run_audio(
    folder: Path,
    reference: Path,
    prompts: Path | None,
    embedding: str,
    score_with: str | None,
    images_with: str,
    labels: Sequence[str],
    out: Path | None,
    device: str,
) -> None:
    from clipsonic import __version__
    from clipsonic.encoders.load import load_audio_encoder
    from clipsonic.evaluation.audio_files import checksum, find_audio
    from clipsonic.evaluation.embeddings import load_sound_embedding
    from clipsonic.evaluation.mel_fid import MelImageEmbedding
    from clipsonic.interfaces.prepare import choose_encoder

    made, real = find_audio(folder, prompts, note), find_audio(reference, tell=note)
    choices = list(dict.fromkeys(labels))
    if choices and (strangers := sorted({file.label for file in made if file.label} - set(choices))):
        raise UserError(
            f"clips are labelled '{strangers[0]}', which is not among --labels ({'; '.join(choices)}); "
            "put a label with commas in double quotes, or give each with --label"
        )
    ear = load_sound_embedding(embedding, device)
    if score_with is None:
        score_with = NONE if embedding == "vggish" else embedding
    scorer = None if score_with == NONE else load_audio_encoder(score_with).to(device)
    eye = None if images_with == NONE else MelImageEmbedding(choose_encoder(images_with, device))
    viewer = None if scorer is None else _viewer(scorer, made)
    scores = measure(made, real, ear, eye, scorer, choices, viewer)
    page = {
        "folder": str(folder),
        "reference": str(reference),
        "checksum": checksum(made),
        "reference_checksum": checksum(real),
        "clipsonic": __version__,
        **as_page(scores, scorer),
    }
    if out is not None:
        try:
            write_json(out / "audio.json", page)
        except OSError as error:
            raise UserError(f"cannot write to {out}: {error.strerror or error}") from error
    show(page, _table(scores, scorer))
    for name, why in list(scores.skipped.items())[:10]:
        note(f"left out {name}: {why}")
    if len(scores.skipped) > 10:
        note(f"and {len(scores.skipped) - 10} more; --json and --out name them all")
    if out is not None:
        note(str(out / "audio.json"))


def split_labels(words: str | None) -> list[str]:
    """Split labels at commas, except inside double quotes, as in a row of CSV.

    Raises:
        UserError: a quote is not closed.
    """
    try:
        rows = list(csv.reader([words or ""], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise UserError(f"--labels must be labels with commas between them, got {words}: {error}") from error
    return [label.strip() for row in rows for label in row if label.strip()]


def measure(
    made: "Sequence[AudioFile]",
    real: "Sequence[AudioFile]",
    ear: "SoundEmbedding",
    eye: "SoundEmbedding | None",
    scorer: "AudioEncoder | None",
    choices: Sequence[str],
    viewer: "Encoder | None" = None,
) -> Scores:
    """Takes every measure that the files and encoders allow, with a progress bar each.

    Args:
        made: the sounds to measure.
        real: those to compare with; what is heard of them is kept for the next call.
        ear: for the Fréchet audio distance.
        eye: for the FID of mels.
        scorer: for scores against words and labels.
        choices: labels to choose from; those of `made` if empty.
        viewer: sees pictures in the space in which `scorer` hears.
    """
    fad, skipped, notes = _frechet(made, real, ear, "hearing")
    fid = None if eye is None else _frechet(made, real, eye, "seeing")[0]
    named = (("FAD", fad), ("FID of mels", fid))
    notes += [f"{name}: {each.warning}" for name, each in named if each is not None and each.warning]
    clap = agreement = picture = None
    if scorer is None:
        notes.append("no CLAP score and no class agreement: ask with --score-with clap, pe-av or mini")
    else:
        kept = [file for file in made if file.name not in skipped]
        clap, agreement = _against_words(kept, scorer, choices)
        picture = None if viewer is None else _against_pictures(kept, scorer, viewer)
        accuracy = scorer.config.get("held_out_accuracy")
        if accuracy is not None:
            clips = scorer.config.held_out_clips
            notes.append(f"{scorer.id} knows the label of {accuracy:.0%} of {clips} held-out clips")
        if clap is None:
            notes.append("no CLAP score: no clip has a prompt; say them with --prompts")
    return Scores(fad, fid, clap, picture, agreement, skipped, notes)


def _frechet(
    made: "Sequence[AudioFile]", real: "Sequence[AudioFile]", embedding: "SoundEmbedding", doing: str
) -> "tuple[Frechet, dict[str, str], list[str]]":
    from clipsonic.evaluation.audio_files import items_of
    from clipsonic.evaluation.features import features_of
    from clipsonic.evaluation.frechet import measure_frechet
    from clipsonic.files import cache_folder

    with _progress(f"{doing} the reference", len(real)) as on_clip:
        there = features_of(real, embedding, cache_folder() / "features", on_clip)
    with _progress(doing, len(made)) as on_clip:
        here = features_of(made, embedding, None, on_clip)
    for side in (here, there):
        if len(side.clips) < 2 and side.skipped:
            why = next(iter(side.skipped.values()))
            raise UserError(f"{len(side.skipped)} sounds cannot be used, and fewer than two can: {why}")
    reference = {f"reference: {name}": why for name, why in there.skipped.items()}
    items = items_of([file for file in made if file.name not in here.skipped])
    frechet = measure_frechet(here.clips, there.clips, embedding.name, items)
    return frechet, here.skipped | reference, [*here.notes.values(), *there.notes.values()]


def _against_words(
    files: "Sequence[AudioFile]", scorer: "AudioEncoder", choices: Sequence[str]
) -> "tuple[Mean | None, Agreement | None]":
    """CLAP score of the clips with a prompt, class agreement of those with a label."""
    from clipsonic.config import SAMPLE_RATE
    from clipsonic.encoders.base import SOUND_PROMPT
    from clipsonic.evaluation.agreement import measure_agreement
    from clipsonic.evaluation.audio_files import items_of
    from clipsonic.evaluation.bootstrap import bootstrap_mean
    from clipsonic.evaluation.scores import clap_scores

    clap = agreement = None
    if said := [file for file in files if file.prompt]:
        with _progress("scoring", len(said)) as on_clip:
            texts = [str(file.prompt) for file in said]
            scores = clap_scores(scorer, _waves(said), SAMPLE_RATE, texts, on_clip)
        clap = bootstrap_mean(scores, np.array(items_of(said)))
    if labelled := [file for file in files if file.label]:
        truth = [str(file.label) for file in labelled]
        names = list(choices) or sorted(set(truth))
        if len(names) > 1:
            prompts = {name: SOUND_PROMPT.format(name) for name in names}
            with _progress("hearing labels", len(labelled)) as on_clip:
                waves, items = _waves(labelled), items_of(labelled)
                agreement = measure_agreement(scorer, waves, truth, prompts, on_clip, items)
    return clap, agreement


def _viewer(scorer: "AudioEncoder", files: "Sequence[AudioFile]") -> "Encoder | None":
    """Return what sees in the scorer's space, if any does and there is a picture to see; loads it."""
    from clipsonic.encoders.pe_av import PEAVAudioEncoder

    if not isinstance(scorer, PEAVAudioEncoder) or not any(file.picture for file in files):
        return None
    viewer = scorer.pictures()
    try:
        viewer.id  # noqa: B018  # loads
    except UserError as error:
        note(f"no picture-sound score: {error}")
        return None
    return viewer


def _against_pictures(
    files: "Sequence[AudioFile]", scorer: "AudioEncoder", viewer: "Encoder"
) -> "Mean | None":
    """Picture-sound score of the clips with a picture."""
    from clipsonic.config import SAMPLE_RATE
    from clipsonic.data.pictures import open_picture
    from clipsonic.evaluation.audio_files import items_of
    from clipsonic.evaluation.bootstrap import bootstrap_mean
    from clipsonic.evaluation.scores import BATCH, picture_scores

    shown = [file for file in files if file.picture]
    if not shown:
        return None
    scores: list[float] = []
    with _progress("scoring pictures", len(shown)) as on_clip:
        for first in range(0, len(shown), BATCH):  # so that few pictures are in memory at once
            batch = shown[first : first + BATCH]
            pictures = [open_picture(file.picture) for file in batch if file.picture]
            scores += picture_scores(viewer, scorer, pictures, _waves(batch), SAMPLE_RATE).tolist()
            on_clip(len(scores))
    return bootstrap_mean(np.array(scores), np.array(items_of(shown)))


def _waves(files: "Sequence[AudioFile]") -> "list[Float[np.ndarray, 'samples']]":
    from clipsonic.evaluation.audio_files import read_clip

    return [read_clip(file.path).numpy() for file in files]


@contextmanager
def _progress(doing: str, clips: int) -> Iterator[Callable[[int], None]]:
    with bar("clips") as progress:
        task = progress.add_task(doing, total=clips, note="")
        yield lambda done: progress.update(task, completed=done)


def as_page(scores: Scores, scorer: "AudioEncoder | None") -> dict[str, Any]:
    """The numbers as they go into JSON."""
    agreement = None
    if scores.agreement is not None:
        confusion = scores.agreement.confusion.tolist()
        agreement = asdict(scores.agreement) | {
            "confusion": confusion,
            "heard": [*scores.agreement.labels, None],
        }
    clap = None
    if scores.clap is not None and scorer is not None:
        clap = asdict(scores.clap) | {"encoder": scorer.id}
    picture = None
    if scores.picture is not None and scorer is not None:
        picture = asdict(scores.picture) | {"encoder": scorer.id}
    return {
        "frechet_audio_distance": asdict(scores.fad),
        "frechet_mel_distance": None if scores.fid is None else asdict(scores.fid),
        "clap_score": clap,
        "picture_score": picture,
        "class_agreement": agreement,
        "skipped": scores.skipped,
        "notes": scores.notes,
    }


def _table(scores: Scores, scorer: "AudioEncoder | None") -> str:
    lines = [("measure", "value [95 %]", "of", "with")]
    for name, row in (("FAD", scores.fad), ("FID of mels", scores.fid)):
        if row is not None:
            limit = f"{row.infinity:.3f} [{row.infinity_low:.3f}, {row.infinity_high:.3f}]"
            of = f"{row.clips} clips ({row.windows} windows), {row.reference_clips} real ({row.reference_windows})"
            lines += [(name, str(row), of, row.embedding), (f"{name}-infinity", limit, "", "")]
    if scores.clap is not None and scorer is not None:
        lines.append(("CLAP score", str(scores.clap), f"{scores.clap.items} clips", scorer.id))
    if scores.picture is not None and scorer is not None:
        lines.append(("picture-sound score", str(scores.picture), f"{scores.picture.items} clips", scorer.id))
    if (heard := scores.agreement) is not None:
        of = f"{heard.accuracy.items} clips, {len(heard.labels)} labels"
        lines.append(("class agreement", str(heard.accuracy), of, heard.encoder))
        lines += [
            (f"  {label}", str(mean), f"{mean.items} clips", "") for label, mean in heard.by_label.items()
        ]
        if silent := int(heard.confusion[:, -1].sum()):
            lines.append(("  silent, so wrong", "", f"{silent} clips", ""))
    widths = [max(len(line[column]) for line in lines) + 2 for column in range(3)]
    rows = [
        f"{line[0]:<{widths[0]}}{line[1]:<{widths[1]}}{line[2]:<{widths[2]}}{line[3]}".rstrip()
        for line in lines
    ]
    return "\n".join([*rows, *scores.notes])
