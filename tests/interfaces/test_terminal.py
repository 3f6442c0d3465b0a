"""The manners of the program: what it says where, how it ends, and what its help promises."""

import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from safetensors.torch import load_file
from typer.main import get_command

from clipsonic.interfaces import progress, telling
from clipsonic.interfaces.cli import app, gather_numbers, main
from clipsonic.interfaces.options import EXIT_CODES
from clipsonic.interfaces.stopping import terminable, unbroken
from tests.helpers import TINY

DOCS = Path(__file__).parents[2] / "docs"
SMALL = ["unet.channels=[32]", "unet.blocks=1", "unet.attention_levels=[]", "training.batch_size=1"]
SMALL = [
    word for change in [*SMALL, "training.steps=3", "training.log_every=1"] for word in ("--set", change)
]
Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(monkeypatch, capsys) -> Said:
    """Runs the command line in this process => (exit code, standard output, error stream)."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["clipsonic", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return run


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# Help


def make_cli(name: str = "make_cli") -> object:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_all_commands_is_up_to_date() -> None:
    assert (DOCS / "cli.md").read_text("utf-8") == make_cli().page(), "run: python docs/make_cli.py"


def test_the_page_of_all_settings_is_up_to_date() -> None:
    page = make_cli("make_settings").page()
    assert (DOCS / "settings.md").read_text("utf-8") == page, "run: python docs/make_settings.py"
    assert "| `training.precision` | " in page
    assert "| `generator.width` | " in page


def test_every_help_ends_with_examples_that_parse() -> None:
    program, page = get_command(app), make_cli()
    found = dict(page.commands(program))
    assert len(found) >= 17
    for name, command in found.items():
        lines = page.examples(command)
        assert 1 <= len(lines) <= 3, name
        for line in lines:
            words = gather_numbers(shlex.split(line.split(" > ")[0]))
            assert " ".join(words).startswith(name), line
            place, rest = program, words[1:]
            while rest and rest[0] in getattr(place, "commands", {}):
                place, *rest = place.commands[rest[0]], *rest[1:]
            with place.make_context(name, rest):  # refuses unknown options and values
                pass


def test_the_help_names_the_exit_codes_and_the_examples(said) -> None:
    code, out, err = said("--help")
    assert (code, err) == (0, "")
    for number, meaning in EXIT_CODES.items():
        assert f"{number}: {meaning}" in out
    _, out, _ = said("train", "bridge", "--help")
    assert "$ clipsonic train bridge linear --data data --out linear\n" in re.sub(r" +\n", "\n", out)


# What is said where


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_quiet_and_json(said, tiny_model, before) -> None:
    words = ["generate", "rain", "--model", tiny_model, "--seconds", "1", "-o", "rain.wav", "--seed", "7"]
    words.append("--overwrite")

    def with_options(*options: str) -> list[str | Path]:
        return [*options, *words] if before else [*words, *options]

    code, out, err = said(*words)
    assert (code, out, err) == (0, "", "rain.wav  rain.png  rain.json  seed 7\n")
    assert said(*with_options("--quiet")) == (0, "", "")
    code, out, err = said(*with_options("--json"), "-n", "2")
    assert (code, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["file"] for row in rows] == ["rain-1.wav", "rain-2.wav"]
    assert [row["seed"] for row in rows] == [7, 8]
    for row in rows:
        assert json.loads(Path(row["sidecar"]).read_text())["seed"] == row["seed"]
        assert soundfile.info(row["file"]).duration == pytest.approx(row["seconds"])


def test_what_stands_after_two_dashes_is_no_option(said, tiny_model) -> None:
    code, out, err = said("generate", "--model", tiny_model, "--seconds", "1", "-o", "a.wav", "--", "--json")
    assert (code, out) == (0, "")
    assert err.startswith("a.wav")
    assert json.loads(Path("a.json").read_text())["texts"] == ["--json"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["generate", "rain", "--nope"], "No such option: --nope"),
        (["nonsense"], "No such command 'nonsense'"),
        (["generate", "rain", "--steps", "many"], "--steps"),
        (["prepare", "gone", "--out", "data"], "gone does not exist"),
        (["generate", "--image", "gone.png"], "no picture gone.png"),
        (["train", "spectrogram", "--data", "gone", "--out", "run"], "no prepared data set"),
    ],
)
def test_errors_are_told_on_the_error_stream(said, tmp_path, words, why) -> None:
    code, out, err = said(*words, "--quiet")
    assert (code, out) == (2, "")
    assert why in " ".join(err.replace("│", " ").split())
    code, out, err = said(*words, "--json")
    assert (code, out) == (2, "")
    assert why in json.loads(err)["error"]
    assert list(json.loads(err)) == ["error"]
    assert not list(tmp_path.iterdir())


def test_many_as_json(said, tiny_model) -> None:
    rows = [{"prompt": "rain", "seed": 3}, {"image": "gone.png"}, {"prompt": "a dog", "file": "dog.wav"}]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = ["generate", "--prompts", "rows.jsonl", "--out", "clips", "--model", tiny_model]
    code, out, err = said(*words, "--seconds", "1", "--steps", "1", "--json")
    assert code == 2
    *made, last = [json.loads(line) for line in out.splitlines()]
    assert {row["row"]: Path(row["file"]).name for row in made} == {1: "00001-rain.wav", 3: "dog.wav"}
    assert last == {"folder": "clips", "rows": 3, "clips": 2, "before": 0}
    told = [json.loads(line) for line in err.splitlines()]
    assert [row.get("row") for row in told] == [2, None]
    assert "gone.png" in told[0]["error"]


def test_of_several_processes_one_speaks(said, monkeypatch, tiny_model) -> None:
    monkeypatch.setenv("RANK", "1")
    words = ["generate", "rain", "--model", tiny_model, "--seconds", "1", "-o", "rain.wav", "--overwrite"]
    assert said(*words) == said(*words, "--json") == (0, "", "")


def test_steps_gather_what_is_made_in_them(capsys) -> None:
    telling.begin(["--json"])
    with telling.collected() as pages:
        telling.made({"model": "a"}, "")
    telling.made({"step": "train", "made": pages}, "")
    telling.begin([])
    assert json.loads(capsys.readouterr().out) == {"step": "train", "made": [{"model": "a"}]}


# Progress


def test_lines_where_there_is_no_terminal(monkeypatch, capsys) -> None:
    telling.begin([])

    def work() -> str:
        with progress.bar("steps") as bar:
            task = bar.add_task("training", total=20, note="")
            for step in range(1, 6):
                time.sleep(0.01)
                bar.update(task, completed=step, note="loss 0.5")
        return capsys.readouterr().err

    assert work() == ""  # quicker than the first line
    monkeypatch.setattr(progress, "EVERY", 0.0)
    lines = work().splitlines()
    assert len(lines) == 5
    assert re.fullmatch(r"training: 5 of 20 steps, 0:00:0\d left, loss 0\.5", lines[-1])
    telling.begin(["--quiet"])
    assert work() == ""
    telling.begin([])


class Terminal:
    """A command in a terminal of some width; its error stream is the terminal."""

    def __init__(self, width: int, *words: str | Path, **env: str) -> None:
        pty = pytest.importorskip("pty")
        import fcntl
        import struct
        import termios

        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clipsonic", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            env=inherited | {"OMP_NUM_THREADS": "1", "TERM": "xterm-256color"} | env,
        )
        os.close(theirs)

    def shown(self, until: str | None = None) -> str:
        """What is drawn until that, or to the end."""
        text = ""
        while until is None or until not in text:
            try:
                piece = os.read(self.ours, 65_536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            text += piece.decode("utf-8", "replace")
        return text


@pytest.mark.slow
def test_a_bar_in_a_narrow_terminal_and_sigterm(tiny_model, tmp_path) -> None:
    words = ["generate", "rain", "--model", tiny_model, "--steps", "1000", "--seconds", "60", "--json"]
    terminal = Terminal(34, *words, "-o", tmp_path / "rain.wav", NO_COLOR="1")
    drawn = terminal.shown(until="generating: ")
    drawn += terminal.shown(until=" of 1,000")
    terminal.process.send_signal(signal.SIGTERM)
    drawn += terminal.shown()
    out = terminal.process.communicate(timeout=60)[0]
    assert (terminal.process.returncode, out) == (130, ""), drawn
    assert drawn.endswith('{"error": "stopped"}\r\n')
    assert not list(tmp_path.glob("*rain*")) + list(tmp_path.glob(".clipsonic*"))
    assert "\x1b[9" not in drawn  # no colour
    assert "\x1b[3" not in drawn
    frames = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn))
    bars = [frame for frame in frames if "generating" in frame]
    assert bars
    assert max(map(len, bars)) <= 34


@pytest.mark.parametrize("words", [["models"], ["models", "--json"], ["generate", "--help"]])
def test_a_reader_that_has_gone(words) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-m", "clipsonic", *words],
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("word", ["models", "--help"])
def test_a_full_disk(word) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "clipsonic", word],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


# Stopping


@pytest.fixture
def stopped_at_work(monkeypatch) -> Callable[[int], list[int]]:
    """The signal comes when a command first says how far it is => the times it came."""

    def prepare(number: int) -> list[int]:
        came: list[int] = []
        update = progress._Lines.update

        def also(self: progress._Lines, task_id: int, **changes: object) -> None:
            update(self, task_id, **changes)
            if changes.get("completed") and not came:
                came.append(number)
                signal.raise_signal(number)

        monkeypatch.setattr(progress._Lines, "update", also)
        return came

    return prepare


def whole(folder: Path) -> int:
    """Checks that every file can be read to its end => how many there are."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        assert not path.name.endswith(".part"), path
        assert not any(part.startswith(".clipsonic-") for part in path.parts), path
        match path.suffix:
            case ".json":
                json.loads(path.read_text())
            case ".wav" | ".flac":
                soundfile.read(path)
            case ".png":
                Image.open(path).load()
            case ".safetensors":
                load_file(path)
    return len(files)


SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_generate_leaves_nothing(said, stopped_at_work, tiny_model, tmp_path, number) -> None:
    came = stopped_at_work(number)
    code, out, err = said("generate", "rain", "--model", tiny_model, "--seconds", "1", "-n", "2")
    assert (code, out, err, came) == (130, "", "clipsonic: stopped\n", [number])
    assert whole(tmp_path) == 0


def test_generate_leaves_whole_clips(said, tiny_model, tmp_path, monkeypatch) -> None:
    """Ctrl-C while the first of two is being written."""
    write = soundfile.write

    def interrupted(path: Path, *rest: object, **more: object) -> None:
        signal.raise_signal(signal.SIGINT)
        write(path, *rest, **more)

    monkeypatch.setattr(soundfile, "write", interrupted)
    words = ["generate", "rain", "--model", tiny_model, "--seconds", "1", "-n", "2"]
    assert said(*words)[0] == 130
    assert {path.name for path in tmp_path.iterdir()} == {"rain-1.wav", "rain-1.png", "rain-1.json"}
    assert whole(tmp_path) == 3


@pytest.mark.slow
def test_prepare_and_train_go_on(said, stopped_at_work, videos, tiny_model, tmp_path) -> None:
    prepare = ["prepare", videos, "--out", "data", "--encoder", tiny_model, "--workers", "1"]
    train = ["train", "spectrogram", "--data", "data", "--out", "run", *SMALL]
    pages = []
    for words, number in ((prepare, signal.SIGINT), (train, signal.SIGTERM)):
        came = stopped_at_work(number)
        code, out, err = said(*words, "--json", "--quiet")
        assert (code, out, json.loads(err), came) == (130, "", {"error": "stopped"}, [number])
        assert whole(tmp_path / str(words[words.index("--out") + 1])) > 1
        code, out, err = said(*words, "--json", "--quiet")
        assert (code, err) == (0, "")
        pages.append(json.loads(out))
    data, run = pages
    assert (data["data"], data["clips"]) == ("data", 6)
    assert data["skipped"]["videos/mute.mp4"] == "no audio track"
    assert (run["model"], run["steps"], load_file("run/state.safetensors")["step"]) == ("run/model", 3, 3)
    assert all(np.isfinite(value) for value in run["losses"].values())
    code, out, _ = said(*train, "--dry-run", "--json")
    page = json.loads(out)
    assert (code, page["steps"], page["examples"], page["settings"]["training"]["steps"]) == (0, 3, 6, 3)


