"""What a reproduction needs, looked for before anything is written or trained; and what it is claimed for."""

from pathlib import Path
from typing import Any

from clipsonic.data.dataset import ClipDataset
from clipsonic.data.pairs import read_captions
from clipsonic.data.shards import read_info
from clipsonic.data.sources import find_videos
from clipsonic.errors import UserError
from clipsonic.evaluation.audio_files import find_audio
from clipsonic.interfaces.engine import check_device
from clipsonic.interfaces.reproduce.steps import Steps
from clipsonic.interfaces.sidecar import fingerprint
from clipsonic.model_folder import WEIGHTS, check_folder, resolve, shipped
from clipsonic.parts import BRIDGES, PARTS
from clipsonic.published import PUBLISHED, require
from clipsonic.vocoder.load import WITHOUT_WEIGHTS, load_vocoder

TRAINING = "train"  # the split that is trained on; all others are held out


def check(steps: Steps) -> None:
    """Everything that can be known to be missing before the first step.

    Raises:
        UserError: the first thing that is.
    """
    preset, brought = steps.preset, steps.brought
    check_device(steps.device)
    labels = _check_data(steps)
    if brought.captions is not None:
        read_captions(brought.captions)
    if brought.vocoder is not None:
        load_vocoder(brought.vocoder)
    if steps.model is not None:
        _check_model(steps, steps.model)
    for wanted in ("vggish", "clap"):
        if wanted in (preset.embedding, preset.audio_encoder):
            require(wanted)
    if preset.prior_published == PUBLISHED["laion-prior"].source:
        require("laion-prior")
    for name, folder in brought.answers.items():
        _check_system(name, folder, labels)


def identity(steps: Steps) -> dict[str, Any]:
    """What a folder is claimed for: settings, and what was brought, by its place and by its contents."""
    brought = steps.brought
    data: dict[str, Any] = {"from": [str(each.resolve()) for each in brought.videos]}
    if brought.data is not None:
        data = {"from": [str(brought.data.resolve())], "shards": read_info(brought.data).shards}
    model = vocoder = None
    if steps.model is not None:
        folder = resolve(steps.model)
        model = {"from": _place(steps.model), "unet_sha256": fingerprint(folder / "unet" / WEIGHTS)}
        vocoder = {"from": "the model", "sha256": _vocoder_fingerprint(folder / "vocoder")}
    if brought.vocoder is not None:
        vocoder = {"from": _place(brought.vocoder), "sha256": _vocoder_fingerprint(Path(brought.vocoder))}
    return {
        "preset": steps.preset.model_dump(mode="json"),
        "data": data,
        "captions": str(brought.captions.resolve()) if brought.captions else None,
        "model": model,
        "vocoder": vocoder,
    }


def _check_data(steps: Steps) -> set[str]:
    """Held-out and training clips with labels => all labels."""
    brought = steps.brought
    if brought.data is None and not brought.videos:
        raise UserError("name a prepared data set, or videos to prepare one from, with --data")
    if brought.data is not None:
        place = str(brought.data)
        clips = [clip.info for _, clip in ClipDataset(brought.data).clips]
        known = {(clip.split, clip.label) for clip in clips}
    else:
        place = str(brought.videos[0])
        known = {(video.split, video.label) for video in find_videos(brought.videos)}
    mend = "prepare it from a CSV with columns 'label' and 'split'"
    if all(split == TRAINING for split, _ in known):
        raise UserError(f"{place} has no held-out clips: all are of split {TRAINING}; {mend}")
    held_out = {label for split, label in known if split != TRAINING and label is not None}
    training = {label for split, label in known if split == TRAINING and label is not None}
    if not held_out:
        raise UserError(f"the held-out clips of {place} have no labels; {mend}")
    if not held_out & training:
        raise UserError(f"{place} has no training clips of the held-out clips' labels; {mend}")
    if brought.data is not None:
        asked = {question.label for question in steps.questions(steps.preset.clips)}
        if len(asked) < 2:
            raise UserError(
                f"all questions about {place} are of the label '{asked.pop()}'; two labels are needed: "
                "hold out clips of another, or ask more with --set clips=..."
            )
    elif len(held_out) < 2:
        raise UserError(f"the held-out clips of {place} have one label; two are needed")
    return held_out | training


def _check_model(steps: Steps, model: str) -> None:
    page = check_folder(resolve(model), PARTS, PARTS.keys() - BRIDGES)
    data = steps.brought.data
    if data is not None and page["encoder_id"] != (stored := read_info(data).encoder_id):
        raise UserError(
            f"{data} was prepared with encoder {stored}, and the model {model} has {page['encoder_id']}"
        )


def _check_system(name: str, folder: Path, labels: set[str]) -> None:
    files = find_audio(folder)
    if len(files) < 2:
        raise UserError(f"--system {name}: {folder} has one sound file; two are needed at least")
    strangers = sorted({file.label for file in files if file.label} - labels)
    if strangers:
        few = ", ".join(sorted(labels)[:20])
        raise UserError(f"--system {name}: label '{strangers[0]}' is not in the data set, which has {few}")


def _place(word: str) -> str:
    """A folder of the user's by its full path, anything else as it is."""
    return str(Path(word).resolve()) if word not in shipped() and Path(word).is_dir() else word


def _vocoder_fingerprint(folder: Path) -> str:
    weights = folder / WEIGHTS
    return fingerprint(weights) if weights.is_file() else WITHOUT_WEIGHTS
