import csv
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import webdataset

from clipsonic.config import CROP_SAMPLES, SAMPLE_RATE
from clipsonic.data.prepare import prepare
from clipsonic.data.shards import checksum, finished_shards, read_info
from clipsonic.data.sources import find_videos
from clipsonic.errors import UserError
from tests.helpers import tone, write_video


def run(videos: Path, out: Path, encoder, **settings) -> list:
    return list(prepare(find_videos([videos]), out, encoder, workers=2, **settings))


def content(out: Path) -> dict[str, bytes]:
    """Every file in every shard."""
    found = {}
    for shard, _ in finished_shards(out):
        with tarfile.open(shard) as tar:
            found |= {member.name: tar.extractfile(member).read() for member in tar}
    return found


def test_a_folder_of_good_and_bad_videos(videos, tmp_path, mini_encoder) -> None:
    progress = run(videos, tmp_path / "data", mini_encoder)
    assert len(progress) == 9
    info = read_info(tmp_path / "data")
    assert info.complete
    assert info.encoder_id == mini_encoder.id
    assert info.clips == 6  # a, b and d é: one each; c: 10 + 10 + 5 s
    assert info.seconds == pytest.approx(37.5, abs=0.5)
    reasons = {
        "videos/mute.mp4": "no audio track",
        "videos/silent.mp4": "silent",
        "videos/short.mp4": "too short",
        "videos/text.mp4": "unreadable",
        "videos/empty.mp4": "unreadable",
    }
    assert set(info.skipped) == set(reasons)
    for video, why in reasons.items():
        assert info.skipped[video].startswith(why), info.skipped[video]


def test_what_a_clip_holds(videos, tmp_path, mini_encoder) -> None:
    run(videos, tmp_path / "data", mini_encoder)
    files = content(tmp_path / "data")
    by_source = {json.loads(raw)["source"]: name for name, raw in files.items() if name.endswith(".json")}
    key = by_source["videos/b.mp4"].removesuffix(".json")
    wave, rate = soundfile.read(io.BytesIO(files[f"{key}.flac"]))
    assert rate == SAMPLE_RATE
    assert abs(len(wave) / rate - 5) < 0.2
    spectrum = np.abs(np.fft.rfft(wave))
    assert spectrum.argmax() * rate / len(wave) == pytest.approx(880, abs=2)
    frames = np.load(io.BytesIO(files[f"{key}.frames.npy"])).astype(np.float32)
    assert frames.shape == (5, mini_encoder.embedding_dim)
    np.testing.assert_allclose(np.linalg.norm(frames, axis=1), 1, atol=2e-3)
    page = json.loads(files[f"{key}.json"])
    assert page["picture_times"] == pytest.approx([0, 1, 2, 3, 4], abs=0.15)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_the_shards(videos, tmp_path, mini_encoder) -> None:
    run(videos, tmp_path / "data", mini_encoder)
    samples = list(webdataset.WebDataset(str(tmp_path / "data" / "shard-000000.tar"), shardshuffle=False))
    assert len(samples) == 6
    assert {"flac", "frames.npy", "json"} <= set(samples[0])


def test_checksums(videos, tmp_path, mini_encoder) -> None:
    run(videos, tmp_path / "data", mini_encoder)
    info = read_info(tmp_path / "data")
    assert info.shards == {"shard-000000.tar": checksum(tmp_path / "data" / "shard-000000.tar")}


def test_resumes_where_it_was_stopped(videos, tmp_path, mini_encoder) -> None:
    whole = tmp_path / "whole"
    run(videos, whole, mini_encoder, shard_clips=2)
    stopped = tmp_path / "stopped"
    work = prepare(find_videos([videos]), stopped, mini_encoder, workers=2, shard_clips=2)
    for _ in range(3):
        next(work)
    work.close()  # what Ctrl-C does
    assert not read_info(stopped).complete
    rest = run(videos, stopped, mini_encoder, shard_clips=2)
    assert rest[0].done == 4
    assert read_info(stopped).complete
    assert content(stopped) == content(whole)
    assert run(videos, stopped, mini_encoder) == []


def test_an_interrupted_shard_is_made_again(videos, tmp_path, mini_encoder) -> None:
    out = tmp_path / "data"
    run(videos, out, mini_encoder, shard_clips=2)
    before = content(out)
    last = finished_shards(out)[-1][0]
    last.with_suffix(".index.json").unlink()  # killed between tar and index
    (out / ".shard-000009.tar.123.part").write_bytes(b"half a shard")
    run(videos, out, mini_encoder, shard_clips=2)
    assert content(out) == before


