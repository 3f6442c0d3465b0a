"""The training loop, on accelerate: one process or many, processor or GPUs."""

import json
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from diffusers.training_utils import EMAModel
from pydantic import ValidationError
from torch import Tensor

from clipsonic.errors import UserError, first_line
from clipsonic.files import only_one, write_json, writing
from clipsonic.settings.training import TrainingSettings
from clipsonic.training.checkpoint import Player, load_state, save_batch, save_state
from clipsonic.training.precision import precision_of, recorded
from clipsonic.training.recipe import AdversarialRecipe, Recipe
from clipsonic.training.report import Progress, Report
from clipsonic.training.sharding import check_sharding, fill, held, sharded
from clipsonic.training.steps import in_any, optimizer_of, take_step

FREE = {  # may change between stretches of a run
    "steps", "checkpoint_every", "validate_every", "log_every", "workers", "learning_rate", "precision",
    "on_nan", "shard",
    "batch_size",  # of one process: what all see together in a step stays, as `examples_a_step`
}  # fmt: skip
MOST_SKIPPED = 100  # steps left out in a row before a run stops all the same
WHOLE_SECONDS = 10.0  # of a step that is timed with its whole batch
BAD_BATCH = "bad_batch.safetensors"


def train(recipe: Recipe, out: Path, should_stop: Callable[[], bool] = lambda: False) -> Generator[Progress]:
    """Trains until `recipe.training.steps`, yielding now and then; the same call goes on where it was stopped.

    `out` holds `settings.json`, `state.safetensors`, TensorBoard's logs and, from the first checkpoint on,
    the finished model of averaged weights in `model/`. Ending the iteration early, or `should_stop`, which is
    asked after each step, saves a checkpoint first.

    Raises:
        UserError: `out` holds a run with other settings or data, is held by another process or cannot be written;
            a loss or gradient is not finite; or memory does not suffice.
    """
    accelerator = begin(recipe, out)
    with ExitStack() as stack:
        if accelerator.is_main_process:
            stack.enter_context(only_one(out))
        stack.enter_context(writing(out))
        try:
            yield from _train(recipe, out, should_stop, accelerator)
        except RuntimeError as error:  # torch has no other kind for these
            if "DataLoader worker" in str(error):
                raise UserError(
                    "a process that reads the data was ended from outside, perhaps for want of memory; "
                    f"{out} goes on from its last checkpoint by the same command, if need be with "
                    "--set training.workers lower"
                ) from error
            if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
                raise UserError(
                    "out of memory; choose --set training.batch_size lower, into another folder"
                ) from error
            raise


def begin(recipe: Recipe, out: Path) -> Accelerator:
    """Return what runs a recipe, whose precision is settled now."""
    precision = precision_of(recipe.training.precision, out)
    recipe.training = recipe.training.model_copy(update={"precision": precision})
    AcceleratorState._reset_state()  # accelerate keeps the precision of an earlier run in this process
    # Without `cpu`, several processes on processors are each told that they are alone.
    return Accelerator(mixed_precision=precision, cpu=not torch.accelerator.is_available())


def seconds_a_step(recipe: Recipe, out: Path) -> float:
    """Return how long a step of one process takes here, by a few steps of which nothing is kept.

    A small batch is timed first; the whole batch only if its step is short.
    """
    accelerator = begin(recipe, out)
    players = _players(recipe, accelerator)
    whole, size = recipe.training, min(2, recipe.training.batch_size)
    recipe.training = whole.model_copy(update={"batch_size": size, "workers": 0})
    seconds = _timed(recipe, players, accelerator) * whole.batch_size / size
    if size < whole.batch_size and seconds < WHOLE_SECONDS:
        recipe.training = whole.model_copy(update={"workers": 0})
        seconds = _timed(recipe, players, accelerator)
    recipe.training = whole
    return seconds


def _timed(recipe: Recipe, players: Mapping[str, Player], accelerator: Accelerator) -> float:
    """The time of the second of two steps, late ones: by then all networks are trained."""
    last = recipe.training.steps
    batches = recipe.batches(last, 0, 1)
    began = 0.0
    for step in (last, last + 1):
        began = time.monotonic()
        take_step(recipe, players, next(batches), step, accelerator)
    return time.monotonic() - began


def _players(recipe: Recipe, accelerator: Accelerator) -> dict[str, Player]:
    """The networks that are trained, and their optimizers."""
    settings = recipe.training
    if settings.shard and accelerator.num_processes > 1:
        bare = wrapped = sharded(recipe, accelerator)
    else:
        bare = recipe.model.to(accelerator.device)
        wrapped = accelerator.prepare_model(bare)
    # Optimizers are not prepared: their state is ours to save, and they need no wrapping outside fp16.
    players = {"": Player(bare, wrapped, optimizer_of(bare, settings))}
    if isinstance(recipe, AdversarialRecipe):
        critic = recipe.critic.to(accelerator.device)
        players["critic."] = Player(critic, accelerator.prepare_model(critic), optimizer_of(critic, settings))
    return players


