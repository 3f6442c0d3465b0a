"""The training loop, on accelerate: one process or many, processor or GPUs."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from diffusers.training_utils import EMAModel
from pydantic import ValidationError
from torch import Tensor

from clipsonic.errors import UserError
from clipsonic.files import write_json
from clipsonic.settings.training import TrainingSettings
from clipsonic.training.checkpoint import Player, load_state, save_state
from clipsonic.training.recipe import AdversarialRecipe, Recipe

FREE = {  # may change between stretches of a run
    "steps", "checkpoint_every", "validate_every", "log_every", "workers", "learning_rate", "precision"
}  # fmt: skip


@dataclass(frozen=True)
class Progress:
    """State of a run after some step."""

    step: int
    steps: int
    losses: dict[str, float]  # mean over the steps since the last report
    examples_per_second: float
    seconds_left: float
    validation_loss: float | None = None


def train(recipe: Recipe, out: Path, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Progress]:
    """Trains until `recipe.training.steps`, yielding now and then; the same call goes on where it was stopped.

    `out` holds `settings.json`, `state.safetensors`, TensorBoard's logs and, from the first checkpoint on,
    the finished model of averaged weights in `model/`. Ending the iteration early, or `should_stop`, which is
    asked after each step, saves a checkpoint first.

    Raises:
        UserError: `out` holds a run with other settings or data or cannot be written, or the loss is not
            finite.
    """
    settings = recipe.training
    AcceleratorState._reset_state()  # accelerate keeps the precision of an earlier run in this process
    # Without `cpu`, several processes on processors are each told that they are alone.
    accelerator = Accelerator(mixed_precision=settings.precision, cpu=not torch.accelerator.is_available())
    _claim(out, recipe, accelerator)
    torch.manual_seed(settings.seed)
    bare = recipe.model.to(accelerator.device)
    average = EMAModel(list(bare.parameters()), decay=settings.ema_decay, foreach=True)
    # Optimizers are not prepared: their state is ours to save, and they need no wrapping outside fp16.
    players = {"": Player(bare, accelerator.prepare_model(bare), _optimizer(bare, settings))}
    if isinstance(recipe, AdversarialRecipe):
        critic = recipe.critic.to(accelerator.device)
        players["critic."] = Player(critic, accelerator.prepare_model(critic), _optimizer(critic, settings))
    state = out / "state.safetensors"
    step = load_state(state, players, average) if state.exists() else 0

    batches = recipe.batches(step, accelerator.process_index, accelerator.num_processes)
    report = _Report(out, settings, accelerator, step)
    saved = step
    try:
        while step < settings.steps and not _any(should_stop(), accelerator):
            rate = settings.learning_rate * settings.lr_decay**step
            rate *= min(1.0, (step + 1) / max(1, settings.warmup_steps))
            batch = next(batches)
            mixed = _mixed(settings.seed, step, accelerator.process_index)
            torch.manual_seed(mixed)  # for dropout: the same masks whether or not the run was stopped before
            losses: dict[str, Tensor] = {}
            if isinstance(recipe, AdversarialRecipe):
                critic, model = players["critic."].wrapped, players[""].wrapped
                with accelerator.autocast():
                    losses |= recipe.critic_losses(critic, model, batch)
                if losses:
                    _update(players["critic."], losses, rate, settings, accelerator, step, saved)
            with accelerator.autocast():
                own = recipe.losses(players[""].wrapped, batch, torch.Generator().manual_seed(mixed))
            _update(players[""], own, rate, settings, accelerator, step, saved)
            if accelerator.scaler is not None:
                accelerator.scaler.update()
            average.step(bare.parameters())
            step += 1

            report.add(losses | own)
            validation = None
            if step % settings.validate_every == 0 or step == settings.steps:
                validation = _with_average(bare, average, lambda: recipe.validation_loss(bare))
                if report.board is not None:
                    _with_average(bare, average, partial(recipe.show, bare, report.board, step))
            if step % settings.log_every == 0 or validation is not None:
                yield report.emit(step, validation)
            if step % settings.checkpoint_every == 0 or step == settings.steps:
                _checkpoint(out, recipe, average, players, step, accelerator)
                saved = step
    except GeneratorExit:  # arises at the yield, between two steps
        if step > saved:
            _checkpoint(out, recipe, average, players, step, accelerator)
        raise
    else:
        if step > saved:
            _checkpoint(out, recipe, average, players, step, accelerator)
    finally:
        report.close()


def _optimizer(model: torch.nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        betas=settings.betas,
        fused=True,
    )


def _update(
    player: Player,
    losses: dict[str, Tensor],
    rate: float,
    settings: TrainingSettings,
    accelerator: Accelerator,
    step: int,
    saved: int,
) -> None:
    """One step of one optimizer down the sum of the losses.

    Raises:
        UserError: the loss is not finite.
    """
    loss = sum(losses.values(), torch.zeros((), device=accelerator.device))
    if _any(not torch.isfinite(loss), accelerator):
        raise UserError(
            f"the loss is {loss.item()} at step {step}; the last checkpoint, of step {saved}, is kept: "
            "go on from it with --set training.learning_rate lower or --set training.precision=no"
        )
    optimizer, scaler = player.optimizer, accelerator.scaler
    for group in optimizer.param_groups:
        group["lr"] = rate
    accelerator.backward(loss)
    if scaler is not None:
        scaler.unscale_(optimizer)
    if math.isfinite(settings.max_grad_norm):
        torch.nn.utils.clip_grad_norm_(player.bare.parameters(), settings.max_grad_norm)
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
    optimizer.zero_grad(set_to_none=True)


def _any(flag: bool, accelerator: Accelerator) -> bool:
    """Whether any process says yes: all must leave the loop at the same step, or the others wait for ever."""
    if accelerator.num_processes == 1:
        return flag
    return bool(accelerator.reduce(torch.tensor(int(flag), device=accelerator.device), "sum") > 0)


def _mixed(seed: int, step: int, rank: int) -> int:
    return int(((seed * 1_000_003 + step) * 1_009 + rank) % 2**63)


def _with_average(model: torch.nn.Module, average: EMAModel, action: Any) -> Any:
    """Does something with the averaged weights in place, then puts the trained ones back."""
    average.store(model.parameters())
    average.copy_to(model.parameters())
    model.eval()
    try:
        with torch.no_grad():
            return action()
    finally:
        average.restore(model.parameters())
        model.train()


def _checkpoint(
    out: Path,
    recipe: Recipe,
    average: EMAModel,
    players: Mapping[str, Player],
    step: int,
    accelerator: Accelerator,
) -> None:
    if accelerator.is_main_process:
        # The model first: killed between the two, the run does some steps again and exports again.
        _with_average(recipe.model, average, lambda: recipe.export(out / "model"))
        save_state(out / "state.safetensors", players, average, step)
    accelerator.wait_for_everyone()


def _claim(out: Path, recipe: Recipe, accelerator: Accelerator) -> None:
    """Writes the run's settings, or checks that the run in `out` has these."""
    page = {"settings": recipe.settings.model_dump(mode="json"), "data": recipe.data_id}
    path = out / "settings.json"
    if path.exists():
        old = json.loads(path.read_bytes())
        with suppress(ValidationError, KeyError):  # settings that came later had their defaults then
            old["settings"] = type(recipe.settings)(**old["settings"]).model_dump(mode="json")
        different = sorted(_differences(old, page, ""))
        if different:
            raise UserError(f"{out} holds a run with another {', '.join(different)}; name another folder")
    if accelerator.is_main_process:
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_json(path, page)
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}") from error
    accelerator.wait_for_everyone()


