import csv
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from clipsonic.data.dataset import ClipDataset
from clipsonic.data.pairs import captioned_pairs, labelled_pairs, read_captions
from clipsonic.data.prepare import prepare
from clipsonic.data.sources import find_videos
from clipsonic.errors import UserError


def test_labels_become_prompts_and_every_frame_a_pair(labelled, mini_encoder) -> None:
    pairs = labelled_pairs(labelled, {"train"})
    assert sorted(pairs.texts) == ["a photo of dog", "a photo of rain"]
    assert pairs.encoder_id == mini_encoder.id
    clips = ClipDataset(labelled, {"train"})
    assert len(pairs) == sum(len(clips.embeddings(number)) for number in range(len(clips)))
    assert set(pairs.items.tolist()) == set(range(len(clips)))
    for (text, image), item in zip(pairs.links.tolist(), pairs.items.tolist(), strict=True):
        assert pairs.texts[text].endswith(clips.clips[item][1].info.label)
        assert any(torch.equal(pairs.images[image], torch.from_numpy(row)) for row in clips.embeddings(item))
    assert len(labelled_pairs(labelled, {"test"}).texts) == 1


def test_without_labels_there_are_no_pairs(videos, tmp_path, mini_encoder) -> None:
    list(prepare(find_videos([videos / "a.mp4"]), tmp_path / "data", mini_encoder, workers=1))
    with pytest.raises(UserError, match="have no labels"):
        labelled_pairs(tmp_path / "data", {"train"})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (32, 32), colour).save(tmp_path / f"{colour}.png")
    lines = [
        {"path": "red.png", "captions": ["a red wall", "red"]},
        {"path": "green.png", "caption": "a meadow"},
        {"path": "blue.png", "caption": "red", "split": "test"},
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return tmp_path / "list.jsonl"


def test_captions_of_json_lines_and_csv(pictures) -> None:
    listed = read_captions(pictures)
    assert [picture.captions for picture in listed] == [["a red wall", "red"], ["a meadow"], ["red"]]
    assert [picture.split for picture in listed] == ["train", "train", "test"]
    with (pictures.parent / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "caption"), ("red.png", "a wall, red")])
    (picture,) = read_captions(pictures.parent / "list.csv")
    assert (picture.path, picture.captions) == (pictures.parent / "red.png", ["a wall, red"])


def test_one_caption_is_not_its_letters(tmp_path) -> None:
    (tmp_path / "l.jsonl").write_text('{"path": "a.png", "captions": "a dog"}')
    (tmp_path / "l.csv").write_text("path,captions\na.png,a dog\n")
    assert [read_captions(tmp_path / name)[0].captions for name in ("l.jsonl", "l.csv")] == [
        ["a dog"],
        ["a dog"],
    ]


def test_captioned_pictures_are_embedded_once(pictures, mini_encoder, tmp_path, monkeypatch) -> None:
    listed = read_captions(pictures)
    done: list[int] = []
    monkeypatch.setattr("clipsonic.data.pairs.CHUNK", 2)
    pairs = captioned_pairs(listed, mini_encoder, tmp_path / "cache", done.append)
    assert done == [2, 3]
    assert pairs.texts == ["a red wall", "red", "a meadow"]
    assert pairs.links.tolist() == [[0, 0], [1, 0], [2, 1], [1, 2]]
    images = mini_encoder.encode_image([Image.open(picture.path) for picture in listed])
    torch.testing.assert_close(pairs.images, images, atol=1e-5, rtol=0)

    def never(*_: object) -> None:
        raise AssertionError("embedded again")

    monkeypatch.setattr(type(mini_encoder), "encode_image", never)
    again = captioned_pairs(listed, mini_encoder, tmp_path / "cache")
    assert again.id == pairs.id


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("l.jsonl", '{"path": "a.png"}', "entry 1: it needs 'path' and 'caption'"),
        ("l.jsonl", "[1]", "line 1.*object"),
        ("l.jsonl", '{"path": 5, "caption": "x"}', "entry 1"),
        ("l.jsonl", '{"path": "a.png", "captions": 5}', "entry 1"),
        ("l.jsonl", "not json", "line 1.*JSON"),
        ("l.csv", "split,caption\ntrain,x", "entry 1"),
    ],
)
def test_damaged_lists_are_told(tmp_path, name, text, said) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=said):
        read_captions(tmp_path / name)
    with pytest.raises(UserError, match="no list of captioned pictures"):
        read_captions(tmp_path / "gone.csv")
