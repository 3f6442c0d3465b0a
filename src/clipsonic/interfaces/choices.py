"""What the shell offers after an option: words that name something here, without importing what they name.

The tables themselves import torch; a test compares these with them.
"""

import os
from collections.abc import Callable
from pathlib import Path

from clipsonic.files import user_cache

BRIDGES = ("zs", "pd", "sd", "shift", "linear", "retrieval")
SCHEDULERS = ("ddpm", "ddim", "dpm++", "unipc")
PRECISIONS = ("float32", "bfloat16")
BACKENDS = ("torch", "openvino")
DEVICES = ("cpu", "cuda", "mps")
FRAMES = ("follow", "mean")
FORMATS = ("wav", "flac", "ogg")
EARS = ("vggish", "clap", "pe-av", "mini")
SCORERS = ("clap", "pe-av", "mini", "none")
EYES = ("mini", "none")
FITTED = ("shift", "linear", "retrieval")
KEYS = ("text", "image")
SHELLS = ("bash", "zsh", "fish")
SPECTROGRAMS = ("paper", "mini")
VOCODERS = ("paper-large", "paper-base", "mini")
AUDIO_ENCODERS = ("mini",)
PRIORS = ("paper", "mini")
REPRODUCTIONS = ("mini", "music", "vggsound")

Offer = Callable[[str], list[str]]


def among(words: tuple[str, ...]) -> Offer:
    """Offers those of the words that begin as what was typed; where none does, the shell offers files."""

    def offer(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return offer


def models(incomplete: str) -> list[str]:
    """Offers the models in the package, and those in the hub's cache."""
    from clipsonic.model_folder import shipped

    found = [
        *shipped(),
        *(_hub_id(index) for index in _hub_cache().glob("models--*/snapshots/*/model_index.json")),
    ]
    return sorted({name for name in found if name.startswith(incomplete)})


def published(incomplete: str) -> list[str]:
    """Offers the names of `clipsonic models`."""
    from clipsonic.published import PUBLISHED

    return [name for name in PUBLISHED if name.startswith(incomplete)]


def _hub_cache() -> Path:
    home = os.environ.get("HF_HOME") or (user_cache() or Path("/")) / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def _hub_id(index: Path) -> str:
    return index.parents[2].name.removeprefix("models--").replace("--", "/")
