"""`clipsonic evaluate reconstruction`: vocoders beside Griffin-Lim, as a table, JSON and examples."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from clipsonic.errors import UserError
from clipsonic.files import only_one, write_json
from clipsonic.interfaces.engine import check_device
from clipsonic.interfaces.progress import bar
from clipsonic.interfaces.stopping import unbroken
from clipsonic.interfaces.telling import note, show

if TYPE_CHECKING:
    from clipsonic.evaluation.reconstruction import Reconstruction

SHOWN = 4  # recordings to hear and see
NONE = "none"


def run(
    data: list[Path],
    vocoders: list[str],
    out: Path,
    embedding: str,
    score_with: str | None,
    device: str = "cpu",
) -> None:
    """Measures, prints and writes; what is missing is told before anything is heard."""
    check_device(device)
    with only_one(out):
        _run(data, vocoders, out, embedding, score_with, device)


def _run(
    data: list[Path],
    vocoders: list[str],
    out: Path,
    embedding: str,
    score_with: str | None,
    device: str,
) -> None:
    import numpy as np

    from clipsonic import __version__
    from clipsonic.audio import log_mel
    from clipsonic.config import SAMPLE_RATE
    from clipsonic.data.waves import Waves
    from clipsonic.encoders.base import SOUND_PROMPT
    from clipsonic.encoders.load import load_audio_encoder
    from clipsonic.evaluation.embeddings import load_sound_embedding
    from clipsonic.evaluation.reconstruction import again, long_enough, measure_reconstruction
    from clipsonic.interfaces.writing import write_clip
    from clipsonic.model_folder import resolve
    from clipsonic.vocoder.load import WITHOUT_WEIGHTS, load_vocoder

    names = vocoders or [str(resolve("mini") / "vocoder")]
    made = {WITHOUT_WEIGHTS: load_vocoder(WITHOUT_WEIGHTS)} | {
        (name if vocoders else "mini"): load_vocoder(name) for name in names
    }
    made = {name: each.to(device) for name, each in made.items()}
    ear = None if embedding == NONE else load_sound_embedding(embedding, device)
    if score_with is None:
        score_with = embedding if embedding in ("clap", "mini") else NONE
    scorer = None if score_with == NONE else load_audio_encoder(score_with).to(device)
    waves = Waves(data, held_out=True, crop=SAMPLE_RATE)
    recordings = []
    for number, label in enumerate(waves.labels):
        try:
            wave = waves.wave(number)
        except UserError as error:
            note(f"left out {error}")
            continue
        for line in waves.take_notes().values():
            note(line)
        if long_enough(wave):
            recordings.append((wave, SOUND_PROMPT.format(label) if label else None))
    if len(recordings) < 2:
        raise UserError("two held-out recordings of 0.1 s are needed, or more")
    with bar("recordings") as progress:
        task = progress.add_task("through mel and vocoder", total=len(recordings), note="")
        rows = measure_reconstruction(
            made, recordings, ear, scorer, lambda done: progress.update(task, completed=done)
        )
    page = {
        "data": [str(each) for each in data],
        "recordings": len(recordings),
        "clipsonic": __version__,
        "score_with": scorer.id if scorer else None,
        "vocoders": [asdict(row) for row in rows],
    }
    try:
        write_json(out / "reconstruction.json", page)
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror or error}") from error
    for number in np.linspace(0, len(recordings) - 1, SHOWN).round().astype(int):
        wave = recordings[number][0]
        for place, (name, sound, _) in enumerate(again(made, wave)):
            stem = f"{number:04d}-{place}-{Path(name).name}"
            with unbroken():
                write_clip(
                    out / f"{stem}.wav", sound.numpy(), log_mel(sound[None])[0].numpy(), {"query": stem}
                )
    show(page, _table(rows, len(recordings)))
    note(str(out / "reconstruction.json"))


def _table(rows: "Sequence[Reconstruction]", recordings: int) -> str:
    lines = [
        f"{'vocoder':<24}{'mel L1':<24}{'MR-STFT distance':<24}{'FAD':<24}{'CLAP score':<24}times real time"
    ]
    for row in rows:
        fad = str(row.frechet) if row.frechet else "-"
        score = str(row.score) if row.score else "-"
        lines.append(
            f"{row.vocoder[-23:]:<24}{row.mel!s:<24}{row.stft!s:<24}{fad:<24}{score:<24}{row.times_real_time:.1f}"
        )
    for row in rows[1:]:
        lines.append(
            f"{row.vocoder[-23:]} less than {rows[0].vocoder}: mel L1 {row.mel_less}, MR-STFT {row.stft_less}"
        )
    lines.append(f"{recordings} held-out recordings; 95 % intervals over recordings")
    if rows[0].frechet is not None:
        lines.append(f"FAD over {rows[0].frechet.embedding}")
        lines += [rows[0].frechet.warning] if rows[0].frechet.warning else []
    return "\n".join(lines)
