"""What the README promises, run as printed, on the shipped weights."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.main import get_command

from clipsonic.audio import log_mel, read_audio
from clipsonic.interfaces.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [
    "README.md",
    *(
        f"docs/{page}.md"
        for page in (
            "architecture",
            "cli",
            "data-card",
            "datasets",
            "decisions/README",
            "evaluation",
            "faults",
            "generating",
            "how",
            "limits",
            "listening",
            "parts",
            "published",
            "python",
            "reproducing",
            "results",
            "scale",
            "serving",
            "speed",
            "threats",
            "training",
        )
    ),
]
SHIPPED = ROOT / "src" / "clipsonic" / "weights" / "mini"


def test_the_first_command(clipsonic_command, tmp_path, monkeypatch) -> None:
    """What `make generate PROMPT="a photo of a dog"` runs."""
    monkeypatch.chdir(tmp_path)
    code, said = clipsonic_command("generate", "a photo of a dog", "--seed", "0")
    assert code == 0, said
    assert {path.name for path in tmp_path.iterdir()} == {
        f"a-photo-of-a-dog.{end}" for end in ("wav", "png", "json")
    }
    info = soundfile.info("a-photo-of-a-dog.wav")
    assert (info.samplerate, info.channels, info.frames) == (16_000, 1, 65_536)
    mel = log_mel(read_audio(Path("a-photo-of-a-dog.wav"))[None])
    assert mel.max() > -4  # not silent
    assert mel.std() > 1  # nor a steady noise
    assert json.loads(Path("a-photo-of-a-dog.json").read_text())["model"] == "mini"


def test_python_example() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {}
    exec(block, names)
    assert names["audio"].shape == (65_536,)
    assert np.isfinite(names["audio"]).all()


def test_commands_and_options_exist() -> None:
    text = "\n".join(
        "".join(re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)) for page in PAGES
    )
    lines = re.findall(r"^(?:\.venv/bin/)?clipsonic (.*)$", text, re.MULTILINE)
    assert len(lines) >= 20
    helps = {}
    for name, command in get_command(app).commands.items():
        for word, part in getattr(command, "commands", {"": command}).items():
            options = [
                option for parameter in part.params for option in (*parameter.opts, *parameter.secondary_opts)
            ]
            helps[f"{name} {word}".strip()] = options
    for line in lines:
        words = line.split()
        name = words[0] if words[0] in helps else " ".join(words[:2])
        if words[0] == "models" and " ".join(words[:2]) not in helps:
            continue  # lists, without a command of its own
        assert name in helps, line
        for option in re.findall(r"--[a-z-]+", line):
            assert option in helps[name], (line, option)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page) -> None:
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
        assert (folder / target).exists(), f"{page} links to {target}"


def test_shipped_weights_are_small_and_no_pickle() -> None:
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 45e6  # of the 80 MB that a wheel may have
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".md"}
