"""Rows and names in the forms in which they are published; the ids are some of the published lists'."""

import json
from pathlib import Path

import pytest
from PIL import Image

from clipsonic.data.catalogues import (
    IMAGEHEAR_CLASSES,
    Entry,
    held_out,
    read_imagehear,
    read_music,
    read_vggsound,
)
from clipsonic.data.joining import join
from clipsonic.errors import UserError

VGGSOUND = """\
---g-f_I2yQ,1,people marching,test
--0PQM4-hqg,30,waterfall burbling,train
--9O4XZOge4,30,"female speech, woman speaking",train
--Aa4M484QM,0,cricket chirping,train
-_6sQeuNBDg,185,police car (siren),train
"""


@pytest.fixture
def vggsound(tmp_path: Path) -> list[Entry]:
    (tmp_path / "vggsound.csv").write_text(VGGSOUND)
    return read_vggsound(tmp_path / "vggsound.csv")


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_vggsound_as_published(vggsound) -> None:
    assert vggsound[0] == Entry("---g-f_I2yQ", "people marching", "test", 1)
    assert vggsound[2].label == "female speech, woman speaking"
    assert [entry.split for entry in vggsound] == ["test", *["train"] * 4]


@pytest.mark.parametrize(
    "change", [str, "youtube_id,start_seconds,label,split\n{}".format, "\ufeff{}\n\n".format]
)
def test_headline_mark_and_empty_lines_are_no_rows(vggsound, tmp_path, change) -> None:
    (tmp_path / "other.csv").write_bytes(change(VGGSOUND).replace("\n", "\r\n").encode())
    assert read_vggsound(tmp_path / "other.csv") == vggsound


def test_vggsound_test_list(tmp_path) -> None:
    """Names of files instead of ids and starts; an id may begin with digits and hold what looks like a start."""
    rows = (
        'glLQrEijrKg_000300.mp4,playing hammond organ\r\n0_8-g2_0000_000049.mp4,"heart sounds, heartbeat"\r\n'
    )
    (tmp_path / "test.csv").write_text(rows)
    first, second = read_vggsound(tmp_path / "test.csv")
    assert first == Entry("glLQrEijrKg", "playing hammond organ", "test", 300)
    assert second == Entry("0_8-g2_0000", "heart sounds, heartbeat", "test", 49)
    assert {entry.split for entry in read_vggsound(tmp_path / "test.csv", "held out")} == {"held out"}