def test_order_does_not_depend_on_workers(videos, tmp_path, mini_encoder) -> None:
    for workers in (1, 3):
        list(prepare(find_videos([videos]), tmp_path / str(workers), mini_encoder, workers=workers))
    assert read_info(tmp_path / "1").shards == read_info(tmp_path / "3").shards


def test_a_csv_brings_labels(videos, tmp_path, mini_encoder) -> None:
    path = tmp_path / "list.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split", "licence"])
        rows.writerow(["videos/a.mp4", "low, hum", "test", "CC0"])
        rows.writerow(["videos/deep/c.mp4", "whistle", "train", ""])
        rows.writerow(["videos/gone.mp4", "nothing", "train", ""])
    out = tmp_path / "data"
    list(prepare(find_videos([path]), out, mini_encoder, workers=1))
    info = read_info(out)
    assert info.labels == {"low, hum": 1, "whistle": 3}
    assert info.splits == {"test": 1, "train": 3}
    assert info.skipped == {"videos/gone.mp4": "no such file"}


def test_a_csv_names_pieces_of_a_video(videos, tmp_path, mini_encoder) -> None:
    """Two pieces of one file are two videos, with their own labels."""
    rows = [
        "path,label,start,seconds",
        "videos/deep/c.mp4,low,0,10",
        "videos/deep/c.mp4,high,12.5,5",
        "videos/a.mp4,dog,,",
    ]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    out = tmp_path / "data"
    list(prepare(find_videos([tmp_path / "list.csv"]), out, mini_encoder, workers=1))
    clips = [clip.info for _, index in finished_shards(out) for clip in index.clips]
    assert [(clip.source, clip.label, clip.start) for clip in clips] == [
        ("videos/deep/c.mp4@0", "low", 0),
        ("videos/deep/c.mp4@12.5", "high", 12.5),
        ("videos/a.mp4", "dog", 0),
    ]
    assert [clip.seconds for clip in clips] == pytest.approx([10, 5, 5], abs=0.2)


@pytest.mark.parametrize("start", ["one", "-1", "nan", "inf"])
def test_a_piece_needs_a_number(tmp_path, start) -> None:
    (tmp_path / "list.csv").write_text(f"path,start\na.mp4,{start}\n")
    with pytest.raises(UserError, match=f"start '{start}' of a.mp4 is no number of seconds"):
        find_videos([tmp_path / "list.csv"])


def test_another_encoder_or_length_is_refused(videos, tmp_path, mini_encoder) -> None:
    from clipsonic.encoders.mini import MiniEncoder

    run(videos / "deep", tmp_path / "data", mini_encoder)
    torch.manual_seed(1)
    for encoder, seconds in ((MiniEncoder(), 10.0), (mini_encoder, 5.0)):
        with pytest.raises(UserError, match="another folder"):
            run(videos / "deep", tmp_path / "data", encoder, clip_seconds=seconds)


def test_nothing_to_prepare_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        find_videos([tmp_path / "gone"])
    with pytest.raises(UserError, match="no video found"):
        find_videos([tmp_path])


def test_shortest_clip_is_one_crop(tmp_path, mini_encoder) -> None:
    write_video(tmp_path / "videos" / "a.mp4", tone(CROP_SAMPLES / SAMPLE_RATE + 0.1), seconds=3)
    run(tmp_path / "videos", tmp_path / "data", mini_encoder)
    assert read_info(tmp_path / "data").clips == 1


def test_a_missing_file_is_looked_for_again(tmp_path, mini_encoder) -> None:
    (tmp_path / "list.csv").write_text("path\nlate.mp4\n")
    source = find_videos([tmp_path / "list.csv"])
    list(prepare(source, tmp_path / "data", mini_encoder, workers=1))
    assert read_info(tmp_path / "data").skipped == {"late.mp4": "no such file"}
    write_video(tmp_path / "late.mp4", tone(3.0), seconds=3)
    list(prepare(source, tmp_path / "data", mini_encoder, workers=1))
    info = read_info(tmp_path / "data")
    assert (info.clips, info.skipped) == (1, {})


def test_each_file_once_and_odd_lists(videos, tmp_path) -> None:
    assert len(find_videos([videos, videos / "a.mp4", videos])) == 9
    (tmp_path / "latin.csv").write_bytes("path,label\na.mp4,caf\xe9\n".encode("latin-1"))
    with pytest.raises(UserError, match="UTF-8"):
        find_videos([tmp_path / "latin.csv"])
    (tmp_path / "other.csv").write_text("label\na.mp4\n")
    with pytest.raises(UserError, match="column named 'path'; it has label"):
        find_videos([tmp_path / "other.csv"])


