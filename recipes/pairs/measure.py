"""What fine-tuning on a few captioned sounds gives: ESC-10 with 5, 20, ... pairs a class, against none.

    python recipes/pairs/measure.py --esc10 RAW/audio/esc10 --out WORK/pairs

The folder holds CLASS/FOLD-ID-TAKE.ogg. Pairs are whole recordings of folds 1-3, each with "a photo of [label]",
the words that the answers are then asked with; 5 pairs are among the 20. A class has 24 recordings there, so 80
pairs a class do not exist: more than there are means all of them. Pieces of a recording would be no more pairs, as
training cuts its crops at random anyway. Fold 4 is heard by no run, and is what answers are compared with.

The shipped mini was trained on folds 1-3 (with pictures), and so was its judge of sounds: from mini, this measures
what words in place of pictures give, not what new sounds do. For that, name another model with --model.

The same command resumes: runs that are finished are not trained again.
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clipsonic.audio import read_audio
from clipsonic.config import SAMPLE_RATE
from clipsonic.encoders.base import PROMPT, SOUND_PROMPT, AudioEncoder
from clipsonic.encoders.load import load_audio_encoder
from clipsonic.errors import UserError
from clipsonic.evaluation.agreement import measure_agreement
from clipsonic.evaluation.embeddings import SoundEmbedding, load_sound_embedding
from clipsonic.evaluation.frechet import measure_frechet
from clipsonic.files import write_json
from clipsonic.interfaces.settings import choose
from clipsonic.model_folder import resolve
from clipsonic.pipeline import CLIPSonicPipeline
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS, SpectrogramSettings
from clipsonic.training.loop import train
from clipsonic.training.pairs import PairsRecipe
from clipsonic.training.starting import settings_of

LABELS = {  # folder of ESC-10 => label, as mini's own where it has one
    "baby_cry": "baby crying",
    "chainsaw": "chainsaw",
    "clock_tick": "clock",
    "dog_bark": "dog",
    "fire_crackling": "fire",
    "helicopter": "helicopter",
    "person_sneeze": "sneezing",
    "rain": "rain",
    "rooster": "rooster",
    "sea_waves": "sea waves",
}
HELD_OUT_FOLD = "4"
Sounds = dict[str, list[Path]]  # label => files


def find_recordings(folder: Path) -> tuple[Sounds, Sounds]:
    """Return the files of folds 1-3, in a fixed random order, and those of fold 4, by label."""
    train_on: Sounds = {}
    held_out: Sounds = {}
    for name, label in LABELS.items():
        files = sorted((folder / name).glob("[1-4]-*"))
        held_out[label] = [file for file in files if file.name.startswith(HELD_OUT_FOLD)]
        others = [file for file in files if not file.name.startswith(HELD_OUT_FOLD)]
        order = np.random.default_rng(0).permutation(len(others))
        train_on[label] = [others[place] for place in order]
        if not train_on[label] or not held_out[label]:
            raise UserError(
                f"{folder / name} must hold FOLD-ID-TAKE files of folds 1-4, got {len(files)} files"
            )
    return train_on, held_out


def write_pairs(path: Path, recordings: Sounds, each: int) -> int:
    """Write a list of at most `each` pairs a class, and return how many it has."""
    rows = [
        (file.resolve(), PROMPT.format(label)) for label, files in recordings.items() for file in files[:each]
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "caption"), *rows])
    return len(rows)


def tuned(settings: SpectrogramSettings, pairs: Path, start: Path, out: Path) -> Path:
    """Fine-tune a model, or resume, and return its folder."""
    for state in train(PairsRecipe(settings, pairs, start, print), out):
        words = ", ".join(f"{name} {value:.4f}" for name, value in state.losses.items())
        print(f"{out.name}: step {state.step} of {settings.training.steps}, {words}", flush=True)
    return out / "model"


def answers(model: Path, clips: int, w: float) -> dict[str, list[NDArray[np.float32]]]:
    """Return `clips` sounds of 4.096 s for each label; the same seeds for every model."""
    pipeline = CLIPSonicPipeline.from_pretrained(model)
    made: dict[str, list[NDArray[np.float32]]] = {}
    for number, label in enumerate(LABELS.values()):
        seeds = [torch.Generator().manual_seed(1000 * number + clip) for clip in range(clips)]
        texts = [PROMPT.format(label)] * clips
        made[label] = list(pipeline(texts, guidance_scale=w, generator=seeds).audios)
    return made


def score(
    sounds: Mapping[str, Sequence[NDArray[np.float32]]],
    held_out: Mapping[str, Sequence[NDArray[np.float32]]] | None,
    judge: AudioEncoder,
    ear: SoundEmbedding,
) -> dict[str, Any]:
    """Return class agreement among the ten labels and, against held-out recordings, the FAD."""
    waves, truth = zip(*((wave, label) for label, each in sounds.items() for wave in each), strict=True)
    agreement = measure_agreement(
        judge, waves, truth, {each: SOUND_PROMPT.format(each) for each in LABELS.values()}
    )
    page: dict[str, Any] = {
        "clips": len(waves),
        "agreement": asdict(agreement.accuracy),
        "judge": agreement.encoder,
    }
    page["by_label"] = {label: mean.value for label, mean in agreement.by_label.items()}
    page["cells"] = [str(agreement.accuracy), "-"]
    if held_out is not None:
        both = ([*waves], [wave for each in held_out.values() for wave in each])
        made, real = ([ear.windows(torch.from_numpy(wave), SAMPLE_RATE) for wave in side] for side in both)
        fad = measure_frechet(made, real, ear.name)
        page |= {"fad": asdict(fad)}
        page["cells"][1] = str(fad)
    return page


def read(recordings: Sounds) -> dict[str, list[NDArray[np.float32]]]:
    """Load recordings, by label."""
    found = defaultdict(list)
    for label, files in recordings.items():
        found[label] = [read_audio(file).numpy() for file in files]
    return found


def main() -> None:
    """Fine-tune, ask and score, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--esc10", type=Path, required=True, help="folder of CLASS/FOLD-ID-TAKE files")
    parser.add_argument("--out", type=Path, required=True, help="folder of lists, runs and results.json")
    parser.add_argument("--model", default="mini", help="what is fine-tuned (mini)")
    parser.add_argument(
        "--preset", default="mini", help="of the settings that the model does not tell (mini)"
    )
    parser.add_argument("--pairs", type=int, nargs="+", default=[0, 5, 20, 80], help="a class (0 5 20 80)")
    parser.add_argument(
        "--steps", type=int, default=200, help="of fine-tuning, for every number of pairs (200)"
    )
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="of fine-tuning (1e-4)")
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], help="another setting; may be repeated"
    )
    parser.add_argument("--clips", type=int, default=8, help="answers a class (8)")
    parser.add_argument("--guidance-scale", type=float, default=1.5, help="of the answers (1.5)")
    parser.add_argument(
        "--embedding", default="mini", help="of the FAD: vggish, clap, mini or a folder (mini)"
    )
    parser.add_argument(
        "--score-with", default="mini", help="the judge of classes: clap, mini or a folder (mini)"
    )
    options = parser.parse_args()

    changes = [f"training.steps={options.steps}", f"training.learning_rate={options.learning_rate}"]
    start = resolve(options.model)
    like = settings_of(start, SPECTROGRAM_PRESETS[options.preset], condition=True)
    settings = choose({options.preset: like}, options.preset, [*changes, *options.changes])
    judge, ear = load_audio_encoder(options.score_with), load_sound_embedding(options.embedding)
    recordings, others = find_recordings(options.esc10)
    held_out = read(others)
    most = max(map(len, recordings.values()))

    print(
        "| pairs a class | pairs | class agreement | FAD to fold 4 |",
        "|---|---|---|---|",
        sep="\n",
        flush=True,
    )
    page: dict[str, Any] = {"model": options.model, "settings": settings.model_dump(mode="json"), "rows": {}}

    def add(name: str, pairs: int, found: dict[str, Any]) -> None:
        print(f"| {name} | {pairs} | {' | '.join(found.pop('cells'))} |", flush=True)
        page["rows"][name] = {"pairs": pairs, **found}
        write_json(options.out / "results.json", page)

    options.out.mkdir(parents=True, exist_ok=True)
    add("recordings of fold 4", 0, score(held_out, None, judge, ear))
    add("recordings of folds 1-3", 0, score(read(recordings), held_out, judge, ear))
    for each in sorted({min(each, most) for each in options.pairs}):
        folder, pairs = start, 0
        if each:
            path = options.out / f"{each}.csv"
            pairs = write_pairs(path, recordings, each)
            folder = tuned(settings, path, start, options.out / f"{each}-a-class")
        name = f"{each} (all there are)" if each == most else str(each)
        made = answers(folder, options.clips, options.guidance_scale)
        add(name, pairs, score(made, held_out, judge, ear))


if __name__ == "__main__":
    main()
