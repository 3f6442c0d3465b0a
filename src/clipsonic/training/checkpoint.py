"""A run's state as one safetensors file: weights, their average, the optimizer's moments, the step.

No state of random numbers is needed: every draw is a function of seed and step.
"""

from pathlib import Path

import torch
from diffusers.training_utils import EMAModel
from safetensors.torch import load_file, save
from torch import Tensor

from clipsonic.errors import UserError
from clipsonic.files import whole_file


def save_state(
    path: Path, model: torch.nn.Module, average: EMAModel, optimizer: torch.optim.Optimizer, step: int
) -> None:
    """Writes the state whole or not at all."""
    tensors: dict[str, Tensor] = {"step": torch.tensor(step)}
    for number, (name, weight) in enumerate(model.named_parameters()):
        tensors[f"model.{name}"] = weight.detach()
        tensors[f"average.{name}"] = average.shadow_params[number]
        for moment, value in optimizer.state.get(weight, {}).items():
            tensors[f"optimizer.{moment}.{name}"] = value
    with whole_file(path) as file:
        file.write(save({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}))


def load_state(
    path: Path, model: torch.nn.Module, average: EMAModel, optimizer: torch.optim.Optimizer
) -> int:
    """Fills model, average and optimizer from `save_state`'s file and returns the step.

    Raises:
        UserError: the file is damaged or of another model.
    """
    try:
        tensors = load_file(path)
        step = int(tensors["step"])
        with torch.no_grad():
            for number, (name, weight) in enumerate(model.named_parameters()):
                weight.copy_(tensors[f"model.{name}"])
                average.shadow_params[number].copy_(tensors[f"average.{name}"])
                if f"optimizer.step.{name}" in tensors:
                    moments = {
                        moment: torch.empty_like(weight).copy_(tensors[f"optimizer.{moment}.{name}"])
                        for moment in ("exp_avg", "exp_avg_sq")
                    }
                    optimizer.state[weight] = {"step": tensors[f"optimizer.step.{name}"], **moments}
    except Exception as error:  # safetensors has errors of its own kind
        raise UserError(
            f"{path} is damaged or of another model ({error}); remove it to start again"
        ) from error
    average.optimization_step = step
    return step
