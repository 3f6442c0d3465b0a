"""What a reproduction needs, looked for before anything is written or trained; and what it is claimed for."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from clipsonic.bridges.load import load_bridge
from clipsonic.data.catalogues import read_imagehear
from clipsonic.data.dataset import ClipDataset
from clipsonic.data.pairs import read_captions
from clipsonic.data.shards import read_info
from clipsonic.data.sources import find_videos
from clipsonic.encoders.load import AUDIO_KINDS, KINDS
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
    """Check everything that was brought, before any work.

    Raises:
        UserError: the first thing that is wrong or does not fit.
    """
    brought = steps.brought
    check_device(steps.device)
    labels = _check_data(steps) if brought.data is not None or brought.videos else None
    if brought.captions is not None:
        read_captions(brought.captions)
    if brought.vocoder is not None:
        load_vocoder(brought.vocoder)
    if steps.model is not None:
        _check_model(steps, Path(resolve(steps.model)), "image")
    for name, folder in brought.trained.items():
        _check_part(steps, name, folder)
    if brought.imagehear is not None:
        read_imagehear(brought.imagehear)
    for name, folder in brought.answers.items():
        _check_system(name, folder, labels)


def missing(steps: Steps) -> list[str]:
    """Return what has to be here before the first step and is not, with the way to get it."""
    preset, brought = steps.preset, steps.brought
    found = []
    if brought.data is None and not brought.videos:
        found.append("name a prepared data set, or videos to prepare one from, with --data")
    wanted: list[str] = [
        name for name in ("vggish", "clap") if name in (preset.embedding, preset.audio_encoder)
    ]
    if preset.encoder == PUBLISHED["clip"].source and brought.data is None:
        wanted.append("clip")
    if preset.prior_published == PUBLISHED["laion-prior"].source and "pd" not in brought.trained:
        wanted.append("laion-prior")
    for name in wanted:
        try:
            require(name)
        except UserError as error:
            found.append(str(error))
    if preset.vocoder_data == "VGGSound" and steps.vocoder_source is None:
        found.append(
            "the paper trains one vocoder, on VGGSound, for both data sets: name its folder with --vocoder, "
            "such as vggsound-work/vocoder/model, or train one on this data set with --set vocoder_data=own"
        )
    return found


def differences(steps: Steps) -> list[str]:
    """Return how the data differ from the paper's, where that is known."""
    data, labels = steps.brought.data, steps.preset.labels
    if data is None or labels is None or (here := len(read_info(data).labels)) == labels:
        return []
    return [f"{data} has {here} labels; the data set of the paper has {labels}"]


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
    trained = {
        name: {"from": str(folder), "sha256": fingerprint(_weights(folder))}
        for name, folder in brought.trained.items()
    }
    return {
        "preset": steps.preset.model_dump(mode="json"),
        "data": data,
        "captions": str(brought.captions.resolve()) if brought.captions else None,
        "model": model,
        "vocoder": vocoder,
        "trained": trained,
        "imagehear": str(brought.imagehear.resolve()) if brought.imagehear else None,
    }


def _check_data(steps: Steps) -> set[str]:
    """Held-out and training clips with labels => all labels."""
    brought = steps.brought
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


def _check_model(steps: Steps, folder: Path, condition: str, encoders: Collection[str] = KINDS) -> None:
    """Check that a model was trained with this condition and, where `encoders` see pictures, as the data were.

    Raises:
        UserError: it was not, or is no model.
    """
    page = check_folder(folder, PARTS, PARTS.keys() - BRIDGES)
    if (trained_on := page.get("condition", "image")) != condition:
        raise UserError(f"the model {folder} must be trained with condition={condition}, got {trained_on}")
    if (kind := page["encoder"][1]) not in encoders:
        raise UserError(f"the encoder of {folder} must be one of {', '.join(sorted(encoders))}, got {kind}")
    data = steps.brought.data
    if data is None or kind not in KINDS:
        return
    if page["encoder_id"] != (stored := read_info(data).encoder_id):
        raise UserError(
            f"{data} was prepared with encoder {stored}, and the model {folder} has {page['encoder_id']}"
        )


def _check_part(steps: Steps, name: str, folder: Path) -> None:
    """Check a model or prior that was trained elsewhere."""
    if name in ("clip-words", "clap-words"):
        _check_model(steps, folder, "text", KINDS if name == "clip-words" else AUDIO_KINDS)
        return
    made_with = load_bridge(str(folder)).config.get("encoder_id")
    data = steps.brought.data
    if data is not None and made_with not in (None, stored := read_info(data).encoder_id):
        raise UserError(f"--trained {name}: {folder} must be trained with encoder {stored}, got {made_with}")


def _weights(folder: Path) -> Path:
    """Return the file that tells a model or prior from others."""
    unet = folder / "unet" / WEIGHTS
    return unet if unet.is_file() else folder / WEIGHTS


def _check_system(name: str, folder: Path, labels: set[str] | None) -> None:
    files = find_audio(folder)
    if len(files) < 2:
        raise UserError(f"--system {name}: {folder} has one sound file; two are needed at least")
    if labels is None:  # there are no data yet to compare with
        return
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
