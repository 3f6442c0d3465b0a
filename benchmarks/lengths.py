"""What a second of sound costs: python -m benchmarks.lengths [4.096 60 600] [--model mini] [--steps N].

A process each, with the model loaded and asked once before: seconds of work per second of sound, and the most
memory that the process ever took.
"""

import argparse
import resource
import subprocess
import sys
import time

LENGTHS = [4.096, 60.0, 600.0]


def measure(model: str, seconds: float, steps: int | None) -> str:
    """Makes a sound in this process => the row of it."""
    import torch

    from clipsonic import CLIPSonicPipeline

    pipeline = CLIPSonicPipeline.from_pretrained(model)
    pipeline("a photo of a dog", num_inference_steps=1)
    before = time.perf_counter()
    pipeline(
        "a photo of a dog",
        audio_length_in_s=seconds,
        num_inference_steps=steps,
        generator=torch.Generator().manual_seed(0),
    )
    took = time.perf_counter() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes, on Linux
    steps = steps or pipeline.config.sampling_steps
    return (
        f"{seconds:g} s of sound, {steps} steps, {torch.get_num_threads()} threads: "
        f"{took:.1f} s, {took / seconds:.3f} s a second; peak memory {peak:.0f} MB"
    )


def main() -> None:
    """Prints a row a length."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seconds", type=float, nargs="*", default=LENGTHS)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--steps", type=int)
    asked = parser.parse_args()
    if len(asked.seconds) == 1:
        print(measure(asked.model, asked.seconds[0], asked.steps), flush=True)
        return
    more = [] if asked.steps is None else ["--steps", str(asked.steps)]
    for seconds in asked.seconds:
        words = [sys.executable, "-m", "benchmarks.lengths", str(seconds), "--model", asked.model, *more]
        subprocess.run(words, check=True)


if __name__ == "__main__":
    main()
