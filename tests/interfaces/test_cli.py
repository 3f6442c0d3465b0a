"""Preparing and training from the command line, and what all commands share."""

import json
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

from clipsonic.data.shards import read_info
from clipsonic.errors import UserError
from clipsonic.interfaces.settings import named_folders


def test_help_imports_nothing_heavy() -> None:
    """The seconds that torch takes are felt only by those who need it."""
    code = (
        "import sys, clipsonic.interfaces.cli as cli\n"
        "sys.argv = ['clipsonic', '--help']\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'av', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("generate", "prepare", "train", "models"):
        assert command in done.stdout


def test_version(clipsonic_command) -> None:
    code, said = clipsonic_command("--version")
    assert (code, said.count(".")) == (0, 2)


def test_from_videos_to_sound(clipsonic_command, videos, tiny_model, tmp_path) -> None:
    """The whole road of a user's own videos."""
    data, run = tmp_path / "data", tmp_path / "run"
    code, said = clipsonic_command(
        "prepare", videos, "--out", data, "--encoder", tiny_model, "--workers", "1"
    )
    assert code == 0, said
    assert "6 clips" in said
    assert "skipped videos/mute.mp4: no audio track" in said
    tiny = ["unet.channels=[32]", "unet.blocks=1", "unet.attention_levels=[]", "training.batch_size=2"]
    small = [
        word
        for change in [*tiny, "training.steps=2", "diffusion.sampling_steps=3"]
        for word in ("--set", change)
    ]
    code, said = clipsonic_command("train", "spectrogram", "--data", data, "--out", run, "--dry-run", *small)
    assert code == 0, said
    assert '"steps": 2' in said
    assert "6 training clips" in said
    assert "s a step in" in said
    assert not run.exists()
    code, said = clipsonic_command("train", "spectrogram", "--data", data, "--out", run, *small)
    assert code == 0, said
    code, said = clipsonic_command("generate", "a dog", "--model", run / "model", "-o", tmp_path / "dog.wav")
    assert code == 0, said
    assert json.loads((tmp_path / "dog.json").read_text())["encoder"] == read_info(data).encoder_id


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["prepare", "{tmp}/gone", "--out", "{tmp}/data"], "does not exist"),
        (["prepare", "{tmp}/nothing", "--out", "{tmp}/data"], "no video found"),
        (["prepare", "{tmp}/text.mp4", "--out", "{tmp}/data", "--encoder", "clip"], "no encoder 'clip'"),
        (
            ["prepare", "{tmp}/text.mp4", "--out", "{tmp}/data", "--encoder", "{model}"],
            "no video gave a clip",
        ),
        (
            ["prepare", "{tmp}/text.mp4", "--out", "{tmp}/text.mp4", "--encoder", "{model}"],
            "cannot be written",
        ),
        (["prepare", "{tmp}/text.mp4", "--out", "{tmp}/data", "--clip-seconds", "1"], "clips of 1.0 s"),
        (
            ["prepare", "{tmp}/text.mp4", "--out", "{tmp}/data", "--encoder", "some/clip"],
            "config.json of some/clip is not here",
        ),
        (["train", "spectrogram", "--data", "{tmp}", "--out", "{tmp}/run"], "no prepared data set"),
        (
            ["train", "spectrogram", "--data", "{tmp}", "--out", "{tmp}/run", "--preset", "huge"],
            "no preset 'huge'",
        ),
        (
            ["train", "spectrogram", "--data", "{tmp}", "--out", "{tmp}/r", "--set", "a.b=1"],
            "there is no setting a.b",
        ),
        (
            ["train", "spectrogram", "--data", "{tmp}", "--out", "{tmp}/r", "--set", "training.steps=many"],
            "training.steps",
        ),
        (
            ["train", "spectrogram", "--data", "{tmp}", "--out", "{tmp}/r", "--set", "unet.channels=[40]"],
            "unet.channels",
        ),
    ],
)
def test_wrong_input_gets_one_line(clipsonic_command, tiny_model, tmp_path, words, said) -> None:
    (tmp_path / "text.mp4").write_text("this is no video")
    (tmp_path / "nothing").mkdir()
    code, printed = clipsonic_command(*[word.format(tmp=tmp_path, model=tiny_model) for word in words])
    assert code == 2, printed
    told = [line for line in printed.splitlines() if line.startswith("clipsonic: ")]
    assert len(told) == 1
    assert said in told[0]
    assert "Traceback" not in printed
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_ctrl_c_stops_training_between_two_steps(clipsonic_command, videos, tiny_model, tmp_path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    clipsonic_command("prepare", videos / "deep", "--out", data, "--encoder", tiny_model, "--workers", "1")
    tiny = ["unet.channels=[32]", "unet.blocks=1", "unet.attention_levels=[]", "training.batch_size=1"]
    changes = [
        word
        for change in [*tiny, "training.steps=100000", "training.checkpoint_every=7"]
        for word in ("--set", change)
    ]
    words = ["train", "spectrogram", "--data", str(data), "--out", str(run), *changes]
    process = subprocess.Popen([sys.executable, "-m", "clipsonic", *words], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (run / "state.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "stopping after this step" in said
    step = int(load_file(run / "state.safetensors")["step"])
    assert f"stopped at step {step}, saved in" in " ".join(said.split())
    assert "Traceback" not in said
    assert load_file(run / "state.safetensors")["step"] >= 7
    assert (run / "model" / "model_index.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["A"], "NAME=FOLDER"),
        (["=here"], "NAME=FOLDER"),
        (["A=nothere"], "no folder nothere"),
        (["A=.", "A=."], "A must be given once"),
    ],
)
def test_named_folders(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        named_folders("--system", words)
