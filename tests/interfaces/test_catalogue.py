"""From a published list and files of one's own to a prepared data set, by the command line."""

import json
from pathlib import Path

import pytest
from PIL import Image

from clipsonic.data.shards import read_info
from clipsonic.interfaces.asking import Asked, Query
from clipsonic.interfaces.prompts import read_prompts
from tests.helpers import tone, write_video

VGGSOUND = """\
---g-f_I2yQ,1,people marching,test
--0PQM4-hqg,30,waterfall burbling,train
--9O4XZOge4,30,"female speech, woman speaking",train
--Aa4M484QM,0,waterfall burbling,train
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "vggsound.csv").write_text(VGGSOUND)
    write_video(tmp_path / "files" / "train" / "--9O4XZOge4_30000_40000.mp4", tone(3.0), seconds=3)
    write_video(tmp_path / "files" / "---g-f_I2yQ_000001.mp4", tone(3.0, 880), seconds=3)
    (tmp_path / "files" / "holiday.mp4").touch()
    return tmp_path / "files"


def test_from_vggsound_to_a_data_set(clipsonic_command, files, tiny_model, tmp_path) -> None:
    videos, missing, data = tmp_path / "lists" / "videos.csv", tmp_path / "missing.txt", tmp_path / "data"
    words = ["catalogue", "vggsound", tmp_path / "vggsound.csv", "--files", files]
    code, said = clipsonic_command(*words, "--out", videos, "--missing", missing)
    assert code == 0, said
    lines = {line[:29].strip(): " ".join(line[29:].split()) for line in said.splitlines()}
    assert lines["people marching"] == "train 0 of 0 test 1 of 1"
    assert lines["waterfall burbling"] == "train 0 of 2 test 0 of 0"
    assert lines["3 classes"] == "train 1 of 3 test 1 of 1"
    assert "2 there, 2 missing; 1 other videos" in said
    assert missing.read_text() == "--0PQM4-hqg\n--Aa4M484QM\n"
    code, said = clipsonic_command(
        "prepare", videos, "--out", data, "--encoder", tiny_model, "--workers", "1"
    )
    assert code == 0, said
    info = read_info(data)
    assert info.splits == {"train": 1, "test": 1}
    assert info.labels == {"female speech, woman speaking": 1, "people marching": 1}


def test_whole_videos_are_cut_on_the_way(clipsonic_command, tiny_model, tmp_path) -> None:
    (tmp_path / "list.csv").write_text("---g-f_I2yQ,5,rain,train\n--0PQM4-hqg,30,rain,train\n")
    for name in (
        "---g-f_I2yQ",
        "--0PQM4-hqg",
    ):  # the second is too short: a clip under the name of a whole video
        write_video(tmp_path / "files" / f"{name}.mp4", tone(18.0), seconds=18)
    words = [
        "catalogue",
        "vggsound",
        tmp_path / "list.csv",
        "--files",
        tmp_path / "files",
        "--out",
        tmp_path / "v.csv",
    ]
    assert clipsonic_command(*words)[0] == 0
    data = tmp_path / "data"
    clipsonic_command("prepare", tmp_path / "v.csv", "--out", data, "--encoder", tiny_model, "--workers", "1")
    info = read_info(data)
    assert (info.clips, info.seconds) == (1, 10.0)
    assert info.skipped == {"files/--0PQM4-hqg.mp4@30": "no sound from 30 s on"}


def test_counts_for_programs(clipsonic_command, files, tmp_path) -> None:
    (files / "--0PQM4-hqg.mp4").touch()
    code, said = clipsonic_command(
        "catalogue", "vggsound", tmp_path / "vggsound.csv", "--files", files, "--json"
    )
    assert code == 0, said
    page = json.loads(said)
    assert (page["there"], page["missing"], page["to_cut"], page["unlisted"]) == (3, 1, 1, 1)
    assert page["splits"] == {"train": {"there": 2, "missing": 1}, "test": {"there": 1, "missing": 0}}
    assert page["classes"]["waterfall burbling"]["train"] == {"there": 1, "missing": 1}


def test_music_keeps_its_split_when_files_come_and_go(clipsonic_command, tmp_path) -> None:
    ids = [f"{number:08d}-_x" for number in range(40)]
    (tmp_path / "music.json").write_text(
        json.dumps({"videos": {"flute": ids[:20], "acoustic_guitar": ids[20:]}})
    )
    (tmp_path / "files").mkdir()
    words = ["catalogue", "music", tmp_path / "music.json", "--files", tmp_path / "files", "--seed", "5"]
    code, said = clipsonic_command(*words, "--json")
    assert code == 0, said
    nothing = json.loads(said)
    assert (nothing["there"], nothing["splits"]["test"]["missing"]) == (0, 4)
    for each in ids[::2]:
        (tmp_path / "files" / f"{each}.webm").touch()
    some = json.loads(clipsonic_command(*words, "--json", "--out", tmp_path / "some.csv")[1])
    assert some["there"] == 20
    for label in ("flute", "acoustic guitar"):
        for split in ("train", "test"):
            assert sum(some["classes"][label][split].values()) == nothing["classes"][label][split]["missing"]
    for each in ids[1::2]:
        (tmp_path / "files" / f"{each}.webm").touch()
    clipsonic_command(*words, "--out", tmp_path / "all.csv")
    some_rows, all_rows = ((tmp_path / name).read_text().splitlines() for name in ("some.csv", "all.csv"))
    assert len(all_rows) == 41
    assert set(some_rows) < set(all_rows)
    assert all_rows[1] in ("files/00000000-_x.webm,flute,train,,", "files/00000000-_x.webm,flute,test,,")


def test_imagehear(clipsonic_command, tmp_path) -> None:
    for name in ("dog1.jpg", "dog2.jpg", "waterfall3.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "cat2.jpg").touch()
    code, said = clipsonic_command("catalogue", "imagehear", tmp_path)
    assert code == 0, said
    assert "3 pictures of 2 classes; missing: accordion, bass," in said
    assert "not used: the picture" in said
    prompts = tmp_path / "lists" / "prompts.csv"
    code, said = clipsonic_command("catalogue", "imagehear", tmp_path, "--out", prompts)
    assert (code, str(prompts) in said) == (0, True), said
    rows = list(read_prompts(prompts, Asked(Query([], [])), tmp_path, ".wav"))
    asked = {request.output.name: request.query.images for _, request in rows}
    assert asked.keys() == {"dog1.wav", "dog2.wav", "waterfall3.wav"}
    assert asked["dog1.wav"][0].resolve() == (tmp_path / "dog1.jpg").resolve()
    page = json.loads(clipsonic_command("catalogue", "imagehear", tmp_path, "--json")[1])
    assert page["classes"] == {"dog": 2, "waterfall": 1}
    assert len(page["missing_classes"]) == 28
    assert len(page["unusable"]) == 1


def test_nothing_there_is_an_error_only_where_a_list_was_asked_for(
    clipsonic_command, files, tmp_path
) -> None:
    (tmp_path / "none").mkdir()
    words = ["catalogue", "vggsound", tmp_path / "vggsound.csv", "--files", tmp_path / "none"]
    code, said = clipsonic_command(*words)
    assert code == 0, said
    assert "0 there, 4 missing" in said
    code, said = clipsonic_command(*words, "--out", tmp_path / "o.csv", "--missing", tmp_path / "missing.txt")
    assert code == 2, said
    assert "no listed video" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "o.csv").exists()
    assert len((tmp_path / "missing.txt").read_text().splitlines()) == 4  # what to look for
    code, said = clipsonic_command("catalogue", "music", tmp_path / "vggsound.csv", "--files", files)
    assert (code, said.count("\n")) == (2, 1)
    assert "is no JSON" in said
