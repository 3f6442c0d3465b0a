"""One step of training: losses, gradients, and what becomes of those that are not finite."""

from collections.abc import Mapping
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from clipsonic.settings.training import TrainingSettings
from clipsonic.training.checkpoint import Player
from clipsonic.training.recipe import AdversarialRecipe, Recipe
from clipsonic.training.sharding import whole


def optimizer_of(model: torch.nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Return the AdamW of a network."""
    weights = list(model.parameters())
    spared = [weight for weight in weights if weight.dim() < 2 and settings.weight_decay_on == "matrices"]
    decayed = [weight for weight in weights if weight.dim() >= 2 or settings.weight_decay_on == "all"]
    groups: list[dict[str, Any]] = [{"params": decayed, "weight_decay": settings.weight_decay}]
    if spared:
        groups.append({"params": spared, "weight_decay": 0.0})
    return torch.optim.AdamW(
        groups, lr=settings.learning_rate, betas=settings.betas, eps=settings.eps, fused=True
    )


def learning_rate(settings: TrainingSettings, step: int, processes: int, examples: int) -> float:
    """Return the rate of a step: decayed by steps or by whole epochs of `examples`, small while it warms up."""
    decays = step
    if settings.lr_decay_every == "epoch":
        decays = step * settings.batch_size * processes // examples
    return (
        settings.learning_rate
        * settings.lr_decay**decays
        * min(1.0, (step + 1) / max(1, settings.warmup_steps))
    )


def take_step(
    recipe: Recipe, players: Mapping[str, Player], batch: Any, step: int, accelerator: Accelerator
) -> tuple[dict[str, Tensor], bool]:
    """One step of every optimizer => the losses, and whether all of it was finite and taken."""
    settings, scaler = recipe.training, accelerator.scaler
    rate = learning_rate(settings, step, accelerator.num_processes, recipe.examples)
    # For dropout: the same masks whether or not the run was stopped before.
    torch.manual_seed(_mixed(settings.seed, step, accelerator.process_index))
    losses: dict[str, Tensor] = {}
    if isinstance(recipe, AdversarialRecipe):
        critic, model = players["critic."].wrapped, players[""].wrapped
        with accelerator.autocast():
            losses |= recipe.critic_losses(critic, model, batch)
        if losses and not _update(players["critic."], losses, rate, settings, accelerator):
            return losses, False
    # All processes draw the numbers of the whole step, and each takes its share.
    random = torch.Generator().manual_seed(_mixed(settings.seed, step, 0))
    with accelerator.autocast():
        own = recipe.losses(players[""].wrapped, batch, random)
    taken = _update(players[""], own, rate, settings, accelerator)
    if scaler is not None and (taken or losses):  # whatever it has stepped
        scaler.update()
    return losses | own, taken


def _update(
    player: Player,
    losses: dict[str, Tensor],
    rate: float,
    settings: TrainingSettings,
    accelerator: Accelerator,
) -> bool:
    """One step of one optimizer down the sum of the losses, or none if that or its gradient is not finite."""
    loss = sum(losses.values(), torch.zeros((), device=accelerator.device))
    if in_any(not torch.isfinite(loss), accelerator):
        return False
    optimizer, scaler = player.optimizer, accelerator.scaler
    for group in optimizer.param_groups:
        group["lr"] = rate
    accelerator.backward(loss)
    if scaler is not None:
        scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(player.bare.parameters(), settings.max_grad_norm)
    norm = whole(norm, norm)
    finite = scaler is not None or bool(torch.isfinite(norm))  # fp16 has its own way with those that are not
    if scaler is not None:
        scaler.step(optimizer)
    elif finite:
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return finite


def in_any(flag: bool, accelerator: Accelerator) -> bool:
    """Whether any process says yes: all must leave the loop at the same step, or the others wait for ever."""
    if accelerator.num_processes == 1:
        return flag
    return bool(accelerator.reduce(torch.tensor(int(flag), device=accelerator.device), "sum") > 0)


def _mixed(seed: int, step: int, rank: int) -> int:
    return int(((seed * 1_000_003 + step) * 1_009 + rank) % 2**63)
