"""Losses of a few steps of training, written down: what changes them has changed what is trained, or how.

Made once with `python -m tests.training.test_golden`, which prints the table anew after a change that was meant.
"""

from pathlib import Path
from types import SimpleNamespace

import pytest

from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS, SpectrogramSettings
from clipsonic.training import spectrogram
from clipsonic.training.loop import train
from clipsonic.training.spectrogram import SpectrogramRecipe
from tests.labelled_sounds import made, tone

STEPS = 4
GOLDEN = {
    "mini": [
        {"mse": 0.896725, "held out": 0.877614},
        {"mse": 0.765545, "held out": 0.838659},
        {"mse": 0.804377, "held out": 0.810408},
        {"mse": 0.788971, "held out": 0.784583},
    ],
    "paper": [
        {"mse": 0.995203, "bound": 0.0053045, "held out": 0.984083},
        {"mse": 0.952442, "bound": 0.00468617, "held out": 0.950852},
        {"mse": 0.908224, "bound": 0.0145464, "held out": 0.916793},
        {"mse": 0.920072, "bound": 0.0592195, "held out": 0.882264},
    ],
}


def settings_of(preset: str) -> SpectrogramSettings:
    """A preset with a network of a moment, and steps so large that how they are taken shows in the losses."""
    page = SPECTROGRAM_PRESETS[preset].model_dump()
    page["unet"] |= {"channels": (32, 32), "blocks": 1, "attention_levels": (1,), "attention_heads": 2}
    page["training"] |= {"steps": STEPS, "batch_size": 2, "precision": "no", "workers": 0}
    page["training"] |= {"learning_rate": 1e-3, "warmup_steps": 2, "weight_decay": 10.0, "ema_decay": 0.5}
    page["training"] |= {"log_every": 1, "validate_every": 1, "checkpoint_every": STEPS}
    return SpectrogramSettings.model_validate(page)


def losses(preset: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, float]]:
    """What each step says, and the held-out loss of the averaged weights after it."""
    sounds = [
        (None, split, tone(hertz, 5.0)) for hertz, split in ((220, "train"), (660, "train"), (440, "test"))
    ]
    data = made(folder / "data", sounds, encoder_id="made up")
    monkeypatch.setattr(spectrogram, "encoder_of", lambda _: SimpleNamespace(id="made up", embedding_dim=8))
    recipe = SpectrogramRecipe(settings_of(preset), data)
    monkeypatch.setattr(recipe, "export", lambda folder: None)
    return [
        {**state.losses, "held out": float(state.validation_loss)} for state in train(recipe, folder / "run")
    ]


@pytest.mark.parametrize("preset", ["mini", "paper"])
def test_losses_are_those_written_down(preset, tmp_path, monkeypatch) -> None:
    now, then = losses(preset, tmp_path, monkeypatch), GOLDEN[preset]
    assert now == [pytest.approx(step, rel=1e-4) for step in then]


if __name__ == "__main__":
    import tempfile

    for name in ("mini", "paper"):
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as scratch:
            for step in losses(name, Path(scratch), patch):
                print(name, {key: float(f"{value:.6g}") for key, value in step.items()})  # noqa: T201
