"""Names of outputs, and files of others that stay as they are."""

import json
import os
from pathlib import Path

import pytest

from clipsonic.errors import UserError
from clipsonic.interfaces.asking import Asked, Query
from clipsonic.interfaces.naming import check_free, check_output, file_name, free_names, is_ours


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