def test_a_cut_off_shard_is_refused(videos, tmp_path, mini_encoder) -> None:
    run(videos / "deep", tmp_path / "data", mini_encoder)
    shard = tmp_path / "data" / "shard-000000.tar"
    shard.write_bytes(shard.read_bytes()[:5000])
    with pytest.raises(UserError, match="cut off"):
        finished_shards(tmp_path / "data")


def infos(out: Path) -> dict[str, tuple]:
    clips = [clip.info for _, index in finished_shards(out) for clip in index.clips]
    return {clip.source: (clip.label, clip.split, clip.licence) for clip in clips}


def test_a_list_that_says_something_else_is_taken_up(videos, tmp_path, mini_encoder, monkeypatch) -> None:
    path, out = tmp_path / "list.csv", tmp_path / "data"
    path.write_text(
        "path,label,split\nvideos/a.mp4,dog,train\nvideos/b.mp4,dgo,train\nvideos/mute.mp4,x,train\n"
    )
    told: list[str] = []
    list(prepare(find_videos([path]), out, mini_encoder, workers=1, tell=told.append))
    before = content(out)
    path.write_text("path,label,split,licence\nvideos/a.mp4,dog,train,CC0\nvideos/b.mp4,dog,test,\n")
    monkeypatch.setattr(type(mini_encoder), "encode_image", lambda *any: pytest.fail("encoded again"))
    assert told == []
    list(prepare(find_videos([path]), out, mini_encoder, workers=1, tell=told.append))
    assert infos(out) == {"videos/a.mp4": ("dog", "train", "CC0"), "videos/b.mp4": ("dog", "test", None)}
    info = read_info(out)
    assert (info.labels, info.splits, list(info.skipped)) == (
        {"dog": 2}, {"train": 1, "test": 1}, ["videos/mute.mp4"],
    )  # fmt: skip
    assert info.shards == {"shard-000000.tar": checksum(out / "shard-000000.tar")}
    after = content(out)
    assert {name: raw for name, raw in after.items() if not name.endswith(".json")} == {
        name: raw for name, raw in before.items() if not name.endswith(".json")
    }
    assert {json.loads(raw)["split"] for name, raw in after.items() if name.endswith(".json")} == {
        "train",
        "test",
    }
    assert "2 videos" in told[0] and "labels" in told[0]
    assert "not among the sources" in told[1]
    assert "videos/mute.mp4" in told[1]
    told.clear()
    path.write_text(path.read_text() + "videos/mute.mp4,,,\n")
    list(prepare(find_videos([path]), out, mini_encoder, workers=1, tell=told.append))
    assert told == []


def test_a_file_that_has_changed_is_prepared_again(tmp_path, mini_encoder) -> None:
    folder, out = tmp_path / "videos", tmp_path / "data"
    for name in "ab":
        write_video(folder / f"{name}.mp4", tone(3.0), seconds=3)
    told: list[str] = []
    run(folder, out, mini_encoder, tell=told.append)
    (folder / "a.mp4").touch()
    assert run(folder, out, mini_encoder, tell=told.append) == []
    assert told == []
    write_video(folder / "a.mp4", tone(6.0, 880), seconds=6)
    assert len(run(folder, out, mini_encoder, tell=told.append)) == 1
    (line,) = told
    assert "1 video:" in line
    assert "videos/a.mp4" in line
    clips = [clip.info for _, index in finished_shards(out) for clip in index.clips]
    assert {clip.source: round(clip.seconds) for clip in clips} == {"videos/a.mp4": 6, "videos/b.mp4": 3}
    assert read_info(out).clips == 2


def test_a_piece_of_another_length_is_prepared_again(videos, tmp_path, mini_encoder) -> None:
    path, out = tmp_path / "list.csv", tmp_path / "data"
    for seconds in (4, 8):
        path.write_text(f"path,start,seconds\nvideos/deep/c.mp4,0,{seconds}\n")
        list(prepare(find_videos([path]), out, mini_encoder, workers=1))
        assert read_info(out).seconds == pytest.approx(seconds, abs=0.2)
    assert len(finished_shards(out)) == 1


def test_names_that_are_not_text(tmp_path, mini_encoder) -> None:
    source, out = tmp_path / os.fsdecode(b"\xe9t\xe9"), tmp_path / os.fsdecode(b"d\xe9")
    write_video(source / os.fsdecode(b"caf\xe9.mp4"), tone(3.0), seconds=3)
    (source / os.fsdecode(b"\xff.mp4")).write_bytes(b"no video")
    for _ in range(2):
        run(source, out, mini_encoder)
        assert list(infos(out)) == [r"\xe9t\xe9/caf\xe9.mp4"]
        assert list(read_info(out).skipped) == [r"\xe9t\xe9/\xff.mp4"]
