"""A network spread over the processes: each holds a part of every weight, and all of a block while it computes."""

import copy
from collections.abc import Iterable

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from clipsonic.errors import UserError
from clipsonic.training.recipe import Recipe


def check_sharding(recipe: Recipe) -> None:
    """Raises UserError where the weights cannot be spread: for other networks, and in half precision."""
    if recipe.training.shard and not recipe.blocks:
        raise UserError("--set training.shard=true is of train spectrogram and train prior alone")
    if recipe.training.shard and recipe.training.precision == "fp16":
        raise UserError("--set training.shard=true needs --set training.precision=bf16 or no")


def sharded(recipe: Recipe, accelerator: Accelerator) -> torch.nn.Module:
    """A copy of the recipe's network, spread over all processes (FSDP2); the recipe keeps the whole one.

    A block is moved to the device, and its parts to their processes, before the next one: the whole network is
    never on one device.
    """
    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    model = copy.deepcopy(recipe.model)
    for weight in model.parameters():
        weight.data = weight.data.contiguous()  # FSDP knows no other order, such as channels last
    blocks = [module for module in model.modules() if isinstance(module, recipe.blocks)]
    for module in [*reversed(blocks), model]:  # what is inside goes first
        # Always, also where no way back follows: between steps there are only parts.
        fully_shard(module, mesh=mesh, reshard_after_forward=True)
    recipe.model.eval()
    return model


def held(weights: Iterable[torch.nn.Parameter]) -> list[Tensor]:
    """What this process holds of each weight, in the same memory."""
    return [local(weight.detach()).requires_grad_(weight.requires_grad) for weight in weights]


def local(value: Tensor) -> Tensor:
    """What this process holds of it."""
    return value.to_local() if isinstance(value, DTensor) else value


def whole(value: Tensor, weight: Tensor) -> Tensor:
    """What lies beside a weight, such as its average or a moment => all of it; all processes must ask for it."""
    if isinstance(weight, DTensor) and not isinstance(value, DTensor) and value.ndim:
        value = DTensor.from_local(
            value, weight.device_mesh, weight.placements, shape=weight.shape, stride=weight.stride()
        )
    return value.full_tensor() if isinstance(value, DTensor) else value


def part(value: Tensor, weight: Tensor) -> Tensor:
    """All of what lies beside a weight => this process's part, on the weight's device."""
    value = value.to(weight.device)
    if not isinstance(weight, DTensor):
        return value
    return distribute_tensor(value, weight.device_mesh, weight.placements, src_data_rank=None)


def fill(model: torch.nn.Module, values: Iterable[Tensor], spread: torch.nn.Module) -> None:
    """Gives a whole network the values that lie beside the weights of a spread one; all processes must."""
    with torch.no_grad():
        for target, value, weight in zip(model.parameters(), values, spread.parameters(), strict=True):
            target.copy_(whole(value.detach(), weight.detach()))
