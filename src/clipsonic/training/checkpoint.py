"""A run's state as one safetensors file: weights, their average, the optimizers' moments, the step.

No state of random numbers is needed: every draw is a function of seed and step.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.training_utils import EMAModel
from safetensors.torch import load_file, save
from torch import Tensor

from clipsonic.errors import UserError
from clipsonic.files import whole_file
from clipsonic.training.sharding import local, part, whole


@dataclass(frozen=True)
class Player:
    """A network that is trained, and what trains it."""

    bare: torch.nn.Module
    wrapped: torch.nn.Module  # for several processes; the same network
    optimizer: torch.optim.Optimizer


def save_state(
    path: Path, players: Mapping[str, Player], average: EMAModel, step: int, write: bool = True
) -> None:
    """Writes the state whole or not at all; of several processes all must call, as each may hold a part.

    Args:
        players: prefix of the names => network and optimizer; the one with prefix "" is the averaged one.
        write: false in all processes but one.
    """
    tensors: dict[str, Tensor] = {"step": torch.tensor(step)}
    for prefix, player in players.items():
        for number, (name, weight) in enumerate(player.bare.named_parameters()):
            found = {f"{prefix}model.{name}": weight.detach()}
            if not prefix:
                found[f"average.{name}"] = average.shadow_params[number]
            for moment, value in player.optimizer.state.get(weight, {}).items():
                found[f"{prefix}optimizer.{moment}.{name}"] = value
            for key, value in found.items():
                value = whole(value, weight.detach())
                if write:
                    tensors[key] = value.contiguous().cpu()
    if write:
        with whole_file(path) as file:
            file.write(save(tensors))


def load_state(path: Path, players: Mapping[str, Player], average: EMAModel) -> int:
    """Fills networks, average and optimizers from `save_state`'s file and returns the step.

    Raises:
        UserError: the file is damaged or of another model.
    """
    try:
        tensors = load_file(path)
        step = int(tensors["step"])
        with torch.no_grad():
            for prefix, player in players.items():
                for number, (name, weight) in enumerate(player.bare.named_parameters()):
                    weight.copy_(part(tensors[f"{prefix}model.{name}"], weight))
                    if not prefix:
                        average.shadow_params[number].copy_(local(part(tensors[f"average.{name}"], weight)))
                    if f"{prefix}optimizer.step.{name}" in tensors:
                        moments = {
                            moment: torch.empty_like(weight).copy_(
                                part(tensors[f"{prefix}optimizer.{moment}.{name}"], weight)
                            )
                            for moment in ("exp_avg", "exp_avg_sq")
                        }
                        steps = tensors[f"{prefix}optimizer.step.{name}"]
                        player.optimizer.state[weight] = {"step": steps, **moments}
    except Exception as error:  # safetensors has errors of its own kind
        raise UserError(
            f"{path} is damaged or of another model ({error}); remove it to start again"
        ) from error
    average.optimization_step = step
    return step


def save_batch(path: Path, batch: Any, step: int) -> None:
    """Writes the tensors of a batch, named as in it, and the step that saw them, for inspection."""
    tensors = {"step": torch.tensor(step)} | dict(_tensors(batch, ""))
    with whole_file(path) as file:
        file.write(save({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}))


def _tensors(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name or "batch", value.clone()  # parts of one tensor may not share their memory in the file
        return
    inside: Mapping[str, Any] = {}
    if is_dataclass(value):
        inside = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, Mapping):
        inside = value
    elif isinstance(value, tuple) and hasattr(value, "_asdict"):
        inside = value._asdict()
    elif isinstance(value, tuple | list):
        inside = {str(number): each for number, each in enumerate(value)}
    for key, each in inside.items():
        yield from _tensors(each, f"{name}.{key}".strip("."))
