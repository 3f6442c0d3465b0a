"""What large data sets would cost: `python -m benchmarks.costs`, the tables of docs/scale.md.

    python -m benchmarks.costs              arithmetic on the rates below
    python -m benchmarks.costs index 1e6    measures the index of so many made-up clips, in this process
    python -m benchmarks.costs flops        counts the operations of a pass and of a training step
    python -m benchmarks.costs memory       counts the bytes of training U-Nets of several widths
    torchrun --nproc-per-node 2 -m benchmarks.costs held 1.5 [shard]
                                            measures what each process holds of one of them, after a step

Nothing in the tables was run at these sizes: each number below says where it was measured, or that it is assumed.
"""

import gc
import json
import sys
import time
from pathlib import Path

# Measured.
CORE_SECONDS = 2 * 19.7 / 600  # of two cores, a second of 720p video: docs/speed.md, without the encoder
SHARD_BYTES = 19_536  # a second of sound in the tar, 2,437 clips of mini's data set, 384 numbers a picture
INDEX_BYTES = 504  # a clip in the index files, the same data set
INDEX_MEMORY = 3_489  # bytes a clip in a process that has read the index: `index 1e6`
INDEX_SECONDS = 26.2e-6  # a clip, to read its index: `index 1e6`
STEP_FLOP = 238.2e9  # an example of the `paper` U-Net, forwards and backwards, 64 frames: `flops`
PICTURE_FLOP = 162.0e9  # CLIP ViT-L/14, a picture of 224 pixels: `flops`

# From the paper's settings.
BATCH, STEPS = 32, 500_000
CLIP_SECONDS, PICTURES = 10, 10
SHARD_CLIPS = 256

# Assumed: peaks in bfloat16 without sparsity, by their makers' data sheets, and the share of it that is reached.
GPUS = {"A100": 312e12, "H100 SXM": 989e12}
REACHED = 0.3

SETS = {"VGGSound": 172_000, "100 M clips": 100_000_000}


def human(value: float, units: tuple[str, ...]) -> str:
    """A number of the largest of the units, each a thousand of the one before, that is not below one."""
    place = 0
    while value >= 1000 and place < len(units) - 1:
        value, place = value / 1000, place + 1
    return f"{value:.3g} {units[place]}"


def size(value: float) -> str:
    """Bytes."""
    return human(value, ("B", "kB", "MB", "GB", "TB", "PB"))


def hours(seconds: float) -> str:
    """Seconds => hours, or days of very many."""
    if seconds >= 300 * 3600:
        return f"{seconds / 86400:,.0f} days"
    return f"{seconds / 3600:.2g} h" if seconds < 36_000 else f"{seconds / 3600:.0f} h"


def rows() -> list[tuple[str, list[str]]]:
    """What is counted => its value for each data set."""

    def each(name: str, value: object) -> tuple[str, list[str]]:
        return name, [value(clips) for clips in SETS.values()]  # type: ignore[operator]

    def encoding(clips: int, peak: float) -> float:
        return clips * PICTURES * PICTURE_FLOP / (REACHED * peak)

    found = [
        each("clips of 10 s", lambda clips: f"{clips:,}"),
        each("reading videos, core-hours", lambda c: f"{c * CLIP_SECONDS * CORE_SECONDS / 3600:,.0f}"),
    ]
    for gpu, peak in GPUS.items():
        found.append(
            each(f"ViT-L/14 of 10 pictures a clip, one {gpu}", lambda c, p=peak: hours(encoding(c, p)))
        )
    found += [
        each("shards", lambda clips: size(clips * CLIP_SECONDS * SHARD_BYTES)),
        each("files in one folder", lambda clips: f"{2 * -(-clips // SHARD_CLIPS):,}"),
        each("index files", lambda clips: size(clips * INDEX_BYTES)),
        each("`dataset.json`, at least", lambda clips: size(clips / SHARD_CLIPS * 97)),
        each("index in memory, each process", lambda clips: size(clips * INDEX_MEMORY)),
        each("reading the index at the start", lambda clips: f"{clips * INDEX_SECONDS:,.0f} s"),
        each("order of an epoch, each process", lambda clips: size(8 * clips)),
    ]
    for gpu, peak in GPUS.items():
        step = BATCH * STEP_FLOP / (REACHED * peak)
        found.append(each(f"the paper's 500,000 steps of 32, one {gpu}", lambda _, s=step: hours(STEPS * s)))
        found.append(
            each(f"one crop of every clip, one {gpu}", lambda c, s=step: hours(c / BATCH * s)),
        )
    return found


