"""Questions and answers: every clip once before any twice, each answer its own, resumed without loss."""

from collections import Counter
from dataclasses import replace

import pytest
import soundfile
import torch

from clipsonic.data.dataset import ClipDataset
from clipsonic.evaluation.audio_files import find_audio
from clipsonic.evaluation.questions import Asking, answer, questions
from clipsonic.interfaces.reproduce.controls import derangement


def test_every_clip_comes_once_before_any_comes_again(labelled) -> None:
    data = ClipDataset(labelled)
    asked = questions(data, 2 * len(data), seed=3)
    assert set(Counter(question.clip for question in asked).values()) == {2}
    assert len({question.clip for question in asked[: len(data)]}) == len(data)
    again = questions(data, len(data), seed=3)
    assert [question.clip for question in again] == [question.clip for question in asked[: len(data)]]
    known = {clip.key: clip.info.label for _, clip in data.clips}
    assert all(question.label == known[question.clip] for question in asked)
    assert torch.allclose(
        torch.stack([question.picture for question in asked]).norm(dim=1), torch.ones(1), atol=1e-3
    )


def test_answers_do_not_depend_on_where_they_were_stopped(labelled, tiny_pipeline, tmp_path) -> None:
    asked = questions(ClipDataset(labelled), 9)
    how = Asking("a photo of {}", seconds=0.5, steps=2)
    answer(tiny_pipeline, asked, how, tmp_path / "a")
    (tmp_path / "a/00003.flac").unlink()
    last = (tmp_path / "a/00008.flac").stat().st_mtime_ns
    before = soundfile.read(tmp_path / "a/00000.flac")[0]
    answer(tiny_pipeline, asked, how, tmp_path / "a")
    assert (tmp_path / "a/00008.flac").stat().st_mtime_ns == last
    assert (soundfile.read(tmp_path / "a/00000.flac")[0] == before).all()
    files = find_audio(tmp_path / "a")
    assert [file.label for file in files] == [question.label for question in asked]
    assert files[0].prompt == f"the sound of {asked[0].label}"
    for template, words in (
        ("a photo of {}", "a photo of"),
        (None, "the sound of"),
    ):  # pictures have no words
        answer(tiny_pipeline, asked, replace(how, template=template, score_text="query"), tmp_path / "a")
        assert find_audio(tmp_path / "a")[0].prompt == f"{words} {asked[0].label}"


@pytest.mark.parametrize("labels", [["a", "a", "b", "b"], ["a", "b", "c", "c", "d", "c"]])
def test_a_derangement_gives_every_place_another_label(labels) -> None:
    order = derangement(labels, seed=1)
    assert sorted(order) == sorted(order.values()) == list(range(len(labels)))
    assert all(labels[other] != labels[place] for place, other in order.items())


def test_a_derangement_leaves_out_what_cannot_be_moved() -> None:
    labels = ["b", "a", "a", "a", "c", "a"]
    order = derangement(labels, seed=1)
    assert len(order) == len(set(order.values())) == 4  # two of `a`, and those in whose place they are
    assert all(labels[other] != labels[place] for place, other in order.items())
