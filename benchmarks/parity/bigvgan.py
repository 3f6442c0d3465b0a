"""BigVGAN beside its authors' PyPI package `bigvgan` 2.4.1: same published form of weights, same log-mels."""

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.parity.table import Row
from benchmarks.parity.weights import noise, seeded
from clipsonic.settings.vocoder import BIGVGAN_PRESETS
from clipsonic.vocoder.bigvgan import BigVGAN
from clipsonic.vocoder.convert import CONFIG, SHAPE, WEIGHTS, convert, read_config

FIXTURE = Path(__file__).parents[2] / "tests" / "fixtures" / "bigvgan.safetensors"
FRAMES = 6  # of the fixtures

# As published, the settings of training included.
BLOCKS = {"resblock": "1", "resblock_kernel_sizes": [3, 7, 11], "resblock_dilation_sizes": [[1, 3, 5]] * 3}
TRAINING = {
    "num_gpus": 0,
    "batch_size": 32,
    "learning_rate": 0.0001,
    "adam_b1": 0.8,
    "adam_b2": 0.99,
    "seed": 1234,
}
TRAINING |= {"mpd_reshapes": [2, 3, 5, 7, 11], "use_spectral_norm": False, "discriminator_channel_mult": 1}
TRAINING |= {
    "num_workers": 4,
    "dist_config": {"dist_backend": "nccl", "world_size": 1},
    "fmax_for_loss": None,
}
SNAKE = {"activation": "snakebeta", "snake_logscale": True}
WIDTH_256 = {"upsample_initial_channel": 1536, "upsample_rates": [4, 4, 2, 2, 2, 2]}
WIDTH_256 |= {"upsample_kernel_sizes": [8, 8, 4, 4, 4, 4], "n_fft": 1024, "hop_size": 256, "win_size": 1024}

CONFIGS: dict[str, dict[str, Any]] = {
    "bigvgan_v2_24khz_100band_256x": BLOCKS | TRAINING | SNAKE | WIDTH_256
    | {"use_tanh_at_final": False, "use_bias_at_final": False, "num_mels": 100, "num_freq": 1025}
    | {"sampling_rate": 24_000, "fmin": 0, "fmax": None, "lr_decay": 0.9999996, "segment_size": 65_536}
    | {"use_cqtd_instead_of_mrd": True, "cqtd_filters": 128, "cqtd_max_filters": 1024, "cqtd_filters_scale": 1}
    | {"cqtd_dilations": [1, 2, 4], "cqtd_hop_lengths": [512, 256, 256], "cqtd_n_octaves": [9, 9, 9]}
    | {"cqtd_bins_per_octaves": [24, 36, 48], "use_multiscale_melloss": True, "lambda_melloss": 15}
    | {"clip_grad_norm": 500, "normalize_volume": True},
    "bigvgan_22khz_80band": BLOCKS | TRAINING | SNAKE | WIDTH_256
    | {"num_mels": 80, "num_freq": 1025, "sampling_rate": 22_050, "fmin": 0, "fmax": 8000, "lr_decay": 0.999}
    | {"discriminator": "mrd", "resolutions": [[1024, 120, 600], [2048, 240, 1200], [512, 50, 240]]}
    | {"segment_size": 8192},
}  # fmt: skip
for _name, _settings in BIGVGAN_PRESETS.items():
    CONFIGS[_name] = BLOCKS | {theirs: getattr(_settings, ours) for theirs, ours in SHAPE.items()}
    CONFIGS[_name] |= {"hop_size": _settings.hop_length, "win_size": _settings.n_fft}


def small(config: Mapping[str, Any]) -> dict[str, Any]:
    """The same shape with 128 channels at the widest."""
    return {**config, "upsample_initial_channel": 128}


def published_weights(config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Seeded weights under the names of the published file, with weight norm."""
    with torch.device("meta"):
        ours = BigVGAN(**read_config(dict(config), Path(CONFIG)).model_dump()).generator.state_dict()
    shapes = {}
    for name, weight in ours.items():
        if name.endswith("weight"):
            shapes[f"{name}_g"] = torch.empty(len(weight), 1, 1, device="meta")
            shapes[f"{name}_v"] = weight
        elif not name.endswith("filter"):
            shapes[name] = weight
    weights = seeded(shapes)
    for name in weights:
        if name.endswith("_g"):  # a length
            weights[name] = 0.7 + 0.1 * weights[name]
    # The low-pass filters are computed, not drawn, and stand in the published files too.
    tiny = BigVGAN(**read_config({**config, "upsample_initial_channel": 64}, Path(CONFIG)).model_dump())
    return weights | {
        name: value for name, value in tiny.generator.state_dict().items() if name.endswith("filter")
    }


def save_published(folder: Path, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """The two files of a published checkpoint."""
    (folder / CONFIG).write_text(json.dumps(config))
    torch.save({"generator": dict(weights)}, folder / WEIGHTS)


def mels(config: Mapping[str, Any], frames: int) -> Tensor:
    """Log-mels of the usual mean and spread, (2, bands, frames)."""
    return -4 + 3 * noise("bigvgan mel", 2, config["num_mels"], frames)


def published_class(reference: Path) -> tuple[Any, Any]:
    """Return the authors' generator, and what its settings are handed over in."""
    sys.path.insert(0, str(reference))
    try:
        from bigvgan.bigvgan import BigVGAN as Theirs
        from bigvgan.env import AttrDict
    finally:
        sys.path.remove(str(reference))
    return Theirs, AttrDict


@torch.no_grad()
def measure(reference: Path, name: str, full: bool, frames: int | None = None) -> tuple[Row, Tensor]:
    """Both networks on the same weights => a row, and the authors' waves, (2, samples)."""
    network, attributes = published_class(reference)
    config = CONFIGS[name] if full else small(CONFIGS[name])
    weights = published_weights(config)
    theirs = network(attributes(config)).eval()
    computed = {key: value for key, value in theirs.state_dict().items() if key.endswith("filter")}
    assert all(torch.equal(value, weights[key]) for key, value in computed.items()), "other low-pass filters"
    theirs.load_state_dict(weights)
    second = round(config["sampling_rate"] / config["hop_size"])
    mel = mels(config, frames or second)
    expected = theirs(mel)[:, 0]
    with tempfile.TemporaryDirectory() as folder:
        save_published(Path(folder), config, weights)
        ours = convert(folder)
    ours(mel)  # the first call of a shape is slower
    start = time.perf_counter()
    waves = ours(mel)
    seconds = (time.perf_counter() - start) / len(mel)
    note = (
        f"{'full size' if full else 'small'}; 2 clips of {mel.shape[-1]} frames, wave std {waves.std():.2f}"
    )
    parameters = sum(weight.numel() for weight in ours.parameters())
    difference = float((waves - expected).abs().max())
    return Row(f"BigVGAN, {name}", parameters, difference, seconds, note), expected


def compare(reference: Path, full: bool, keep: bool) -> list[Row]:
    """A row for each network: seconds are for one second of sound."""
    if keep:
        save_file({name: measure(reference, name, False, FRAMES)[1] for name in CONFIGS}, FIXTURE)
    names = ("paper-large", "bigvgan_v2_24khz_100band_256x") if full else CONFIGS
    return [measure(reference, name, full)[0] for name in names]