def _differences(old: Any, new: Any, name: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            if key not in FREE:
                yield from _differences(
                    old.get(key), new.get(key), f"{name}.{key}".removeprefix(".settings.")
                )
    elif old != new:
        yield f"{name.strip('.')} ({old}, not {new})"


class _Report:
    """Means of the losses and the pace, to whoever iterates and to TensorBoard."""

    def __init__(self, out: Path, settings: TrainingSettings, accelerator: Accelerator, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.settings = settings
        self.board = SummaryWriter(str(out / "logs")) if accelerator.is_main_process else None
        self.examples = settings.batch_size * accelerator.num_processes
        self.first, self.began = step, time.monotonic()
        self.sums: dict[str, torch.Tensor] = {}
        self.counted, self.since = 0, self.began

    def add(self, losses: dict[str, torch.Tensor]) -> None:
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value.detach()
        self.counted += 1

    def emit(self, step: int, validation: float | None) -> Progress:
        now = time.monotonic()
        losses = {name: (value / self.counted).item() for name, value in self.sums.items()}
        pace = self.counted * self.examples / (now - self.since)
        left = (self.settings.steps - step) * (now - self.began) / max(1, step - self.first)
        self.sums, self.counted, self.since = {}, 0, now
        if self.board is not None:
            for name, value in losses.items():
                self.board.add_scalar(f"loss/{name}", value, step)
            self.board.add_scalar("examples_per_second", pace, step)
            if validation is not None:
                self.board.add_scalar("loss/validation", validation, step)
        return Progress(step, self.settings.steps, losses, pace, left, validation)

    def close(self) -> None:
        if self.board is not None:
            self.board.close()
