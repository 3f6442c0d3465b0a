"""bfloat16 where the hardware has it, else float32; a run keeps what it began with."""

import json

import pytest
import torch

from clipsonic.interfaces.train import announce, duration
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS
from clipsonic.settings.training import TrainingSettings
from clipsonic.training import precision
from clipsonic.training.precision import has_bf16, precision_of, recorded


@pytest.mark.parametrize(
    ("found", "right"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"neon": True}, False),
        ({"neon": True, "bf16": True}, True),
    ],
)
def test_a_processor_is_asked_for_its_instructions(monkeypatch, found, right) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert has_bf16() is right


def test_a_gpu_is_asked_without_emulation(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    assert not has_bf16()


def test_presets_of_small_machines_leave_it_to_the_machine(tmp_path, monkeypatch) -> None:
    assert SPECTROGRAM_PRESETS["mini"].training.precision == "auto"
    assert SPECTROGRAM_PRESETS["paper"].training.precision == "no"
    for has, right in ((True, "bf16"), (False, "no")):
        monkeypatch.setattr(precision, "has_bf16", lambda has=has: has)
        assert precision_of("auto", tmp_path) == right
    assert precision_of("fp16", tmp_path) == "fp16"


@pytest.mark.parametrize(
    "page",
    [
        {"precision": "bf16", "settings": {"training": {"precision": "auto"}}},
        {"settings": {"training": {"precision": "bf16"}}},  # of an earlier version
    ],
)
def test_a_run_keeps_the_precision_it_began_with(tmp_path, monkeypatch, page) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda: False)
    (tmp_path / "settings.json").write_text(json.dumps(page))
    assert recorded(tmp_path) == precision_of("auto", tmp_path) == "bf16"
    assert precision_of("no", tmp_path) == "no"  # said outright


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"precision": "int4"}', '{"settings": 5}'])
def test_a_damaged_record_says_nothing(tmp_path, content) -> None:
    (tmp_path / "settings.json").write_text(content)
    assert recorded(tmp_path) is None


def test_the_first_line_says_the_precision(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda: False)
    announce("vocoder", TrainingSettings(precision="auto", steps=7, batch_size=3), tmp_path / "run")
    said = " ".join(capsys.readouterr().err.split())
    assert "7 steps of 3, in float32: this machine has no bfloat16" in said
    announce("vocoder", TrainingSettings(precision="auto"), tmp_path / "run", dry_run=True)
    assert capsys.readouterr().err == ""


def test_how_long_is_said_in_fitting_units() -> None:
    assert [duration(s) for s in (3, 200, 9000, 100_000, 1e6)] == [
        "3 s",
        "3.3 min",
        "2.5 h",
        "28 h",
        "12 days",
    ]
