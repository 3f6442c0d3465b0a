"""`clipsonic train prior` and `train bridge`: which pairs, settings, progress."""

from pathlib import Path

from clipsonic.bridges.base import Bridge
from clipsonic.data.pairs import Pairs, captioned_pairs, labelled_pairs, read_captions
from clipsonic.data.shards import read_info
from clipsonic.encoders.base import Encoder
from clipsonic.errors import UserError
from clipsonic.files import LOCK, only_one, whole_folder
from clipsonic.interfaces.prepare import choose_encoder
from clipsonic.interfaces.progress import bar
from clipsonic.interfaces.settings import choose
from clipsonic.interfaces.telling import made
from clipsonic.interfaces.train import announce, run_training
from clipsonic.settings.prior import PRIOR_PRESETS, PriorSettings


def run_prior(
    out: Path,
    data: Path | None,
    captions: Path | None,
    encoder_name: str,
    preset: str,
    changes: list[str],
    dry_run: bool,
) -> None:
    """Trains a diffusion prior, or prints what would be trained."""
    run_prior_recipe(choose(PRIOR_PRESETS, preset, changes), out, data, captions, encoder_name, dry_run)


def run_prior_recipe(
    settings: PriorSettings,
    out: Path,
    data: Path | None,
    captions: Path | None,
    encoder_name: str,
    dry_run: bool = False,
    device: str = "cpu",
) -> bool:
    """Train a diffusion prior; the encoder runs on `device`. Returns what `run_training` does."""
    pairs, held_out, encoder = _pairs(data, captions, encoder_name, out / "embeddings", device)
    announce("prior", settings.training, out, dry_run)

    from clipsonic.training.prior import PriorRecipe

    recipe = PriorRecipe(settings, pairs, held_out, encoder)
    about = f"{len(pairs)} pairs of {len(pairs.texts)} texts, {len(held_out or [])} held out, encoder {encoder.id}"
    return run_training(recipe, out, about, len(pairs), dry_run)


def run_bridge(
    kind: str,
    out: Path,
    data: Path | None,
    captions: Path | None,
    encoder_name: str,
    keys: str = "text",
    count: int | None = None,
    device: str = "cpu",
) -> None:
    """Computes a bridge and saves it.

    Args:
        keys: of retrieval, what is compared: `text` or `image`.
        count: of centres to store in place of all pictures; with image keys.
        device: of the encoder.
    """
    from clipsonic.bridges.load import is_bridge

    out = out.resolve()
    held = {path.name for path in out.iterdir()} - {LOCK} if out.is_dir() else set()
    if out.is_file() or (held and not is_bridge(out)):
        raise UserError(f"{out} holds something else than a bridge; name another folder")
    with only_one(out):
        _run_bridge(kind, out, data, captions, encoder_name, keys, count, device)


def _run_bridge(
    kind: str,
    out: Path,
    data: Path | None,
    captions: Path | None,
    encoder_name: str,
    keys: str,
    count: int | None,
    device: str,
) -> None:
    from clipsonic.bridges.training_free import LinearMap, MeanShift, Retrieval, centres

    fits = {"shift": MeanShift.fit, "linear": LinearMap.fit, "retrieval": Retrieval.fit}
    if kind not in fits:
        raise UserError(f"no bridge '{kind}' to compute; choose one of {', '.join(fits)}")
    if keys not in ("text", "image"):
        raise UserError(f"--keys {keys}: choose text or image")
    by_image = kind == "retrieval" and keys == "image"
    if count is not None and not by_image:
        raise UserError("--centres are of pictures: they need retrieval with --keys image")
    pairs, _, encoder = _pairs(data, captions, encoder_name, out.with_name(f"{out.name}-embeddings"), device)
    image = pairs.images[pairs.links[:, 1]]
    if by_image:
        stored = pairs.images if count is None else centres(pairs.images, count)
        how_many = {} if count is None else {"k": count}  # centres are few: all of them count
        bridge: Bridge = Retrieval.fit(stored, stored, pairs.encoder_id, pictures=True, **how_many)
    else:
        text = encoder.encode_text(pairs.texts).cpu()[pairs.links[:, 0]]
        bridge = fits[kind](text, image, pairs.encoder_id)
    try:
        with whole_folder(out) as folder:
            bridge.save_pretrained(folder, safe_serialization=True)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from error
    page = {"bridge": str(out), "kind": kind, "pairs": len(pairs), "encoder": pairs.encoder_id}
    made(page, f"{out}: {kind} of {len(pairs)} pairs, encoder {pairs.encoder_id}")


def _pairs(
    data: Path | None, captions: Path | None, encoder_name: str, cache: Path, device: str
) -> tuple[Pairs, Pairs | None, Encoder]:
    """Training pairs, held-out pairs if there are, and the encoder of both."""
    if (data is None) == (captions is None):
        raise UserError("name a prepared data set with --data, or captioned pictures with --captions")
    if data is not None:
        from clipsonic.data.dataset import encoder_of

        others = set(read_info(data).splits) - {"train"}
        pairs = labelled_pairs(data, {"train"})
        try:
            held_out = labelled_pairs(data, others) if others else None
        except UserError:  # only the training clips have labels
            held_out = None
        return pairs, held_out, encoder_of(data).to(device)
    assert captions is not None
    listed = read_captions(captions)
    chosen = {held: [each for each in listed if (each.split != "train") == held] for held in (False, True)}
    if not chosen[False]:
        raise UserError(f"{captions} has no pictures of split train")
    encoder = choose_encoder(encoder_name, device)
    with bar("pictures") as progress:
        task = progress.add_task("embedding", total=len(listed), note="")
        first = len(chosen[False])
        pairs = captioned_pairs(
            chosen[False], encoder, cache, lambda done: progress.update(task, completed=done)
        )
        held_out = None
        if chosen[True]:
            held_out = captioned_pairs(
                chosen[True], encoder, cache, lambda done: progress.update(task, completed=first + done)
            )
    return pairs, held_out, encoder
