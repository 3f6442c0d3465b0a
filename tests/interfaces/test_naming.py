"""Names of outputs, and files of others that stay as they are."""

import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

from clipsonic.errors import UserError
from clipsonic.interfaces.asking import Asked, Query
from clipsonic.interfaces.cli import _open_streams
from clipsonic.interfaces.engine import Engine
from clipsonic.interfaces.naming import check_free, check_output, file_name, free_names, is_ours
from clipsonic.interfaces.prompts import _number
from clipsonic.interfaces.settings import as_text, choose
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS


def clip(path: Path) -> None:
    """Write stand-ins of the three files of a clip."""
    path.write_bytes(b"sound")
    path.with_suffix(".png").write_bytes(b"picture")
    path.with_suffix(".json").write_text(json.dumps({"query": "dog", "clipsonic": "0.1.0"}))


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("a photo of a Dog!", "a-photo-of-a-dog"),
        ("🐶", "dog-face"),
        ("🌧️", "cloud-with-rain"),
        ("rain 🐶", "rain"),
        ("собака лает", "собака-лает"),
        ("कुत्ता", "कुत्ता"),
        ("犬が吠える", "犬が吠える"),
        ("?!", "out"),
        ("caf\udce9", "caf"),
    ],
)
def test_names_keep_the_letters_of_any_script(query: str, name: str) -> None:
    assert file_name(query) == name


def test_a_name_made_of_a_prompt_fits_a_file_system() -> None:
    assert len(os.fsencode(file_name("犬" * 300))) <= 100


def test_default_names_are_numbered(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert free_names(Path("dog.wav"), 1) == [Path("dog.wav")]
    Path("dog.png").write_bytes(b"a photo")
    assert Asked(Query(["dog"], [])).check() == [Path("dog-2.wav")]
    clip(Path("dog-2.wav"))
    assert Asked(Query(["dog"], [])).check() == [Path("dog-3.wav")]
    assert Asked(Query(["dog"], []), number=2).check() == [Path("dog-3.wav"), Path("dog-4.wav")]
    assert Path("dog.png").read_bytes() == b"a photo"


def test_a_named_output_that_exists_needs_overwrite(tmp_path) -> None:
    path = tmp_path / "a.wav"
    clip(path)
    with pytest.raises(UserError, match=r"a\.wav.*--overwrite"):
        check_free(path, "nothing")
    check_free(path, "ours")
    check_free(path, "any")


@pytest.mark.parametrize("theirs", ["a.json", "a.png"])
def test_companions_of_others_are_never_replaced(tmp_path, theirs) -> None:
    path = tmp_path / "a.wav"
    (tmp_path / theirs).write_text('{"notes": 1}')
    for replaces in ("nothing", "ours", "any"):
        with pytest.raises(UserError, match=theirs.replace(".", r"\.")):
            check_free(path, replaces)
    assert not is_ours(path)


def test_a_sound_of_others_is_replaced_on_request_alone(tmp_path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"music")
    for replaces in ("nothing", "ours"):
        with pytest.raises(UserError, match=r"a\.wav"):
            check_free(path, replaces)
    check_free(path, "any")


def test_a_name_too_long_is_refused_before_the_work(tmp_path) -> None:
    check_output(tmp_path / f"{'a' * 250}.wav")
    with pytest.raises(UserError, match="255"):
        check_output(tmp_path / f"{'a' * 251}.wav")  # .json has one more


def test_a_missing_folder_is_made_with_the_clip_and_not_before(tmp_path) -> None:
    check_output(tmp_path / "new" / "deep" / "a.wav")
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file"):
        check_output(tmp_path / "file" / "a.wav")


def test_the_sound_of_a_video_has_a_name_of_its_own() -> None:
    assert Asked(Query([], [], Path("films/a.mov")))._default_output() == Path("a-with-sound.mov")
    assert Asked(Query([], [], Path("films/a.avi")))._default_output() == Path("a-with-sound.mp4")


@pytest.mark.parametrize(("seed", "number"), [(-3, 1), (2**62, 1), (2**62 - 1, 2)])
def test_seeds_out_of_range_are_refused_with_the_range(seed, number) -> None:
    with pytest.raises(UserError, match=rf"{2**62 - 1}"):
        Asked(Query(["dog"], []), seed=seed, number=number).check()


def test_words_are_utf_8_in_any_locale(monkeypatch) -> None:
    monkeypatch.setattr(os, "fsencode", lambda word: word.encode("ascii", "surrogateescape"))
    assert as_text("дождь".encode().decode("ascii", "surrogateescape")) == "дождь"
    assert as_text("caf\udce9") == "caf\udce9"


def test_a_prompt_of_broken_bytes_is_refused() -> None:
    with pytest.raises(UserError, match="UTF-8"):
        Query(["caf\udce9"], []).check()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("steps=5", "training.steps=5"),
        ("training.step=5", "training.steps=5"),
        ("training.steps", "training.steps=..."),
        ("xyzzy=5", "training.steps"),
    ],
)
def test_a_setting_that_there_is_not_is_answered_with_the_one_meant(change, said) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        choose(SPECTROGRAM_PRESETS, "mini", [change])


@pytest.mark.parametrize(
    ("written", "seed"), [("9007199254740993", 2**53 + 1), (2**53 + 1, 2**53 + 1), ("3.0", 3)]
)
def test_seeds_of_rows_are_exact(written, seed) -> None:
    assert _number("seed", written) == seed


@pytest.mark.parametrize("written", ["3.5", "nan", "inf", "", True, "many"])
def test_seeds_of_rows_are_whole(written) -> None:
    with pytest.raises(UserError, match="whole number"):
        _number("seed", written)


@pytest.mark.parametrize(("bridge", "scheduler"), [("sd", None), ("magic", None), (None, "magic")])
def test_an_unknown_bridge_or_scheduler_is_refused_before_loading(bridge, scheduler) -> None:
    with pytest.raises(UserError, match=bridge or scheduler):
        Engine(scheduler=scheduler).check(bridge)


def test_closed_streams_take_what_is_printed(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    _open_streams()
    with sys.stdout:
        sys.stdout.write("nobody reads it")


def test_streams_of_other_encodings_take_any_sign(monkeypatch) -> None:
    held = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(held, "ascii"))
    _open_streams()
    sys.stdout.write("🐶\n")
    sys.stdout.flush()
    assert held.getvalue() == b"\\U0001f436\n"


def test_the_sounds_of_a_model_are_listed(clipsonic_command) -> None:
    code, said = clipsonic_command("models", "sounds")
    assert code == 0 and {"dog", "baby crying", "banjo"} <= set(said.splitlines())
