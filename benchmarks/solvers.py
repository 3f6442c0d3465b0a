"""How many steps are enough: python -m benchmarks.solvers [--model mini] [--clips 16] [--guidance-scale 1.5].

Deterministic solvers all lead from one noise to one mel if they take enough steps. How far a few steps end from
there is told beside how far two seeds end from each other, 1 = no nearer than another clip.
"""

import argparse
import itertools
import statistics
import time
from typing import Any

import torch
from torch import Tensor

from clipsonic.config import N_MELS
from clipsonic.diffusion.sampling import denoiser, guided, sample, solver
from clipsonic.pipeline import CLIPSonicPipeline

FRAMES = 128
GRIDS: dict[str, dict[str, Any]] = {  # of DPM-Solver++ 2M, besides its even steps in time
    "even in time": {},
    "3M": {"solver_order": 3},
    "Heun": {"solver_type": "heun"},
}


def main() -> None:
    """Asks for clips of the model's own labels with every solver and number of steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="mini")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--steps", type=int, nargs="+", default=[6, 8, 10, 12, 15, 20, 30])
    parser.add_argument("--converged", type=int, default=250, help="steps of the solution to come near to")
    parser.add_argument("--guidance-scale", type=float, default=1.5)
    parser.add_argument("--prompts", nargs="+", default=["a dog", "rain", "a helicopter", "a clock"])
    asked = parser.parse_args()
    pipeline = CLIPSonicPipeline.from_pretrained(asked.model)
    prompts = list(itertools.islice(itertools.cycle(asked.prompts), asked.clips))
    embedding = pipeline.embed([f"a photo of {each}" for each in prompts])
    trained = pipeline.scheduler.config.num_train_timesteps
    denoise = guided(denoiser(pipeline.unet, trained), embedding, asked.guidance_scale)

    def mels(scheduler: Any, steps: int) -> Tensor:
        generators = [torch.Generator().manual_seed(seed) for seed in range(asked.clips)]
        return sample(denoise, scheduler, (1, N_MELS, FRAMES), steps, generators)[:, 0]

    best = mels(solver("dpm++", pipeline.scheduler), asked.converged)
    apart = statistics.mean(
        float((best[one] - best[other]).abs().mean())
        for one, other in itertools.combinations(range(asked.clips), 2)
        if prompts[one] == prompts[other]
    )
    print(f"distance between seeds of a prompt: {apart:.4f} of the model's range of 2", flush=True)
    schedulers = {name: solver(name, pipeline.scheduler) for name in ("ddim", "unipc")}
    base = solver("dpm++", pipeline.scheduler)
    schedulers |= {
        f"dpm++ {name}": type(base).from_config(base.config, **grid) for name, grid in GRIDS.items()
    }
    print("| solver | " + " | ".join(f"{steps} steps" for steps in asked.steps) + " |")
    print("|---" * (len(asked.steps) + 1) + "|")
    for name, scheduler in schedulers.items():
        cells = []
        began = time.perf_counter()
        for steps in asked.steps:
            error = float((mels(scheduler, steps) - best).abs().mean())
            cells.append(f"{error / apart:.3f}")
        print(f"| {name} | {' | '.join(cells)} |", f"  {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
