"""Class agreement: does a clip that should be a dog sound like one, to an encoder that knows all the labels?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipsonic.audio import EDGE, log_mel
from clipsonic.config import SAMPLE_RATE
from clipsonic.encoders.base import AudioEncoder
from clipsonic.evaluation.bootstrap import Mean, bootstrap_mean
from clipsonic.evaluation.embeddings import cut

SILENT = -6.0  # log-mel; what has no louder band at any time is silent
WINDOW_SECONDS, HOP_SECONDS = 2.048, 1.024
SCALE = (
    1 / 0.07
)  # of the cosines, as training of CLIP and CLAP starts; only the mean over windows depends on it


@dataclass(frozen=True)
class Agreement:
    """How often the label that is heard is the one that was asked for."""

    accuracy: Mean
    by_label: dict[str, Mean]
    labels: list[str]  # that the encoder chose from
    confusion: Int[
        np.ndarray, "labels labels_and_silence"
    ]  # asked for, heard; the last column counts silent clips
    encoder: str  # its id


def measure_agreement(
    encoder: AudioEncoder,
    waves: Sequence[Float[np.ndarray, "samples"]],
    truth: Sequence[str],
    prompts: Mapping[str, str],
    on_clip: Callable[[int], None] = lambda done: None,
    items: Sequence[int] | None = None,
) -> Agreement:
    """Hears each clip among all labels. A silent clip is wrong, whatever the encoder says.

    Args:
        encoder: the judge; what it hears in real recordings bounds what its verdicts are worth.
        waves: 16 kHz, mono, in [-1, 1].
        truth: the label of each.
        prompts: label => the words for it; all labels to choose from.
        on_clip: called with the number of clips heard.
        items: what each clip is of, where several are of one thing; else all are independent.
    """
    labels = list(prompts)
    asked = np.array([labels.index(label) for label in truth])
    said = encoder.encode_text(list(prompts.values())).cpu()
    heard = np.full(len(asked), len(labels))
    for number, wave in enumerate(waves):
        shares = label_shares(encoder, wave, said)
        if shares is not None:
            heard[number] = int(shares.argmax())
        on_clip(number + 1)
    confusion = np.zeros((len(labels), len(labels) + 1), dtype=np.int64)
    np.add.at(confusion, (asked, heard), 1)
    right, clips = (
        (asked == heard).astype(np.float64),
        np.arange(len(asked)) if items is None else np.array(items),
    )
    by_label = {
        label: bootstrap_mean(right[asked == row], clips[asked == row])
        for row, label in enumerate(labels)
        if (asked == row).any()
    }
    return Agreement(bootstrap_mean(right, clips), by_label, labels, confusion, encoder.id)


def label_shares(
    encoder: AudioEncoder, wave: Float[np.ndarray, "samples"], labels: Float[Tensor, "labels d"]
) -> Float[Tensor, "labels"] | None:
    """16 kHz wave, embedded labels => their probabilities, the mean over windows; None if nothing is to be heard.

    Silent windows of a clip say nothing, and are left out.
    """
    pieces = cut(wave, SAMPLE_RATE, WINDOW_SECONDS, HOP_SECONDS)
    pieces.append(wave[-len(pieces[0]) :])  # the end as well: a bark may come late
    audible = [piece for piece in pieces if not is_silent(torch.from_numpy(piece))]
    if not audible:
        return None
    cosines = encoder.encode_audio(audible, SAMPLE_RATE).cpu() @ labels.T
    return (SCALE * cosines).softmax(dim=1).mean(0)


def is_silent(wave: Float[Tensor, "samples"]) -> bool:
    """Whether no band of a 16 kHz wave's mel ever passes -6: 80 dB below the loudest there is."""
    filled = torch.nn.functional.pad(wave, (0, max(0, EDGE + 1 - len(wave))))
    return bool(log_mel(filled[None]).amax() <= SILENT)