@pytest.mark.slow
def test_evaluate_leaves_nothing_half_written(said, stopped_at_work, tmp_path, monkeypatch) -> None:
    random = np.random.default_rng(0)
    for name in ("made/1.wav", "made/2.wav", "real/1.wav", "real/2.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, random.normal(0, 0.1, 32_000), 16_000)
    words = [
        "evaluate",
        "audio",
        "made",
        "--reference",
        "real",
        "--embedding",
        "mini",
        "--images-with",
        "none",
    ]
    came = stopped_at_work(signal.SIGINT)
    code, out, _ = said(*words, "--out", "scores")
    assert (code, out, came) == (130, "", [signal.SIGINT])
    assert not (tmp_path / "scores").exists()
    whole(tmp_path)
    code, out, _ = said(*words, "--out", "scores", "--json", "--quiet")
    assert (code, json.loads(out)) == (0, json.loads(Path("scores/audio.json").read_text()))


@pytest.mark.slow
def test_reproduce_leaves_nothing_half_written(said, stopped_at_work, held_out, tiny_model, tmp_path) -> None:
    words = [
        "reproduce",
        "--data",
        held_out,
        "--model",
        tiny_model,
        "--vocoder",
        "griffin-lim",
        "--out",
        "work",
        *TINY,
    ]
    code, out, _ = said(*words, "--dry-run", "--json")
    assert code == 0
    assert {"step", "what", "flop", "hours_here"} <= set(json.loads(out)["steps"][0])
    came = stopped_at_work(signal.SIGTERM)
    code, out, err = said(*words, "--json", "--quiet")
    assert (code, json.loads(err.splitlines()[-1]), came) == (130, {"error": "stopped"}, [signal.SIGTERM])
    assert not Path("work/report.html").exists()
    assert whole(tmp_path / "work") > 1


def test_signals_in_a_block_that_is_not_broken_off() -> None:
    done = False
    with pytest.raises(KeyboardInterrupt), terminable(), unbroken():
        signal.raise_signal(signal.SIGTERM)
        done = True
    assert done
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_sigterm_where_the_shell_ignores_ctrl_c() -> None:
    """As in a script's job in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), terminable():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)
