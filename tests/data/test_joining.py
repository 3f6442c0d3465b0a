"""Files under the names that people give them, joined with rows of VGGSound's published list."""

import csv
from pathlib import Path

import pytest

from clipsonic.data.catalogues import Entry, read_vggsound
from clipsonic.data.joining import join, write_list, write_missing
from clipsonic.data.sources import find_videos
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


@pytest.mark.parametrize(
    "name",
    [
        "--0PQM4-hqg_000030.mp4",
        "--0PQM4-hqg_30.MKV",
        "--0PQM4-hqg_30_40.webm",
        "--0PQM4-hqg_30000_40000.mp4",
        "train/waterfall burbling/--0PQM4-hqg_000030_000040.mp4",
    ],
)
def test_names_of_a_cut_clip(vggsound, tmp_path, name) -> None:
    joined = join(vggsound, touch(tmp_path / "files", name))
    (found,) = joined.found
    assert (found.entry.youtube_id, found.start) == ("--0PQM4-hqg", None)
    assert (joined.folder / found.file).samefile(tmp_path / "files" / name)
    assert len(joined.missing) == 4
    assert joined.unlisted == 0


@pytest.mark.parametrize(
    "name",
    [
        "--0pqm4-hqg_000030.mp4",  # case matters
        "--0PQM4-hqg_000031.mp4",
        "--0PQM4-hqg_30000.mp4",  # 30,000 seconds
        "--0PQM4-hqg_30_41.mp4",
        "--0PQM4-hqg_30500_40500.mp4",
        "--0PQM4-hqg_.mp4",
        "--0PQM4-hqg_000030.f137.mp4",
        "x--0PQM4-hqg_000030.mp4",
        "waterfall burbling --0PQM4-hqg.mp4",
        "-0PQM4-hqg_000030.mp4",
        "--0PQM4-hqg_\u0663\u0660.mp4",  # Arabic digits
    ],
)
def test_names_that_are_not_guessed_at(vggsound, tmp_path, name) -> None:
    joined = join(vggsound, touch(tmp_path / "files", name))
    assert (joined.found, len(joined.missing), joined.unlisted) == ([], 5, 1)


def test_only_videos_count(vggsound, tmp_path) -> None:
    joined = join(
        vggsound, touch(tmp_path / "f", "--0PQM4-hqg_000030.mp4.part", "--0PQM4-hqg_000030.wav", "mp4")
    )
    assert (joined.found, joined.unlisted) == ([], 0)


def test_whole_videos_are_cut_and_a_clip_goes_before_them(vggsound, tmp_path) -> None:
    names = ["a/--0PQM4-hqg.mp4", "b/--0PQM4-hqg_30.mp4", "-_6sQeuNBDg.mkv", "--Aa4M484QM.mp4", "cat.mp4"]
    joined = join(vggsound, touch(tmp_path / "files", *names))
    starts = {found.entry.youtube_id: found.start for found in joined.found}
    assert starts == {"--0PQM4-hqg": None, "-_6sQeuNBDg": 185, "--Aa4M484QM": 0}
    assert joined.unlisted == 2  # the whole video beside its clip, and the cat
    clips = join(vggsound, tmp_path / "files", ids_are_clips=True)
    assert {found.start for found in clips.found} == {None}
    assert len(clips.found) == 3


def test_an_id_alone_does_not_tell_which_of_two_clips(tmp_path) -> None:
    two = [Entry("---g-f_I2yQ", "a", "train", start) for start in (0, 50)]
    folder = touch(tmp_path / "files", "---g-f_I2yQ.mp4")
    assert [found.start for found in join(two, folder).found] == [0, 50]
    assert join(two, folder, ids_are_clips=True).found == []


def test_names_are_found_again(vggsound, tmp_path) -> None:
    """What the error message proposes works, for every clip and form."""
    for number in range(5):
        names = [entry.names()[number] for entry in vggsound]
        assert join(vggsound, touch(tmp_path / str(number), *names)).missing == []


def test_of_two_files_the_first_by_name(vggsound, tmp_path) -> None:
    names = ["b/--0PQM4-hqg_30.mp4", "a/--0PQM4-hqg_30.webm", "a/--0PQM4-hqg_30.mkv"]
    (found,) = join(vggsound, touch(tmp_path / "files", *names)).found
    assert found.file == "a/--0PQM4-hqg_30.mkv"


def test_the_list_leads_prepare_to_the_files(vggsound, tmp_path) -> None:
    """From another folder, reached through a link."""
    touch(tmp_path / "deep" / "files", "x/--9O4XZOge4_30.mp4", "---g-f_I2yQ.mp4")
    (tmp_path / "link").symlink_to(tmp_path / "deep", target_is_directory=True)
    (tmp_path / "real" / "lists").mkdir(parents=True)
    (tmp_path / "lists").symlink_to(tmp_path / "real" / "lists", target_is_directory=True)
    write_list(join(vggsound, tmp_path / "link" / "files"), tmp_path / "lists" / "videos.csv")
    test, train = find_videos([tmp_path / "lists" / "videos.csv"])
    assert (test.label, test.split) == ("people marching", "test")
    assert (train.label, train.split) == ("female speech, woman speaking", "train")
    assert train.path.samefile(tmp_path / "deep" / "files" / "x" / "--9O4XZOge4_30.mp4")
    with (tmp_path / "lists" / "videos.csv").open(newline="") as file:
        whole, clip = csv.DictReader(file)
    assert (whole["start"], whole["seconds"]) == ("1", "10")
    assert (clip["start"], clip["seconds"]) == ("", "")
    assert not Path(whole["path"]).is_absolute()


def test_writing_that_cannot_be(vggsound, tmp_path) -> None:
    nothing = join(vggsound, touch(tmp_path / "files", "cat.mp4"))
    with pytest.raises(UserError, match=r"such as ---g-f_I2yQ_000001.mp4, .*; there are 1 videos"):
        write_list(nothing, tmp_path / "videos.csv")
    assert not (tmp_path / "videos.csv").exists()
    for out in (tmp_path, Path(), tmp_path / "files" / "cat.mp4" / "missing.txt"):
        with pytest.raises(UserError, match="cannot write"):
            write_missing(nothing.missing, out)
    with pytest.raises(UserError, match="no folder"):
        join(vggsound, tmp_path / "gone")
