"""`clipsonic listen create`: systems' folders => a test in one folder."""

import secrets
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clipsonic import __version__
from clipsonic.errors import UserError
from clipsonic.files import whole_folder
from clipsonic.interfaces import telling
from clipsonic.interfaces.listen import sounds
from clipsonic.interfaces.listen.folder import new_folder
from clipsonic.interfaces.listen.material import Material, gather
from clipsonic.interfaces.listen.plan import (
    CLIPS,
    PAGES,
    PICTURES,
    SETUP,
    WELCOME,
    Asked,
    Heard,
    Plan,
    write_plan,
)
from clipsonic.interfaces.progress import bar

USUAL_TRIALS = 24  # clips a rater, for each of two questions
UNEVEN = 0.5  # seconds by which the systems' mean lengths may differ without a word


def run(
    test: Path,
    systems: Sequence[str],
    prompts: Path | None,
    most: int | None,
    trials: int | None,
    seconds: float | None,
    lufs: float,
    text: Path | None,
    title: str,
    seed: int | None,
) -> None:
    """Checks, measures, writes the folder whole or not at all, and says what it holds.

    Raises:
        UserError: whatever is wrong with what was asked for.
    """
    if seconds is not None and not 0.1 <= seconds <= 600:
        raise UserError(f"--seconds is {seconds}; it goes from 0.1 to 600")
    if seed is not None and seed < 0:
        raise UserError(f"--seed is {seed}; it is 0 or more")
    seed = secrets.randbits(32) if seed is None else seed
    welcome = _welcome(text)
    with new_folder(test, "choose another folder, or remove it with all its answers"):
        material = gather(systems, prompts, most, seed)
        pairs = len(material.prompts) * len(material.systems)
        count = _trials(trials, pairs, len(material.systems))
        paths = [path for row in material.sounds for path in row]
        rate = sounds.common_rate(paths)
        with bar("clips") as progress:
            task = progress.add_task("measuring", total=len(paths), note="")
            levels = sounds.match(
                paths, rate, seconds, lufs, lambda done: progress.update(task, completed=done)
            )
        try:
            with whole_folder(test) as folder:
                plan = _write(folder, material, levels, rate, seconds, count, title, seed)
                (folder / WELCOME).write_text(welcome, "utf-8")
        except OSError as error:
            raise UserError(f"cannot write to {test}: {error.strerror or error}") from error
    raters = -(-pairs // count)
    line = (
        f"{len(plan.prompts)} prompts, {len(plan.systems)} systems, {pairs} clips at {plan.lufs:g} LUFS; a rater "
        f"hears {count} of them, once for each question, in about {plan.minutes} minutes; {raters} raters hear all"
    )
    page = {
        "test": str(test),
        "clips": pairs,
        "trials": count,
        "minutes": plan.minutes,
        "raters_to_hear_all": raters,
        "notes": plan.notes,
    }
    for note in plan.notes:
        telling.note(note)
    telling.made(page, line)
    telling.note(f"next: clipsonic listen serve {test}")


def _welcome(text: Path | None) -> str:
    path = PAGES / WELCOME if text is None else text
    try:
        words = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as text: {error}") from error
    if not words.strip():
        raise UserError(f"{path} is empty; raters must be told what they agree to")
    return words


def _trials(asked: int | None, pairs: int, systems: int) -> int:
    if asked is not None:
        if not 1 <= asked <= pairs:
            raise UserError(
                f"--trials is {asked}; there are {pairs} clips to hear, and a rater hears one at least"
            )
        return asked
    return min(pairs, max(systems, USUAL_TRIALS - USUAL_TRIALS % systems))


def _write(
    folder: Path,
    material: Material,
    levels: sounds.Levels,
    rate: int,
    seconds: float | None,
    trials: int,
    title: str,
    seed: int,
) -> Plan:
    (folder / CLIPS).mkdir()
    (folder / PICTURES).mkdir()
    random = np.random.default_rng([seed, 3])
    asked, clips = [], []
    lengths = np.zeros((len(material.prompts), len(material.systems)))
    gains = iter(levels.decibels)
    for number, (prompt, row) in enumerate(zip(material.prompts, material.sounds, strict=True)):
        picture = None
        if prompt.image is not None:
            picture = f"{random.bytes(8).hex()}.jpg"
            sounds.write_picture(folder / PICTURES / picture, prompt.image)
        asked.append(Asked(name=prompt.name, text=prompt.text, picture=picture))
        for system, path in enumerate(row):
            name, gain = random.bytes(8).hex(), next(gains)
            wave = sounds.read_sound(path, rate, seconds)
            lengths[number, system] = len(wave) / rate
            sounds.write_clip(folder / CLIPS / f"{name}.flac", sounds.raised(wave, gain), rate)
            clips.append(Heard(name=name, prompt=number, system=system, source=str(path), decibels=gain))
    sounds.write_clip(folder / SETUP, sounds.setup_sound(rate, levels.lufs), rate)
    notes = list(levels.notes)
    means = lengths.mean(0)
    if np.ptp(means) > UNEVEN:
        said = ", ".join(f"{name} {mean:.1f} s" for name, mean in zip(material.systems, means, strict=True))
        notes.append(
            f"clips differ in length, which tells systems apart ({said}); --seconds cuts them to one"
        )
    plan = Plan(
        clipsonic=__version__,
        id=random.bytes(4).hex(),
        title=title,
        seed=seed,
        systems=material.systems,
        prompts=asked,
        clips=sorted(clips, key=lambda clip: clip.name),
        trials=trials,
        sample_rate=rate,
        lufs=levels.lufs,
        clip_seconds=round(float(lengths.mean()), 2),
        notes=notes,
    )
    write_plan(folder, plan)
    return plan