def index(count: int) -> None:
    """Reads the indexes of made-up clips, as training does, and keeps them."""
    from clipsonic.data.shards import ShardIndex

    before, keep, content, seconds = _resident(), [], b"", 0.0
    for shard in range(-(-count // SHARD_CLIPS)):
        content = _made_up(shard)
        began = time.perf_counter()
        keep += [(Path("data"), clip) for clip in ShardIndex.model_validate_json(content).clips]
        seconds += time.perf_counter() - began
    gc.collect()
    print(
        f"{len(keep):,} clips: {(_resident() - before) / len(keep):,.0f} bytes each in memory, "
        f"{seconds / len(keep) * 1e6:.1f} us each to read, {len(content) / SHARD_CLIPS:.0f} bytes each on disk"
    )


def _resident() -> int:
    page = Path("/proc/self/status").read_text()
    return 1024 * int(page.split("VmRSS:")[1].split()[0])


def _made_up(shard: int) -> bytes:
    clips = [
        {
            "key": f"{number:012x}-0000",
            "info": {
                "source": f"videos/{number:011d}_000030.mp4",
                "start": 0.0,
                "seconds": 10.0,
                "picture_times": [round(second + 0.04, 3) for second in range(PICTURES)],
                "label": f"label {number % 309}",
                "split": "train",
                "licence": None,
            },
            "sound": [number % SHARD_CLIPS * 200_000, 180_000],
            "frames": [number % SHARD_CLIPS * 200_000 + 180_000, 15_488],
            "crc32": [number * 7919 % 2**32, number * 104_729 % 2**32],
        }
        for number in range(shard * SHARD_CLIPS, (shard + 1) * SHARD_CLIPS)
    ]
    videos = {clip["info"]["source"]: 1 for clip in clips}  # type: ignore[index]
    page = {"sha256": f"{shard:064x}", "clips": clips, "videos": videos, "skipped": {}}
    return json.dumps(page, indent=1).encode()


def flops() -> None:
    """Counts multiplications and additions, two for both, of networks without weights."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    from clipsonic.diffusion.unet import build_unet, predict
    from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS

    with torch.device("meta"):
        settings = SPECTROGRAM_PRESETS["paper"]
        unet = build_unet(settings.unet, settings.diffusion, 768)
        mel, time_, row = torch.randn(1, 1, 64, 64), torch.zeros(1, dtype=torch.long), torch.randn(1, 768)
        with FlopCounterMode(display=False) as step:
            said = predict(unet, mel, time_, row, settings.diffusion.timesteps)
            said.output.sum().backward()
        config = CLIPVisionConfig(
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=24,
            num_attention_heads=16,
            patch_size=14,
            projection_dim=768,
        )
        clip = CLIPVisionModelWithProjection(config)
        with FlopCounterMode(display=False) as picture, torch.no_grad():
            clip(torch.randn(1, 3, 224, 224))
    print(f"a training example {step.get_total_flops() / 1e9:.1f} GFLOP")
    print(f"a picture {picture.get_total_flops() / 1e9:.1f} GFLOP")


def held(width: float, shard: bool) -> None:
    """Takes a step of a wider `paper` U-Net in several processes, on processors, and counts what each holds."""
    from types import SimpleNamespace

    import torch
    from accelerate import Accelerator

    from clipsonic.diffusion.unet import build_unet, predict
    from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS
    from clipsonic.training.sharding import held as parts
    from clipsonic.training.sharding import sharded
    from clipsonic.training.spectrogram import SpectrogramRecipe
    from clipsonic.training.steps import optimizer_of

    preset, accelerator = SPECTROGRAM_PRESETS["paper"], Accelerator(cpu=True)
    channels = tuple(int(width * each) for each in preset.unet.channels)
    unet = build_unet(preset.unet.model_copy(update={"channels": channels}), preset.diffusion, 768)
    count = sum(weight.numel() for weight in unet.parameters())
    if shard:
        recipe = SimpleNamespace(model=unet, blocks=SpectrogramRecipe.blocks)
        bare = wrapped = sharded(recipe, accelerator)  # type: ignore[arg-type]
    else:
        bare, wrapped = unet, accelerator.prepare_model(unet)
    optimizer = optimizer_of(bare, preset.training)
    average = [part.detach().clone() for part in parts(bare.parameters())]
    mel, step, row = torch.randn(1, 1, 64, 64), torch.zeros(1, dtype=torch.long), torch.randn(1, 768)
    began = time.perf_counter()
    predict(wrapped, mel, step, row, preset.diffusion.timesteps).output.sum().backward()
    optimizer.step()
    taken = time.perf_counter() - began
    kept = parts(bare.parameters()) + average + parts(weight.grad for weight in bare.parameters())
    for state in optimizer.state.values():
        kept += parts(state[moment] for moment in ("exp_avg", "exp_avg_sq"))
    size_here = sum(part.numel() * part.element_size() for part in kept)
    said = (
        f"{count / 1e6:,.0f} M parameters, {'shard' if shard else 'DDP'}, process {accelerator.process_index}"
    )
    print(
        f"{said}: {size(size_here)} of weights, gradients, moments and average, {size_here / count:.1f} bytes a "
        f"parameter; {size(_resident())} resident; a step {taken:.0f} s"
    )


def memory() -> None:
    """Counts what training the `paper` U-Net would take if it were wider, in single precision; nothing is run."""
    import torch

    from clipsonic.diffusion.unet import build_unet, predict
    from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS

    preset = SPECTROGRAM_PRESETS["paper"]
    print(f"{'width':<8}{'parameters':<13}{'state':<10}{'an example':<13}{'on 40 GB':<11}on 80 GB")
    for width in (1, 2, 3, 4):
        channels = tuple(width * each for each in preset.unet.channels)
        kept: dict[object, int] = {}

        def keep(tensor: torch.Tensor, kept: dict[object, int] = kept) -> torch.Tensor:
            storage = tensor.untyped_storage()
            kept[storage._cdata] = storage.nbytes()
            return tensor

        with torch.device("meta"):
            unet = build_unet(preset.unet.model_copy(update={"channels": channels}), preset.diffusion, 768)
            mel, step, row = torch.randn(1, 1, 64, 64), torch.zeros(1, dtype=torch.long), torch.randn(1, 768)
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                output = predict(unet, mel, step, row, preset.diffusion.timesteps).output
        weights = list(unet.parameters())
        for weight in weights:
            kept.pop(weight.untyped_storage()._cdata, None)
        count = sum(weight.numel() for weight in weights)
        # Weights, gradients, DDP's buffers of them, AdamW's two moments, the average; 4 bytes each.
        state, example = 24 * count, sum(kept.values())
        left = [max(0, int((total - state) / example)) for total in (40e9, 80e9)]
        words = f"{width:<8}{f'{count / 1e6:,.0f} M':<13}{size(state):<10}{size(example):<13}"
        print(f"{words}{left[0]:<11}{left[1]}")
        del output  # which holds what was kept


def main() -> None:
    """See above."""
    if sys.argv[1:2] == ["index"]:
        index(int(float(sys.argv[2])))
    elif sys.argv[1:] == ["flops"]:
        flops()
    elif sys.argv[1:2] == ["held"]:
        held(float(sys.argv[2]), "shard" in sys.argv[3:])
    elif sys.argv[1:] == ["memory"]:
        memory()
    else:
        print(f"| | {' | '.join(SETS)} |\n|---|{'---|' * len(SETS)}")
        for name, values in rows():
            print(f"| {name} | {' | '.join(values)} |")


if __name__ == "__main__":
    main()
