"""`clipsonic prepare`: which encoder, the progress, what was skipped."""

import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from clipsonic.data.prepare import prepare
from clipsonic.data.readers import read_all
from clipsonic.data.remote import url_of
from clipsonic.data.shards import read_info
from clipsonic.data.sources import find_videos
from clipsonic.encoders.base import Encoder
from clipsonic.errors import UserError
from clipsonic.interfaces.clustered import reader_of
from clipsonic.interfaces.engine import check_device
from clipsonic.interfaces.progress import bar
from clipsonic.interfaces.telling import made, manner, note


def run(
    sources: list[Path],
    out: Path,
    encoder_name: str,
    clip_seconds: float,
    workers: int | None,
    ray: str | None = None,
    device: str = "cpu",
) -> None:
    """Prepares, shows progress, and says at the end what the data set holds."""
    if not 2.048 <= clip_seconds <= 600:
        raise UserError(f"clips of {clip_seconds} s; they go from 2.048 to 600 s")
    if workers is not None and workers < 1:
        raise UserError(f"{workers} reader processes; at least one is needed")
    if url_of(out) is not None:
        raise UserError(f"{url_of(out)} cannot be written to; name a folder, and copy it there afterwards")
    check_device(device)
    videos = find_videos(sources, note)
    encoder = choose_encoder(encoder_name, device)
    began, seconds_before = time.monotonic(), None
    with bar("videos") as progress:
        task = progress.add_task("preparing", total=len(videos), note="")
        read = read_all if ray is None else reader_of(ray)
        with closing(prepare(videos, out, encoder, clip_seconds, workers, read=read, tell=note)) as work:
            for done in work:
                if seconds_before is None:
                    seconds_before = done.seconds
                pace = (done.seconds - seconds_before) / (time.monotonic() - began)
                words = f"{done.clips} clips, {done.skipped} skipped, {pace:.0f} x real time"
                progress.update(task, completed=done.done, note=words)
        progress.update(task, completed=len(videos))
    info = read_info(out)
    page = {"data": str(out), "clips": info.clips, "seconds": info.seconds, "skipped": info.skipped}
    made(
        page,
        f"{out}: {info.clips} clips, {info.seconds / 60:.1f} minutes, {len(info.skipped)} videos skipped",
    )
    if not manner.as_json:
        _tell_skipped(info.skipped, out)
    if info.clips == 0:
        raise UserError(f"no video gave a clip; the reasons are in {out / 'dataset.json'}")


def _tell_skipped(skipped: Mapping[str, str], out: Path) -> None:
    for video, why in list(skipped.items())[:10]:
        note(f"  skipped {video}: {why}")
    if len(skipped) > 10:
        note(f"  ... all of them with reasons in {out / 'dataset.json'}")


def choose_encoder(name: str, device: str = "cpu") -> Encoder:
    """Load the encoder of `mini`, a model or encoder folder, or the hub id or folder of a published one."""
    return _encoder(name).to(device)


def _encoder(name: str) -> Encoder:
    from clipsonic.encoders.load import KINDS, load_encoder, published_encoder
    from clipsonic.model_folder import is_hub_id, shipped

    if name in shipped() or (Path(name) / "model_index.json").exists():
        from clipsonic.pipeline import CLIPSonicPipeline

        encoder = CLIPSonicPipeline.from_pretrained(name).encoder
        if not isinstance(encoder, Encoder):
            raise UserError(f"the model {name} has the encoder {encoder.id}, which knows no pictures")
        return encoder
    config = Path(name) / "config.json"
    if config.exists() and any(f'"{kind}"' in config.read_text() for kind in KINDS):
        return load_encoder(Path(name))
    if not config.exists() and not is_hub_id(name):
        raise UserError(
            f"no encoder '{name}': name a model, the folder of an encoder, or a CLIP or PE-AV of the hub"
        )
    return published_encoder(name)
