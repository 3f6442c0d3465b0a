"""`--device`: the networks that embed and measure go to the device that was named, each where it is loaded."""

from pathlib import Path
from typing import Any

import pytest
import torch

from clipsonic.errors import UserError
from clipsonic.evaluation.embeddings import load_sound_embedding
from clipsonic.interfaces import evaluate_audio, prepare
from clipsonic.interfaces.prepare import choose_encoder

# "meta" is a device without memory: networks can be moved there on any machine.


class Seen(Exception):
    """Ends a command where its networks have been handed on."""


def test_an_encoder_is_loaded_onto_the_device(tiny_model) -> None:
    assert choose_encoder(str(tiny_model), "meta").device.type == "meta"
    assert choose_encoder(str(tiny_model)).device.type == "cpu"


def test_an_ear_is_loaded_onto_the_device() -> None:
    ear: Any = load_sound_embedding("mini", "meta")
    assert ear.encoder.device.type == "meta"


def test_prepare_embeds_on_the_device(videos, tiny_model, tmp_path, monkeypatch) -> None:
    found = []

    def preparing(videos: Any, out: Path, encoder: Any, *others: Any, **named: Any) -> Any:
        found.append(encoder.device.type)
        raise Seen

    monkeypatch.setattr(prepare, "prepare", preparing)
    with pytest.raises(Seen):
        prepare.run([videos], tmp_path / "data", str(tiny_model), 10.0, 1, device="meta")
    assert found == ["meta"]


def test_sounds_are_measured_on_the_device(tmp_path, monkeypatch) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.wav").touch()

    def measuring(made: Any, real: Any, ear: Any, eye: Any, scorer: Any, choices: Any, *others: Any) -> Any:
        raise Seen(ear.encoder.device.type, eye.encoder.device.type, scorer.device.type)

    monkeypatch.setattr(evaluate_audio, "measure", measuring)
    with pytest.raises(Seen) as seen:
        evaluate_audio.run_audio(tmp_path, tmp_path, None, "mini", None, "mini", [], None, "meta")
    assert seen.value.args == ("meta", "meta", "meta")


def test_the_gap_is_measured_on_the_device(labelled, tiny_model, tmp_path, monkeypatch) -> None:
    from clipsonic.evaluation import gap
    from clipsonic.interfaces.evaluate import run_gap

    def measuring(pairs: Any, encoder: Any, bridges: Any, *others: Any) -> Any:
        raise Seen(len(pairs), encoder.device.type)

    monkeypatch.setattr(gap, "measure_gap", measuring)
    with pytest.raises(Seen) as seen:
        run_gap(str(tiny_model), labelled, tmp_path / "gap", [], [], [], None, 0, device="meta")
    assert seen.value.args == (1, "meta")  # one frame of the one held-out clip


def test_captioned_pictures_are_embedded_on_the_device(tiny_model, tmp_path, monkeypatch) -> None:
    from clipsonic.interfaces import train_bridges

    def pairing(listed: Any, encoder: Any, *others: Any) -> Any:
        raise Seen(encoder.device.type)

    (tmp_path / "list.csv").write_text("path,caption\na.png,noise\n")
    monkeypatch.setattr(train_bridges, "captioned_pairs", pairing)
    with pytest.raises(Seen) as seen:
        train_bridges.run_bridge(
            "linear", tmp_path / "b", None, tmp_path / "list.csv", str(tiny_model), device="meta"
        )
    assert seen.value.args == ("meta",)


@pytest.mark.parametrize(
    "run",
    [
        lambda folder: prepare.run([folder], folder / "o", "mini", 10.0, 1, device="none"),
        lambda folder: evaluate_audio.run_audio(
            folder, folder, None, "mini", None, "mini", None, None, "none"
        ),
    ],
)
def test_a_device_that_is_not_there_is_refused(tmp_path, run) -> None:
    with pytest.raises(UserError, match="no device 'none'"):
        run(tmp_path)
    assert not list(tmp_path.iterdir())
    assert torch.get_default_device().type == "cpu"
