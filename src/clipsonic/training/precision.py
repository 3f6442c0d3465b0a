"""In which precision a model is trained: bfloat16 only where the hardware computes in it."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Literal

import torch

Precision = Literal["no", "bf16", "fp16"]
# Names of `torch.cpu.get_capabilities()`: x86 with AVX-512 or AMX, and Arm.
CAPABILITIES = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16")
WORDS = {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}


def has_bf16() -> bool:
    """Return whether this machine's GPU, or else its processor, has instructions for bfloat16.

    Others emulate it, ten times slower than float32.
    """
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if torch.accelerator.is_available():
        return False
    found = torch.cpu.get_capabilities()
    return any(bool(found.get(name)) for name in CAPABILITIES)


def precision_of(wanted: Precision | Literal["auto"], out: Path) -> Precision:
    """Return the precision to train in: with "auto" that of the run in `out`, or the best of this machine."""
    if wanted != "auto":
        return wanted
    return recorded(out) or ("bf16" if has_bf16() else "no")


def recorded(out: Path) -> Precision | None:
    """Return the precision that the run in `out` began with, None where there is no run that says so."""
    with suppress(OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        page = json.loads((out / "settings.json").read_bytes())
        found = page.get("precision", page["settings"]["training"]["precision"])
        for known in ("no", "bf16", "fp16"):
            if found == known:
                return known
    return None
