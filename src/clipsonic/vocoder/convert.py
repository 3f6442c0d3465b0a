"""NVIDIA's published BigVGAN checkpoints (github.com/NVIDIA/BigVGAN, MIT) => our vocoder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from clipsonic.errors import UserError, first_line
from clipsonic.files import whole_folder
from clipsonic.model_folder import WEIGHTS as MODEL_WEIGHTS
from clipsonic.model_folder import hub_file
from clipsonic.settings.vocoder import BigVGANSettings
from clipsonic.vocoder.bigvgan import BigVGAN

CONFIG, WEIGHTS = "config.json", "bigvgan_generator.pt"

SHAPE = {  # their word => ours
    "sampling_rate": "sample_rate",
    "n_fft": "n_fft",
    "num_mels": "n_mels",
    "fmin": "lowest",
    "fmax": "highest",
    "upsample_initial_channel": "channels",
    "upsample_rates": "upsample_rates",
    "upsample_kernel_sizes": "upsample_kernels",
    "resblock_kernel_sizes": "block_kernels",
    "resblock_dilation_sizes": "block_dilations",
    "activation": "activation",
    "snake_logscale": "log_scale",
    "use_bias_at_final": "final_bias",
    "use_tanh_at_final": "final_tanh",
}
CHECKED = ("resblock", "hop_size", "win_size")
# Of their training alone; `num_freq` is read by nothing, and the kernel computes the same.
TRAINING = """
num_gpus batch_size learning_rate adam_b1 adam_b2 lr_decay seed discriminator resolutions mpd_reshapes
use_spectral_norm discriminator_channel_mult segment_size num_freq fmax_for_loss normalize_volume num_workers
dist_config use_cqtd_instead_of_mrd cqtd_filters cqtd_max_filters cqtd_filters_scale cqtd_dilations
cqtd_hop_lengths cqtd_n_octaves cqtd_bins_per_octaves use_mbd_instead_of_mrd mbd_fft_sizes
use_multiscale_melloss lambda_melloss clip_grad_norm freeze_step use_cuda_kernel
"""


def convert(source: str) -> BigVGAN:
    """A folder or hub id with `config.json` and `bigvgan_generator.pt`, as published => the vocoder.

    Raises:
        UserError: a file is missing or damaged, or describes something else than BigVGAN.
    """
    config = hub_file(source, CONFIG)
    try:
        page = json.loads(config.read_bytes())
    except ValueError as error:
        raise UserError(f"{config} is no JSON ({first_line(error)}); fetch it again") from error
    vocoder = BigVGAN(**read_config(page, config).model_dump())
    path = hub_file(source, WEIGHTS)
    weights, places = read_weights(path), vocoder.generator.state_dict()
    wrong = [
        name
        for name in sorted(weights.keys() | places.keys())
        if name not in weights or name not in places or weights[name].shape != places[name].shape
    ]
    if wrong:
        raise UserError(
            f"{path} does not fit the {CONFIG} beside it: {len(wrong)} weights are missing, unknown or of another "
            f"size, such as {wrong[0]}"
        )
    vocoder.generator.load_state_dict(weights)
    return vocoder.eval()


def read_config(page: Any, path: Path) -> BigVGANSettings:
    """The published settings => ours; every key is used, checked or known to be of training alone.

    Raises:
        UserError: a key is missing, unknown, or has a value that BigVGAN does not have.
    """
    if not isinstance(page, dict) or "resblock" not in page:
        raise UserError(f"{path} does not describe a BigVGAN")
    unknown = sorted(set(page) - set(SHAPE) - set(CHECKED) - set(TRAINING.split()))
    if unknown:
        raise UserError(f"{path} has settings that clipsonic does not know: {', '.join(unknown)}")
    page = {"use_bias_at_final": True, "use_tanh_at_final": True} | page  # not said in the first version
    missing = sorted((set(SHAPE) | set(CHECKED)) - set(page))
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}")
    values = {ours: page[theirs] for theirs, ours in SHAPE.items()}
    try:
        values["highest"] = values["sample_rate"] / 2 if values["highest"] is None else values["highest"]
        settings = BigVGANSettings.model_validate(values)
    except (TypeError, ValidationError) as error:
        reason = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        name = ".".join(map(str, reason["loc"]))
        raise UserError(f"{path} describes no BigVGAN: {name} {reason['msg']}") from error
    for name, value in (("resblock", "1"), ("hop_size", settings.hop_length), ("win_size", settings.n_fft)):
        if page[name] != value:
            raise UserError(f"{path} has {name} {page[name]!r}; clipsonic can use {value!r} only")
    return settings


def read_weights(path: Path) -> dict[str, Tensor]:
    """The published file, loaded as plain tensors whatever else it holds => folded weights by name.

    Raises:
        UserError: it is no such file.
    """
    try:
        page = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile pickle can raise anything
        raise UserError(f"{path} is no file of plain weights; fetch the published one again") from error
    state = page.get("generator") if isinstance(page, dict) else None
    if not isinstance(state, dict) or not all(isinstance(weight, Tensor) for weight in state.values()):
        raise UserError(f"{path} holds no generator of BigVGAN")
    return fold(state)


def fold(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Lengths and directions => weights (Salimans and Kingma 2016, arXiv 1602.07868, eq. 2).

    Both of torch's forms are known, `weight_g` with `weight_v`, and `parametrizations`; other entries stay.

    Raises:
        UserError: a direction without its length, or a length without its direction.
    """
    plain = {_plain_name(name): value for name, value in state.items()}
    folded = {}
    for name, value in plain.items():
        stem, dot, _ = name.rpartition(".weight_")
        if not dot:
            folded[name] = value
            continue
        length, direction = plain.get(f"{stem}.weight_g"), plain.get(f"{stem}.weight_v")
        if length is None or direction is None:
            raise UserError(f"the weights hold half of {stem}.weight: {name} alone")
        norm = direction.flatten(1).norm(dim=1).view(-1, 1, 1)
        folded[f"{stem}.weight"] = direction * (length / norm)
    return folded


def _plain_name(name: str) -> str:
    for number, letter in enumerate("gv"):
        name = name.replace(f".parametrizations.weight.original{number}", f".weight_{letter}")
    return name


def convert_to_folder(source: str, out: Path) -> BigVGAN:
    """Converts, and writes the vocoder's folder whole or not at all.

    Raises:
        UserError: it cannot be converted or written, or `out` holds something else than a vocoder.
    """
    if out.exists() and (
        not out.is_dir() or not {path.name for path in out.iterdir()} <= {CONFIG, MODEL_WEIGHTS}
    ):
        raise UserError(f"{out} holds something else than a vocoder; name another folder")
    vocoder = convert(source)
    try:
        with whole_folder(out.resolve()) as folder:
            vocoder.save_pretrained(folder, safe_serialization=True)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from error
    return vocoder