def _train(
    recipe: Recipe, out: Path, should_stop: Callable[[], bool], accelerator: Accelerator
) -> Iterator[Progress]:
    settings = recipe.training
    check_sharding(recipe)
    _claim(out, recipe, accelerator)
    torch.manual_seed(settings.seed)
    players = _players(recipe, accelerator)
    bare = players[""].bare
    average = EMAModel(held(bare.parameters()), decay=settings.ema_decay, foreach=True)
    state = out / "state.safetensors"
    step = load_state(state, players, average) if state.exists() else 0

    batches = recipe.batches(step, accelerator.process_index, accelerator.num_processes)
    report = Report(out, settings, accelerator, step)
    saved, in_a_row = step, 0
    try:
        while step < settings.steps and not in_any(should_stop(), accelerator):
            batch = _next(batches, saved)
            losses, taken = take_step(recipe, players, batch, step, accelerator)
            in_a_row = 0 if taken else in_a_row + 1
            if not taken:
                _left_out(out, batch, losses, step, saved, in_a_row, settings, accelerator)
            # Also of a step left out: its decay is a function of the step.
            average.step(held(bare.parameters()))
            step += 1

            report.add(losses if taken else {})
            validation = None
            if step % settings.validate_every == 0 or step == settings.steps:
                validation = _with_average(bare, average, lambda: recipe.validation_loss(bare))
                show = partial(recipe.show, recipe.model, report.board, step)
                _in_main(recipe, bare, average, accelerator, show)
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
        if step < settings.steps:  # it was asked to stop
            yield report.emit(step, None)
    finally:
        report.close()


def _next(batches: Iterator[Any], saved: int) -> Any:
    """The next batch.

    Raises:
        UserError: the data cannot be read any more.
    """
    try:
        return next(batches)
    except OSError as error:
        raise UserError(
            f"the data cannot be read: {error.strerror or first_line(error)}; once it is back, the same "
            f"command goes on from the last checkpoint, of step {saved}"
        ) from error


def _left_out(
    out: Path,
    batch: Any,
    losses: Mapping[str, Tensor],
    step: int,
    saved: int,
    in_a_row: int,
    settings: TrainingSettings,
    accelerator: Accelerator,
) -> None:
    """Keeps the batch of a step that was not taken, and stops the run unless it is to go on.

    Raises:
        UserError: the run stops here.
    """
    if accelerator.is_main_process:
        save_batch(out / BAD_BATCH, batch, step)
    if settings.on_nan == "skip" and in_a_row <= MOST_SKIPPED:
        return
    loss = sum(value.item() for value in losses.values())
    what = "the gradient is not finite" if math.isfinite(loss) else f"the loss is {loss}"
    times = f", {in_a_row} steps in a row" if in_a_row > MOST_SKIPPED else ""
    raise UserError(
        f"{what} at step {step}{times}; its batch is in {out / BAD_BATCH}, and the last checkpoint, of step "
        f"{saved}, is kept: go on from it with --set training.learning_rate lower, --set training.precision=no or "
        "--set training.on_nan=skip"
    )


def _with_average(model: torch.nn.Module, average: EMAModel, action: Any) -> Any:
    """Does something with the averaged weights in place, then puts the trained ones back."""
    weights = held(model.parameters())
    average.store(weights)
    average.copy_to(weights)
    model.eval()
    try:
        with torch.no_grad():
            return action()
    finally:
        average.restore(weights)
        model.train()


def _in_main(
    recipe: Recipe,
    bare: torch.nn.Module,
    average: EMAModel,
    accelerator: Accelerator,
    action: Callable[[], None],
) -> None:
    """Does something in the main process with all of the averaged weights in `recipe.model`."""
    if bare is not recipe.model:  # it is spread: all processes must give their parts
        fill(recipe.model, average.shadow_params, bare)
        if accelerator.is_main_process:
            action()
    elif accelerator.is_main_process:
        _with_average(bare, average, action)


def _checkpoint(
    out: Path,
    recipe: Recipe,
    average: EMAModel,
    players: Mapping[str, Player],
    step: int,
    accelerator: Accelerator,
) -> None:
    # The model first: killed between the two, the run does some steps again and exports again.
    _in_main(recipe, players[""].bare, average, accelerator, lambda: recipe.export(out / "model"))
    save_state(out / "state.safetensors", players, average, step, accelerator.is_main_process)
    accelerator.wait_for_everyone()


def _claim(out: Path, recipe: Recipe, accelerator: Accelerator) -> None:
    """Writes the run's settings, or checks that the run in `out` has these."""
    page = {"settings": recipe.settings.model_dump(mode="json"), "data": recipe.data_id}
    page["precision"] = recorded(out) or recipe.training.precision
    page["examples_a_step"] = recipe.training.batch_size * accelerator.num_processes
    path = out / "settings.json"
    if path.exists():
        try:
            old = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} is damaged; mend it, or name another folder") from error
        if not isinstance(old, dict):
            raise UserError(f"{path} is damaged; mend it, or name another folder")
        with suppress(
            ValidationError, KeyError, TypeError
        ):  # settings that came later had their defaults then
            old["settings"] = type(recipe.settings)(**old["settings"]).model_dump(mode="json")
            before = old["settings"]["training"]["batch_size"] * accelerator.num_processes
            old.setdefault("examples_a_step", before)  # of an earlier version: as many processes as now
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
