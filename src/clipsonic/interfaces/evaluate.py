"""`clipsonic evaluate`: what is measured, as a table, a JSON file and a picture."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic.errors import UserError
from clipsonic.files import only_one, write_json
from clipsonic.interfaces.engine import check_device
from clipsonic.interfaces.pictures import save_gap
from clipsonic.interfaces.progress import bar
from clipsonic.interfaces.stopping import unbroken
from clipsonic.interfaces.telling import note, show

if TYPE_CHECKING:
    from clipsonic.bridges.base import Bridge


def run_gap(
    model: str,
    data: Path,
    out: Path,
    names: list[str],
    added: list[str],
    splits: list[str],
    noise: float | None,
    seed: int,
    clips: int | None = None,
    device: str = "cpu",
) -> None:
    """Measure every bridge of a model on one random frame of each held-out clip, of at most `clips` clips."""
    check_device(device)
    with only_one(out):
        _run_gap(model, data, out, names, added, splits, noise, seed, clips, device)


def _run_gap(
    model: str,
    data: Path,
    out: Path,
    names: list[str],
    added: list[str],
    splits: list[str],
    noise: float | None,
    seed: int,
    clips: int | None,
    device: str,
) -> None:
    from clipsonic import __version__
    from clipsonic.data.pairs import labelled_pairs
    from clipsonic.data.shards import read_info
    from clipsonic.evaluation.gap import measure_gap, noisy_cosine, one_frame_each
    from clipsonic.pipeline import CLIPSonicPipeline

    info = read_info(data)
    held_out = set(splits) or set(info.splits) - {"train"}
    if not held_out:
        raise UserError(
            f"{data} has no held-out clips: all are of split train; prepare it from a CSV with a column 'split'"
        )
    pipeline = CLIPSonicPipeline.from_pretrained(model)
    if pipeline.encoder.id != info.encoder_id:
        raise UserError(
            f"{data} was prepared with encoder {info.encoder_id}, and {model} has {pipeline.encoder.id}"
        )
    bridges = {name: pipeline.check_bridge(name) for name in names or pipeline.bridges}
    bridges |= _from_elsewhere(added, info.encoder_id)
    bridges = {name: bridge if bridge is None else bridge.to(device) for name, bridge in bridges.items()}
    pairs = one_frame_each(labelled_pairs(data, held_out), clips, seed)
    with bar("embeddings") as progress:
        task = progress.add_task("bridging", total=len(pairs) * len(bridges), note="")
        gap = measure_gap(
            pairs,
            pipeline.encoder.to(device),
            bridges,
            seed,
            lambda done: progress.update(task, completed=done),
        )
    page: dict[str, Any] = {
        "model": model,
        "data": str(data),
        "encoder": pipeline.encoder.id,
        "splits": sorted(held_out),
        "pairs": len(pairs),
        "seed": seed,
        "clipsonic": __version__,
        "bridges": [asdict(row) for row in gap.rows],
    }
    if noise is not None:
        page["condition_noise"] = {"most": noise, "cosine": noisy_cosine(pairs.images, noise)}
    try:
        with unbroken():
            write_json(out / "gap.json", page)
            save_gap(out / "gap.png", gap)
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror or error}") from error
    lines = [f"{'bridge':<18}{'cosine with the true image':<30}{'nearest image is right':<28}spread"]
    lines += [f"{row.bridge:<18}{row.cosine!s:<30}{row.right!s:<28}{row.spread:.3f}" for row in gap.rows]
    if noise is not None:
        cosine = page["condition_noise"]["cosine"]
        lines.append(f"noise {noise:g} on the condition while training: {cosine:.3f}")
    lines.append(
        f"one random frame of each of {len(pairs)} held-out clips; 95 % bootstrap intervals over clips"
    )
    show(page, "\n".join(lines))
    note(f"{out / 'gap.json'}  {out / 'gap.png'}")


def _from_elsewhere(added: list[str], encoder_id: str) -> "dict[str, Bridge | None]":
    """`NAME=FOLDER` => bridges by name."""
    from clipsonic.bridges.load import load_bridge

    bridges: dict[str, Bridge | None] = {}
    for each in added:
        name, equals, source = each.partition("=")
        if not equals or not name or not source:
            raise UserError(f"--with {each}: write it as NAME=FOLDER, such as sd=run/model")
        bridge = load_bridge(source)
        if bridge.config.get("encoder_id") not in (None, encoder_id):
            raise UserError(f"{source} was trained with encoder {bridge.config.encoder_id}, not {encoder_id}")
        bridges[name] = bridge
    return bridges
