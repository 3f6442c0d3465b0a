"""`clipsonic train`: settings, the dry run, progress lines."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic.errors import UserError
from clipsonic.interfaces.progress import bar
from clipsonic.interfaces.settings import choose
from clipsonic.interfaces.telling import made, note, show
from clipsonic.settings.audio_encoder import AUDIO_ENCODER_PRESETS
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS
from clipsonic.settings.vocoder import VOCODER_PRESETS

if TYPE_CHECKING:
    from clipsonic.settings.spectrogram import SpectrogramSettings
    from clipsonic.settings.training import TrainingSettings
    from clipsonic.training.recipe import Recipe


def run_spectrogram(
    data: Path | None,
    pairs: Path | None,
    out: Path,
    preset: str,
    changes: list[str],
    condition_encoder: str | None,
    start: str | None,
    dry_run: bool,
) -> None:
    """Train a spectrogram model on a data set or fine-tune one on pairs, or print what would be trained."""
    if (data is None) == (pairs is None):
        raise UserError(
            "one of --data and --pairs must be given, " + ("got none" if data is None else "got both")
        )
    settings = choose(SPECTROGRAM_PRESETS, preset, changes)
    if pairs is not None and start is None:
        raise UserError("--pairs fine-tunes a model; name it with --from")
    if start is not None:
        from clipsonic.model_folder import resolve
        from clipsonic.training.starting import settings_of

        of_model = settings_of(resolve(start), SPECTROGRAM_PRESETS[preset], condition=pairs is not None)
        settings = choose({preset: of_model}, preset, changes)
    if pairs is not None:
        assert start is not None
        if condition_encoder is not None:
            raise UserError(
                "--pairs reads captions with the model's own encoder; leave out --condition-encoder"
            )
        return _run_pairs(settings, pairs, out, start, dry_run)
    assert data is not None
    from clipsonic.data.shards import read_info

    read_info(data)  # refuses what is no data set
    announce("spectrogram model", settings.training, out, dry_run)

    from clipsonic.encoders.load import load_audio_encoder
    from clipsonic.model_folder import resolve
    from clipsonic.training.spectrogram import SpectrogramRecipe

    encoder = None if condition_encoder is None else load_audio_encoder(condition_encoder)
    recipe = SpectrogramRecipe(settings, data, encoder, None if start is None else resolve(start))
    if start is not None:
        bridges = "bridges" if recipe.keeps_bridges else "no bridges, which need its encoder"
        note(f"it starts from {start} and keeps its vocoder and {bridges}")
    about = f"{data}, {len(recipe.clips)} training clips, encoder {recipe.encoder.id}"
    run_training(recipe, out, about, len(recipe.clips), dry_run)


def _run_pairs(settings: "SpectrogramSettings", pairs: Path, out: Path, start: str, dry_run: bool) -> None:
    from clipsonic.data.sound_pairs import read_pairs
    from clipsonic.model_folder import resolve

    read_pairs(pairs)  # a wrong list is refused before anything slow
    announce("spectrogram model", settings.training, out, dry_run)

    from clipsonic.training.pairs import PairsRecipe

    recipe = PairsRecipe(settings, pairs, resolve(start), note)
    note(
        f"it starts from {start} and keeps its encoder, vocoder and bridges; "
        f"captions are taken over the bridge {recipe.bridge}"
    )
    about = f"{pairs}, {recipe.examples} training pairs, encoder {recipe.encoder.id}"
    run_training(recipe, out, about, recipe.examples, dry_run)


def run_vocoder(data: list[Path], out: Path, preset: str, changes: list[str], dry_run: bool) -> None:
    """Trains a vocoder, or prints what would be trained."""
    settings = choose(VOCODER_PRESETS, preset, changes)
    announce("vocoder", settings.training, out, dry_run)

    from clipsonic.training.vocoder import VocoderRecipe

    recipe = VocoderRecipe(settings, data, note)
    about = f"{len(recipe.waves)} recordings in {', '.join(map(str, data))}"
    run_training(recipe, out, about, len(recipe.waves), dry_run)


def run_audio_encoder(data: Path, out: Path, preset: str, changes: list[str], dry_run: bool) -> None:
    """Trains a language-audio encoder, or prints what would be trained."""
    settings = choose(AUDIO_ENCODER_PRESETS, preset, changes)
    announce("audio encoder", settings.training, out, dry_run)

    from clipsonic.training.audio_encoder import AudioEncoderRecipe

    recipe = AudioEncoderRecipe(settings, data)
    about = f"{data}, {len(recipe.crops)} training clips of {len(recipe.crops.labels)} labels"
    run_training(recipe, out, about, len(recipe.crops), dry_run)


def announce(what: str, training: "TrainingSettings", out: Path, dry_run: bool = False) -> None:
    """Say what will be trained and in which precision, before anything slow is begun."""
    if dry_run:
        return
    from clipsonic.training.precision import WORDS, precision_of, recorded

    precision = precision_of(training.precision, out)
    if training.precision != "auto":
        why = ""
    elif recorded(out):
        why = ", as this run began"
    else:
        why = ", which this machine computes in" if precision == "bf16" else ": this machine has no bfloat16"
    steps = f"{training.steps} steps of {training.batch_size}"
    note(f"training the {what}: {steps}, in {WORDS[precision]}{why}; into {out}")


def run_training(recipe: "Recipe", out: Path, about: str, examples: int, dry_run: bool) -> bool:
    """Train whatever it is with progress, or print what would be trained.

    Args:
        about: the data, in a line.
        examples: how many there are, an epoch.

    Returns:
        Whether Ctrl-C came during the last step: the training is done, and what would follow should not begin.

    Raises:
        KeyboardInterrupt: Ctrl-C came before; the steps so far are saved.
    """
    training = recipe.training
    if dry_run:
        from clipsonic.training.precision import WORDS

        parameters = sum(weight.numel() for weight in recipe.model.parameters())
        epochs = training.steps * training.batch_size / examples
        page = {"settings": recipe.settings.model_dump(mode="json"), "data": about, "examples": examples}
        page |= {"parameters": parameters, "steps": training.steps, "epochs": epochs, "out": str(out)}
        step = measured(recipe, out)
        precision = recipe.training.precision  # settled when it was measured
        page |= {"precision": precision, "seconds_a_step": step, "seconds": step * training.steps}
        lines = [
            recipe.settings.model_dump_json(indent=2),
            f"data: {about}",
            f"model: {parameters / 1e6:.1f} M parameters",
            f"would train {training.steps} steps of {training.batch_size}, {epochs:.0f} epochs, into {out}",
            f"time: about {duration(step * training.steps)} here, {step:.2g} s a step in {WORDS[precision]}",
        ]
        show(page, "\n".join(lines))
        return False

    from clipsonic.training.loop import train

    began, numbers, step = time.monotonic(), {}, 0
    with (
        bar("steps") as progress,
        asked_to_stop() as should_stop,
        closing(train(recipe, out, should_stop)) as states,
    ):
        task = progress.add_task("training", total=training.steps, note="")
        for state in states:
            step = state.step
            losses = ", ".join(f"{name} {value:.4f}" for name, value in state.losses.items())
            words = f"{losses}, {state.examples_per_second:.1f} examples/s"
            words += f", {state.skipped} steps left out" if state.skipped else ""
            progress.update(task, completed=state.step, note=words)
            numbers = {"losses": state.losses, "held_out_loss": state.validation_loss}
            if state.validation_loss is not None:
                note(
                    f"step {state.step}: {words}, held out {state.validation_loss:.4f}, "
                    f"{state.seconds_left / 60:.0f} min left"
                )
        if should_stop() and step < training.steps:
            note(f"stopped at step {step}, saved in {out}; rerun the same command to resume")
            raise KeyboardInterrupt
        stopping = should_stop()
    seconds = round(time.monotonic() - began, 1)  # of this stretch
    page = {"model": str(out / "model"), "steps": training.steps, "seconds": seconds} | numbers
    made(page, f"model: {out / 'model'}")
    return stopping


def measured(recipe: "Recipe", out: Path) -> float:
    """Return the seconds of a training step here; nothing of it is kept."""
    from clipsonic.training.loop import seconds_a_step

    note("timing a step")
    return seconds_a_step(recipe, out)


def duration(seconds: float) -> str:
    """Return a time in the words of an estimate."""
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}" if seconds >= 10 * size else f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """While inside, the first Ctrl-C only makes the yielded function say yes; a second one interrupts."""
    asked = False

    def stop(number: int, frame: Any) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, before)
        note("stopping after this step; Ctrl-C again to stop at once and lose what is not saved")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