def test_a_clip_listed_twice_is_one(tmp_path) -> None:
    (tmp_path / "twice.csv").write_text(
        "---g-f_I2yQ,1,a,test\n---g-f_I2yQ,1,b,train\n---g-f_I2yQ,2,c,train\n"
    )
    assert [(entry.start, entry.label) for entry in read_vggsound(tmp_path / "twice.csv")] == [
        (1, "a"),
        (2, "c"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lists no clip"),
        ("youtube_id,start_seconds,label,split\n", "lists no clip"),
        (
            "---g-f_I2yQ,1,people marching,test\n--0PQM4-hqg,30,waterfall\n",
            "row 2: '--0PQM4-hqg,30,waterfall' is neither",
        ),
        ("---g-f_I2y,1,people marching,test\n", "row 1"),  # ten characters
        ("---g-f_I2yQ,one,people marching,test\n", "row 1"),
        ("---g-f_I2yQ,-1,people marching,test\n", "row 1"),
        (f"---g-f_I2yQ,{'1' * 5000},people marching,test\n", "row 1"),
        ("---g-f_I2yQ,1,people marching,dev\n", "row 1"),
        ("---g-f_I2yQ,1,,test\n", "row 1"),
        ("glLQrEijrKg.mp4,playing hammond organ\n", "row 1"),  # a test list names the start
        ('{\n"videos": {"tuba": []}}', "row 2"),
        ("caf\xe9", "no CSV in UTF-8"),
    ],
)
def test_damaged_vggsound_lists_are_told(tmp_path, text, said) -> None:
    (tmp_path / "list.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=said) as told:
        read_vggsound(tmp_path / "list.csv")
    assert "\n" not in str(told.value)
    with pytest.raises(UserError, match="cannot read"):
        read_vggsound(tmp_path / "gone.csv")


def music(tmp_path: Path, name: str, videos: dict[str, list[str]]) -> Path:
    (tmp_path / name).write_text(json.dumps({"version": 1.0, "videos": videos}))
    return tmp_path / name


def many(count: int, first: int = 0) -> list[str]:
    return [f"{number:08d}-_x" for number in range(first, first + count)]


def test_music_as_published(tmp_path) -> None:
    solo = music(tmp_path, "solo.json", {"acoustic_guitar": ["jW_AuF6dQYY"], "flute": ["3wPouBFa9U0"]})
    duet = music(
        tmp_path, "duet.json", {"saxophone acoustic_guitar": ["_9aFrft67Zw"], "flute violin": ["3wPouBFa9U0"]}
    )
    labels = {entry.youtube_id: entry.label for entry in read_music([solo, duet])}
    assert labels == {
        "jW_AuF6dQYY": "acoustic guitar",
        "3wPouBFa9U0": "flute and violin",
        "_9aFrft67Zw": "acoustic guitar and saxophone",
    }
    (found,) = join(
        read_music([solo]), touch(tmp_path / "files", "flute/3wPouBFa9U0.mp4", "jW_AuF6dQYY_0.mp4")
    ).found
    assert (found.entry.label, found.start) == ("flute", None)


def test_the_split_is_nine_to_one_and_hangs_on_seed_and_list_alone(tmp_path) -> None:
    ids = many(200)
    forth = music(tmp_path, "forth.json", {"flute": ids[:120], "tuba": ids[100:]})  # twenty under both
    back = music(tmp_path, "back.json", {"tuba": ids[:99:-1], "flute": ids[119::-1]})
    entries = read_music([forth], seed=3)
    assert len(entries) == 200
    assert sum(entry.split == "test" for entry in entries) == 20
    assert set(read_music([back], seed=3)) == set(entries)
    assert read_music([forth], seed=4) != entries
    there = join(entries, touch(tmp_path / "files", *(f"{each}.mp4" for each in ids[:50])))
    splits = {entry.youtube_id: entry.split for entry in entries}
    assert len(there.found) == 50
    assert all(found.entry.split == splits[found.entry.youtube_id] for found in there.found)


def test_the_draw_is_the_same_on_every_machine() -> None:
    """Worked out apart, by `printf '%s %s' SEED ID | sha256sum` and sort."""
    ids = [letter * 11 for letter in "abcdefghijklmnopqrst"]
    assert held_out(ids, 0) == {"p" * 11, "g" * 11}
    assert held_out(ids, 1) == {"r" * 11, "n" * 11}


def test_a_part_of_a_list_holds_out_what_the_whole_does() -> None:
    """MUSIC's solo list is part of MUSIC21's: hardly a video changes sides."""
    whole, part = held_out(many(1000), 0), held_out(many(500), 0)
    assert len(part - whole) + len((whole & set(many(500))) - part) <= 10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "is no JSON"),
        ("[]", "has no 'videos'"),
        ('{"videos": ["jW_AuF6dQYY"]}', "has no 'videos'"),
        ('{"videos": {"tuba": []}}', "has no 'videos'"),
        ('{"videos": {"tuba": "jW_AuF6dQYY"}}', "videos of 'tuba': 'jW_AuF6dQYY' is no YouTube id"),
        ('{"videos": {"tuba": ["jW_AuF6dQY"]}}', "is no YouTube id"),
        ('{"videos": {"tuba": [["jW_AuF6dQYY"]]}}', "is no YouTube id"),
        ('{"videos": {"tuba": 5}}', "is no YouTube id"),
    ],
)
def test_damaged_music_lists_are_told(tmp_path, text, said) -> None:
    (tmp_path / "music.json").write_text(text)
    with pytest.raises(UserError, match=said):
        read_music([tmp_path / "music.json"])
    with pytest.raises(UserError, match="cannot read"):
        read_music([tmp_path / "gone.json"])


def test_imagehear_as_published_or_in_folders(tmp_path) -> None:
    assert len(IMAGEHEAR_CLASSES) == 30
    for name in (
        "accordion1.jpg",
        "dog3.JPG",
        "train/001.jpg",
        "train/dog 2.png",
        "guitar_8.jpg",
        "Piano/big/a.jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "bird1.jpg").write_text("no picture")
    (tmp_path / "README.txt").touch()
    unusable: dict[str, str] = {}
    queries = read_imagehear(tmp_path, lambda path, why: unusable.update({path.name: why}))
    labels = {image.relative_to(tmp_path).as_posix(): label for image, label in queries}
    assert labels == {
        "accordion1.jpg": "accordion",
        "dog3.JPG": "dog",
        "guitar_8.jpg": "guitar",
        "train/001.jpg": "train",
        "train/dog 2.png": "dog",
    }
    assert set(unusable) == {"a.jpg", "bird1.jpg"}
    assert "no class" in unusable["a.jpg"]
    assert "cannot be read" in unusable["bird1.jpg"]


def test_no_imagehear(tmp_path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "sunset1.jpg")
    with pytest.raises(UserError, match="no picture of ImageHear"):
        read_imagehear(tmp_path)
    with pytest.raises(UserError, match="no folder"):
        read_imagehear(tmp_path / "gone")
