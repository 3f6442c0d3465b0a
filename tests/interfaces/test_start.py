"""What keeps the start of a command short."""

import gc
import importlib
import subprocess
import sys
from importlib.util import find_spec

import pytest

from clipsonic.interfaces.start import absent, uncollected

# What the command has imported at its end, and how often the collector went through everything meanwhile.
PROGRAM = """
import gc, sys
full = []
gc.callbacks.append(lambda phase, found: full.append(phase) if found["generation"] == 2 else None)
from clipsonic.interfaces.cli import main
try: main()
except SystemExit as stop: assert not stop.code, stop
unwanted = {"scipy", "sklearn", "pandas", "torchvision", "tensorboard", "matplotlib.pyplot", "ftfy", "av", "pytest"}
assert not unwanted & set(sys.modules), unwanted & set(sys.modules)
assert not full, full
"""


def test_generate_imports_no_more_than_it_needs(tiny_model, tmp_path) -> None:
    """Without a look at the clock: it took 11 s where collector and scipy took a good third of them."""
    sound = tmp_path / "dog.wav"
    words = ["generate", "a dog", "--model", tiny_model, "--seconds", "1", "-o", sound]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sound.exists()


def test_the_collector_rests_and_wakes() -> None:
    before = gc.get_freeze_count()
    with pytest.raises(KeyError), uncollected():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    assert gc.get_freeze_count() > before
    gc.unfreeze()


def test_a_package_that_is_there_seems_absent(tmp_path, monkeypatch) -> None:
    (tmp_path / "clipsonic_test_extra.py").write_text("there = True")
    monkeypatch.syspath_prepend(tmp_path)
    name = "clipsonic_test_extra"
    with absent(name):
        assert find_spec(name) is None
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)
    assert importlib.import_module(name).there
    with absent(name):  # too late: who has it keeps it
        assert importlib.import_module(name).there
    del sys.modules[name]
