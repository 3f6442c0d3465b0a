"""Completion in the shell: what it offers, from tables that it does not import, and in a real bash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clipsonic.diffusion.sampling import SOLVERS
from clipsonic.interfaces import choices
from clipsonic.interfaces.asking import FOLLOW, MEAN
from clipsonic.interfaces.engine import BACKENDS, PRECISIONS
from clipsonic.interfaces.naming import SOUNDS
from clipsonic.interfaces.reproduce.presets import REPRODUCTIONS
from clipsonic.parts import BRIDGES
from clipsonic.settings.audio_encoder import AUDIO_ENCODER_PRESETS
from clipsonic.settings.prior import PRIOR_PRESETS
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS
from clipsonic.settings.vocoder import VOCODER_PRESETS


def test_what_is_offered_is_what_there_is() -> None:
    for offered, there in (
        (choices.BRIDGES, ("zs", *BRIDGES)),
        (choices.SCHEDULERS, SOLVERS),
        (choices.PRECISIONS, PRECISIONS),
        (choices.BACKENDS, BACKENDS),
        (choices.FRAMES, (FOLLOW, MEAN)),
        (choices.FORMATS, [kind[1:] for kind in SOUNDS]),
        (choices.SPECTROGRAMS, SPECTROGRAM_PRESETS),
        (choices.VOCODERS, VOCODER_PRESETS),
        (choices.AUDIO_ENCODERS, AUDIO_ENCODER_PRESETS),
        (choices.PRIORS, PRIOR_PRESETS),
        (choices.REPRODUCTIONS, REPRODUCTIONS),
    ):
        assert set(offered) == set(there)


def test_models_in_the_package_and_in_the_hubs_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("models--someone--rain", "models--someone--no-model", "datasets--someone--rain"):
        (tmp_path / name / "snapshots" / "0").mkdir(parents=True)
    (tmp_path / "models--someone--rain/snapshots/0/model_index.json").touch()
    assert choices.models("") == ["mini", "someone/rain"]
    assert choices.models("some") == ["someone/rain"]
    assert choices.models("run/") == []


def test_completing_imports_nothing_heavy() -> None:
    code = (
        "import sys, clipsonic.interfaces.cli as cli\n"
        "sys.argv = ['clipsonic']\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert not end.code, end\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    asked = {
        "_CLIPSONIC_COMPLETE": "complete_bash",
        "COMP_WORDS": "clipsonic generate --model ",
        "COMP_CWORD": "3",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "mini" in done.stdout.split()


@pytest.fixture
def program(tmp_path) -> Path:
    """A folder with `clipsonic`, as it is installed."""
    script = tmp_path / "clipsonic"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m clipsonic "$@"\n')
    script.chmod(0o755)
    return tmp_path


TYPED = {
    "clipsonic ge": ["generate"],
    "clipsonic train bridge ": ["shift", "linear", "retrieval"],
    "clipsonic generate rain --scheduler d": ["ddpm", "ddim", "dpm++"],
    "clipsonic models fetch cl": ["clip", "clap"],
    "clipsonic generate --image st": [],  # then bash offers files
}


@pytest.mark.slow
def test_in_bash(program) -> None:
    if not (bash := shutil.which("bash")):
        pytest.skip("no bash here")
    script = """
    source <(clipsonic completion bash)
    for line in "$@"; do
        read -ra COMP_WORDS <<< "$line"
        [[ $line == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
        _clipsonic_completion clipsonic
        echo "$line=>${COMPREPLY[*]}"
    done
    complete -p clipsonic
    """
    done = subprocess.run(
        [bash, "-c", script, "bash", *TYPED],
        env=os.environ | {"PATH": f"{program}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    *lines, last = done.stdout.splitlines()
    assert {line.split("=>")[0]: line.split("=>")[1].split() for line in lines} == TYPED
    assert "-o default" in last


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_can_read_their_script(clipsonic_command, shell) -> None:
    code, script = clipsonic_command("completion", shell)
    assert (code, f"complete_{shell}" in script) == (0, True), script
    if not (there := shutil.which(shell)):
        pytest.skip(f"no {shell} here")
    done = subprocess.run([there, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_shell(clipsonic_command) -> None:
    code, said = clipsonic_command("completion", "tcsh")
    assert (code, said) == (2, "clipsonic: no completion for 'tcsh'; choose one of bash, zsh, fish\n")
