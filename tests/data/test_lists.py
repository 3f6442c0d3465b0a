"""Lists that users write: every column is known, and only line feeds end a line."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from clipsonic.data.lists import lines_of, read_rows
from clipsonic.data.media_types import SOUNDS, VIDEOS, list_files
from clipsonic.data.pairs import read_captions
from clipsonic.data.sources import find_videos
from clipsonic.data.waves import Waves
from clipsonic.errors import UserError
from clipsonic.evaluation.audio_files import find_audio
from clipsonic.interfaces.listen.material import gather

SEPARATORS = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
COLUMNS = ("path", "label", "split")


def silence(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, np.zeros(16_000), 16_000)
    return path


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8", newline="")
    return path


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("path, label,split", "' label'.*'label'"),
        ("path,Label", "'Label'.*'label'"),
        ("path,labels", "'labels'.*'label'"),
        ("path,mood", "'mood'.*x_.*path, label, split"),
        ("path;label", "'path;label'.*commas"),
        ("path,label,label", "two columns 'label'"),
        ("label,split", "needs a column named 'path'"),
    ],
)
def test_a_column_that_is_not_read_is_refused(tmp_path: Path, header: str, named: str) -> None:
    with pytest.raises(UserError, match=named):
        read_rows(written(tmp_path / "a.csv", f"{header}\na,b,c\n"), COLUMNS, needed=["path"])


def test_a_field_of_json_that_is_not_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"line 2.*'Label'.*'label'"):
        read_rows(written(tmp_path / "a.jsonl", '{"path": "a"}\n{"path": "a", "Label": "b"}\n'), COLUMNS)


def test_columns_of_ones_own_and_empty_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "\ufeffpath,x_mood,label,split\r\n a.mp4,sad, dog , test\r\n,,,\r\n")
    (row,) = read_rows(path, COLUMNS)
    assert row == {"path": " a.mp4", "x_mood": "sad", "label": "dog", "split": "test"}


@pytest.mark.parametrize("split", ["Test", "TRAIN"])
def test_a_split_in_capitals_is_refused(tmp_path: Path, split: str) -> None:
    with pytest.raises(UserError, match=f"'{split}'.*'{split.lower()}'"):
        read_rows(written(tmp_path / "a.csv", f"path,split\na,{split}\n"), COLUMNS)


@pytest.mark.parametrize(
    ("row", "said"), [("a,b,c,d", "line 2.*more cells"), ('a,"b', "line 1: .*end of data"), (",b,c", "path")]
)
def test_a_row_that_is_no_row(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_rows(written(tmp_path / "a.csv", f"path,label,split\n{row}\n"), COLUMNS, needed=["path"])


def test_only_line_feeds_end_a_line(tmp_path: Path) -> None:
    assert lines_of(f"{SEPARATORS}\r\nb") == [SEPARATORS, "b"]
    rows = [{"path": "a", "label": SEPARATORS}, {"path": "b", "label": "c"}]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    assert read_rows(written(tmp_path / "a.jsonl", lines), COLUMNS) == rows
    cells = f'path,label\na,{SEPARATORS}\nb,"two\nlines"\n'
    found = read_rows(written(tmp_path / "a.csv", cells), COLUMNS)
    assert [row["label"] for row in found] == [SEPARATORS, "two\nlines"]


def test_every_list_refuses_unknown_columns(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    silence(folder / "a.wav")
    listed = written(tmp_path / "a.csv", "path,file,prompt,caption,Label\na.wav,a.wav,a,b,c\n")
    for column, read in {
        "file": lambda: find_videos([listed]),
        "prompt": lambda: read_captions(listed),
        "caption": lambda: Waves([listed], False, 10),
        "Label": lambda: find_audio(folder, listed),
        "path": lambda: gather([f"a={folder}"], listed, None, 0),
    }.items():
        with pytest.raises(UserError, match="unknown column") as refused:
            read()
        assert str(listed) in str(refused.value), column


def test_links_to_folders_are_followed_to_an_end(tmp_path: Path) -> None:
    for name in ("films/a.mp4", "films/z/b.MTS", "else/c.3gp", "else/deep/d.mov"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    links = {"films/again": "films", "films/more": "else", "else/back": "films", "films/nowhere": "gone"}
    for link, target in {**links, "films/z/up": "films"}.items():
        (tmp_path / link).symlink_to(tmp_path / target)
    found = list_files(tmp_path / "films", VIDEOS)
    names = [path.relative_to(tmp_path / "films").as_posix() for path in found.files]
    assert names == ["a.mp4", "more/c.3gp", "more/deep/d.mov", "z/b.MTS"]
    assert [video.name for video in find_videos([tmp_path / "films"])] == [f"films/{name}" for name in names]


def test_files_left_out_are_counted_and_named(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.jpg", "c.JPG", "README", "notes.txt", ".hidden", os.fsdecode(b"caf\xe9.doc")):
        (tmp_path / name).touch()
    told: list[str] = []
    assert len(find_videos([tmp_path], told.append)) == 1
    (line,) = told
    for part in ("4 files", "2 .jpg", "1 .doc", "README", "c.JPG", r"caf\xe9"):
        assert part in line
    assert "hidden" not in line
    assert "notes" not in line
    line.encode()


def test_sounds_beside_what_a_reader_needs_to_know(tmp_path: Path) -> None:
    silence(tmp_path / "a.wav")
    for name in ("a.json", "a.png", "b.mp4"):
        (tmp_path / name).touch()
    told: list[str] = []
    assert len(find_audio(tmp_path, tell=told.append)) == 1
    assert "(1 .mp4): b.mp4" in told[0]
    assert {".m4a", ".wav", ".opus", ".wma"} <= SOUNDS
    assert not SOUNDS & VIDEOS
