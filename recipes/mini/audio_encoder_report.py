"""What the small language-audio encoder hears in held-out recordings.

    python recipes/mini/audio_encoder_report.py --data WORK/data --encoder WORK/audio_encoder/model

Prints the share of clips whose label it finds among all labels, for whole clips and for short windows, with 95 %
intervals over recordings (clips of one recording are not independent); the confusions; and what it does with words
that it was not trained on.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from encoder_report import WORDS

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.dataset import ClipDataset
from clipsonic.encoders.base import SOUND_PROMPT, AudioEncoder
from clipsonic.encoders.load import load_audio_encoder
from clipsonic.evaluation.bootstrap import bootstrap_mean

WINDOWS = (1.024, 2.048, 4.096)  # seconds
SILENCE = 1e-3  # root mean square; quieter windows are left out


def recording(source: str) -> str:
    """videos/dog/esc10-dog_bark-4-182395-A-v0.mp4 => esc10-dog_bark-4-182395: takes and pieces are one."""
    name = re.sub(r"-v\d+$", "", Path(source).stem)
    return re.sub(r"-[A-Z]$" if name.startswith("esc10") else r"-\d+$", "", name)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--encoder", default="mini")
    options = arguments.parse_args()
    encoder = load_audio_encoder(options.encoder)
    test = ClipDataset(options.data, {"test"})
    labels = sorted(test.info.labels)
    truth = np.array([labels.index(clip.info.label or "") for _, clip in test.clips])
    names = [recording(clip.info.source) for _, clip in test.clips]
    items = np.array([sorted(set(names)).index(name) for name in names])
    waves = [test.wave(number).astype(np.float32) / np.float32(32768) for number in range(len(test))]
    texts = encoder.encode_text([SOUND_PROMPT.format(label) for label in labels])
    print(f"{encoder.id}, {len(waves)} clips of {len(set(names))} recordings, {dict(encoder.config)}")

    sounds = encoder.encode_audio(waves, SAMPLE_RATE)
    said = (sounds @ texts.T).argmax(1).numpy()
    print(f"whole clips: {bootstrap_mean((said == truth).astype(float), items)}")
    for seconds in WINDOWS:
        by_windows(encoder, waves, texts, truth, items, seconds)
    print("rows: truth, columns: heard")
    for row, label in enumerate(labels):
        counts = np.bincount(said[truth == row], minlength=len(labels))
        print(f"{label:<12}" + " ".join(f"{count:>3}" for count in counts))
    found: list[bool] = []
    for row, label in enumerate(labels):
        words = WORDS.get(label, ())
        heard = (encoder.encode_text(words) @ texts.T).argmax(1).tolist()
        found += [each == row for each in heard]
        wrong = [f"{word} => {labels[each]}" for word, each in zip(words, heard, strict=True) if each != row]
        if wrong:
            print("; ".join(wrong))
    print(f"synonyms nearest to their label: {sum(found)} of {len(found)}")


def by_windows(
    encoder: AudioEncoder,
    waves: Sequence[np.ndarray],
    texts: torch.Tensor,
    truth: np.ndarray,
    items: np.ndarray,
    seconds: float,
) -> None:
    """Accuracy of single windows, and of clips by their windows' mean probability."""
    size = round(seconds * SAMPLE_RATE)
    right, of, clips = [], [], []
    for number, wave in enumerate(waves):
        pieces = [wave[at : at + size] for at in range(0, len(wave) - size + 1, size)]
        pieces = [piece for piece in pieces if np.sqrt(np.mean(piece**2)) > SILENCE]
        if not pieces:
            clips.append(False)
            continue
        cosines = encoder.encode_audio(pieces, SAMPLE_RATE) @ texts.T
        right += (cosines.argmax(1).numpy() == truth[number]).tolist()
        of += [items[number]] * len(pieces)
        clips.append(bool((cosines / 0.07).softmax(1).mean(0).argmax() == truth[number]))
    single = bootstrap_mean(np.array(right, dtype=float), np.array(of))
    together = bootstrap_mean(np.array(clips, dtype=float), items)
    print(f"windows of {seconds} s: each {single}; clips by their mean {together}")


if __name__ == "__main__":
    main()
