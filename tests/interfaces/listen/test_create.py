"""`clipsonic listen create` and `demo`: folders of sounds in, a blind test or a page out."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from clipsonic.interfaces.listen.sounds import true_peak
from clipsonic.loudness import integrated_loudness
from tests.interfaces.listen.conftest import LABELS, RATE, SYSTEMS


def test_a_test_is_blind_and_of_one_loudness(made_test: Path) -> None:
    plan = json.loads((made_test / "plan.json").read_bytes())
    files = sorted((made_test / "clips").iterdir())
    assert sorted(f"{clip['name']}.flac" for clip in plan["clips"]) == [path.name for path in files]
    assert {(clip["prompt"], clip["system"]) for clip in plan["clips"]} == {
        (p, s) for p in range(3) for s in range(2)
    }
    for path in files:
        assert re.fullmatch(r"[0-9a-f]{16}\.flac", path.name)
        assert not any(name.encode() in path.read_bytes() for name in (*SYSTEMS, *LABELS))
        wave, rate = soundfile.read(path, dtype="float32")
        assert (rate, len(wave)) == (RATE, round(0.3 * RATE))
        assert integrated_loudness(wave, rate) == pytest.approx(plan["lufs"], abs=0.15)
        assert true_peak(wave, rate) <= -0.9
    assert len({path.read_bytes() for path in files}) == 6
    setup, rate = soundfile.read(made_test / "setup.flac", dtype="float32")
    assert integrated_loudness(setup, rate) == pytest.approx(plan["lufs"], abs=0.3)


def test_what_a_killed_one_left_is_no_hindrance(clipsonic_command, systems, tmp_path) -> None:
    (tmp_path / ".test.77.part/clips").mkdir(parents=True)
    (tmp_path / "test").mkdir()
    (tmp_path / "test/.lock").touch()
    code, said = clipsonic_command("listen", "create", "--out", tmp_path / "test", *systems)
    assert code == 0, said
    assert not list(tmp_path.rglob(".*"))


def test_the_seed_decides(clipsonic_command, systems, made_test, tmp_path) -> None:
    plans = []
    for name, seed in (("same", "1"), ("other", "2")):
        words = ("--out", tmp_path / name, *systems, "--seed", seed, "--trials", "3")
        assert clipsonic_command("listen", "create", *words)[0] == 0
        plans.append((tmp_path / name / "plan.json").read_bytes())
    assert plans[0] == (made_test / "plan.json").read_bytes() != plans[1]


def test_clips_with_high_peaks_lower_all(clipsonic_command, systems, tmp_path) -> None:
    click = np.zeros(RATE)
    click[::4000] = 0.9
    for rate, name in ((RATE, "ZS"), (44_100, "truth")):
        soundfile.write(tmp_path / name / "00000.flac", click, rate)
    soundfile.write(tmp_path / "ZS" / "00001.flac", np.zeros(RATE), RATE)
    code, said = clipsonic_command("listen", "create", "--out", tmp_path / "test", *systems)
    assert code == 0, said
    plan = json.loads((tmp_path / "test/plan.json").read_bytes())
    assert -36 <= plan["lufs"] < -23 and plan["sample_rate"] == 44_100
    said = " ".join(said.split())
    assert "the peaks of some allow no more" in said and "00001.flac is silent" in said
    assert "clips differ in length" not in said
    for clip in plan["clips"]:
        wave, rate = soundfile.read(tmp_path / "test/clips" / f"{clip['name']}.flac", dtype="float32")
        assert rate == 44_100 and true_peak(wave, rate) <= -0.9
        if "silent" not in clip["source"] and not clip["source"].endswith("ZS/00001.flac"):
            assert integrated_loudness(wave, rate) == pytest.approx(plan["lufs"], abs=0.3)


def test_pictures_are_shown_without_what_their_files_tell(
    clipsonic_command, systems, pictures, tmp_path
) -> None:
    words = ("--out", tmp_path / "test", *systems, "--prompts", pictures, "--seconds", "0.2", "--most", "2")
    assert clipsonic_command("listen", "create", *words)[0] == 0
    plan = json.loads((tmp_path / "test/plan.json").read_bytes())
    assert len(plan["prompts"]) == 2
    for prompt in plan["prompts"]:
        assert re.fullmatch(r"[0-9a-f]{16}\.jpg", prompt["picture"])
        with Image.open(tmp_path / "test/pictures" / prompt["picture"]) as picture:
            assert picture.size == (27, 1024) and not picture.getexif()
    clip = next((tmp_path / "test/clips").iterdir())
    assert soundfile.info(clip).frames == 0.2 * RATE


MISTAKES = {
    "a prompt lacks a sound": [
        "truth/index.csv: file,prompt\n00000.flac,the sound of dog\n",
        "truth has no sound",
    ],
    "a broken sound": ["ZS/00001.flac: no sound", "cannot be read as sound"],
    "an index of nothing": ["ZS/index.csv: file,prompt\n00009.flac,x\n", "names 00009.flac"],
    "a list without prompts": ["list.csv: prompt,image\n", "has no prompts", "--prompts", "list.csv"],
    "a list without keys": ["list.csv: image\nx.png\n", "line 2", "--prompts", "list.csv"],
    "a picture that is not there": [
        "list.csv: label,image\ndog,x.png\n",
        "no picture",
        "--prompts",
        "list.csv",
    ],
    "a picture that is none": ["x.png: text", "cannot be read as a picture", "--prompts", "list.csv"],
    "no system": ["", "NAME=FOLDER", "--system", "words"],
    "a system twice": ["", "ZS must be given once", "--system", "ZS=truth"],
    "too many clips": ["", "there are 6 clips", "--trials", "7"],
    "too loud": ["", "from -36 to -10", "--lufs", "0"],
    "an empty text": ["empty.txt: ", "must be told", "--text", "empty.txt"],
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_leave_nothing(mistake, clipsonic_command, systems, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("label,image\ndog,x.png\n")
    written, expected, *words = MISTAKES[mistake]
    if written:
        name, _, text = written.partition(": ")
        (tmp_path / name).write_text(text)
    code, said = clipsonic_command("listen", "create", "--out", "test", *systems, *words)
    assert (code, expected in " ".join(said.split())) == (2, True), said
    assert not list(tmp_path.glob("*test*")) and not list(tmp_path.glob(".*"))


def test_a_test_is_not_made_over_another(clipsonic_command, systems, made_test) -> None:
    before = sorted(made_test.rglob("*"))
    code, said = clipsonic_command("listen", "create", "--out", made_test, *systems)
    assert code == 2 and "is there already" in said and sorted(made_test.rglob("*")) == before


def test_a_page_of_samples_needs_nothing_from_elsewhere(
    clipsonic_command, systems, pictures, tmp_path
) -> None:
    (tmp_path / "about.txt").write_text("A <b>text</b>.\n\nAnother.")
    words = ("--out", tmp_path / "site", *systems, "--prompts", pictures, "--text", tmp_path / "about.txt")
    code, said = clipsonic_command("listen", "demo", *words, "--title", "Dogs & rain")
    assert code == 0, said
    page = (tmp_path / "site/index.html").read_text()
    assert "Dogs &amp; rain" in page and "A &lt;b&gt;text&lt;/b&gt;." in page
    addresses = [found for found in re.findall(r'(?:src|href)="([^"]+)"', page) if found != "data:,"]
    assert "//" not in page.replace("// One", "")
    assert len(addresses) == 3 + 2 * 6
    assert {f"{tmp_path}/site/{each}" for each in addresses} == {
        str(path) for path in (tmp_path / "site").rglob("*.*") if path.name != "index.html"
    }
    code, said = clipsonic_command("listen", "demo", *words)
    assert code == 2 and "is there already" in said


def test_a_missing_sound_of_a_system_named_in_words(clipsonic_command, systems, tmp_path) -> None:
    """Names may have spaces, and the very words of the message in them."""
    (tmp_path / "asked.csv").write_text("prompt\nrain\n")
    named = ("--system", f"ours has no bridge={tmp_path / 'ZS'}")
    code, said = clipsonic_command(
        "listen", "create", "--out", tmp_path / "test", *named, "--prompts", tmp_path / "asked.csv"
    )
    assert code == 2
    assert "ours has no bridge has no sound whose prompt is 'rain'" in said
    assert str(tmp_path / "ZS") in said.replace("\n", "")
