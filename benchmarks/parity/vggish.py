"""VGGish beside the port whose weights it loads, PyPI's `torchvggish` 0.2: same weights, same 16 kHz waves.

The network has one size, 72 M parameters. The last ReLU of the reference is taken off, as
`frechet-audio-distance` does with `use_activation=False`, and its resampler, not used at 16 kHz, is stood in for.
"""

import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmarks.parity.table import Row
from benchmarks.parity.weights import noise, seeded
from clipsonic.evaluation.vggish import VGGish, load_vggish, log_mel_windows

FIXTURE = Path(__file__).parents[2] / "tests" / "fixtures" / "vggish.safetensors"
RATE = 16_000
SHORT, LONG = 2.3, 30.0  # seconds: 2 windows, 31 windows
DISTINCT = 16  # different rows of each wide matrix, where weights are drawn cheaply


def wave(seconds: float) -> Tensor:
    """16 kHz: noise, a rising tone, and a stretch of silence."""
    moments = np.arange(round(seconds * RATE)) / RATE
    tone = 0.4 * np.sin(2 * np.pi * (200 + 3000 * moments / seconds) * moments)
    drawn = 0.05 * noise("vggish wave", len(moments)).numpy() + tone
    return torch.from_numpy((drawn * (moments % 1.5 < 1.2)).astype(np.float32))


def weights(full: bool) -> dict[str, Tensor]:
    """Names and shapes of the published file, seeded; unless `full`, the wide matrices repeat 16 rows."""
    with torch.device("meta"):
        shapes = VGGish().state_dict()
    if full:
        return seeded(shapes)
    wide = {name: like for name, like in shapes.items() if like.dim() == 2}
    heads = seeded({name: like[:DISTINCT] for name, like in wide.items()})
    drawn = seeded({name: like for name, like in shapes.items() if name not in wide})
    return drawn | {name: heads[name].repeat(len(like) // DISTINCT, 1) for name, like in wide.items()}


def authors(reference: Path) -> tuple[ModuleType, ModuleType]:
    """The reference's network and front end."""
    sys.path.insert(0, str(reference))
    stand_in = "resampy" not in sys.modules
    try:
        if stand_in:
            sys.modules["resampy"] = MagicMock()
        from torchvggish import torchvggish, vggish_input
    finally:
        sys.path.remove(str(reference))
        if stand_in:
            del sys.modules["resampy"]
    return torchvggish, vggish_input


@torch.no_grad()
def compare(reference: Path, full: bool, keep: bool) -> list[Row]:
    """Front end and network on the same weights and wave => rows; `full` draws every one of the 72 M weights."""
    network, front = authors(reference)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vggish-10086976.pth"
        torch.save(weights(full), path)
        ours = load_vggish(path)
        theirs = network._vgg(postprocess=False).eval()
        theirs.load_state_dict(torch.load(path, weights_only=True))
    theirs.embeddings = nn.Sequential(*list(theirs.embeddings)[:-1])

    sound = wave(LONG)
    examples = front.waveform_to_examples(sound.double().numpy(), RATE).detach()
    start = time.perf_counter()
    windows = log_mel_windows(sound)
    seconds = (time.perf_counter() - start) / len(windows)
    worst = float((windows - examples[:, 0]).abs().max())
    note = f"{len(windows)} windows of {LONG:g} s; natural log; theirs in float64"
    rows = [Row("VGGish, log-mel", 0, worst, seconds, note)]

    expected = theirs(examples)
    start = time.perf_counter()
    rows_out = ours.embed(sound)
    seconds = (time.perf_counter() - start) / len(rows_out)
    worst = float((rows_out - expected).abs().max())
    parameters = sum(weight.numel() for weight in ours.parameters())
    drawn = "every weight drawn" if full else "16 rows of wide matrices drawn"
    note = f"wave to embedding, {len(expected)} windows; {drawn}; numbers up to {float(expected.abs().max()):.2g}"
    rows.append(Row("VGGish", parameters, worst, seconds, note))

    examples = front.waveform_to_examples(wave(SHORT).double().numpy(), RATE).detach()
    if keep:
        save_file({"log_mel": examples[:, 0].contiguous(), "embeddings": theirs(examples)}, FIXTURE)
    return rows
