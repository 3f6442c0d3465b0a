"""Mel => ten seconds of sound: BigVGAN beside its authors' package, and the vocoder that mini ships."""

import contextlib
import io
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.parity.bigvgan import CONFIGS, mels, published_weights, save_published
from benchmarks.speed.timing import Row, row
from clipsonic.config import HOP_LENGTH, SAMPLE_RATE
from clipsonic.model_folder import SHIPPED
from clipsonic.vocoder.convert import convert
from clipsonic.vocoder.load import load_vocoder
from clipsonic.vocoder.streaming import vocode

PRESET = "paper-base"
FRAMES = -(-10 * SAMPLE_RATE // HOP_LENGTH)  # 10 s, and the rest of the last frame


@torch.no_grad()
def measure(runs: int, peers: Path | None) -> list[Row]:
    """The same weights in both; the package's weight norm is folded, as its authors do before they use it."""
    config = CONFIGS[PRESET]
    weights, mel = published_weights(config), mels(config, FRAMES)[:1]
    with tempfile.TemporaryDirectory() as folder:
        save_published(Path(folder), config, weights)
        generator = convert(folder).eval()
    theirs = _theirs(peers, config, weights, mel)
    mini = load_vocoder(str(SHIPPED / "mini" / "vocoder"))
    quality = ""
    if theirs is not None:
        quality = f"largest difference {float((vocode(generator, mel) - theirs()).abs().max()):.1g}"
    sound = f"10 s of sound, {FRAMES} frames"
    return [
        row(
            f"BigVGAN {PRESET}: {sound}",
            "bigvgan 2.4.1",
            lambda: vocode(generator, mel),
            theirs,
            runs,
            "1.8 x",
            quality,
        ),
        row(f"vocoder of mini: {sound}", "", lambda: vocode(mini, mel), None, runs, ""),
    ]


def _theirs(
    peers: Path | None, config: Mapping[str, Any], weights: Mapping[str, Tensor], mel: Tensor
) -> Callable[[], Tensor] | None:
    """The package's way; None where it is absent."""
    if peers is None or not (peers / "bigvgan").is_dir():
        return None
    sys.path.insert(0, str(peers))
    try:
        from bigvgan.bigvgan import BigVGAN
        from bigvgan.env import AttrDict
    finally:
        sys.path.remove(str(peers))
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # torch's own, of weight norm
        network = BigVGAN(AttrDict(config)).eval()
        network.load_state_dict(weights)
        network.remove_weight_norm()

    @torch.no_grad()
    def vocoded() -> Tensor:
        wave: Tensor = network(mel)[:, 0]
        return wave

    return vocoded
