"""Rare words are explained, known ones are left alone, and WordNet's terms are kept."""

import gzip

import pytest
import torch

from clipsonic.encoders import glossary
from clipsonic.encoders.glossary import ENDINGS, FILE, MOST, explained, glossary_id
from clipsonic.encoders.mini import MiniEncoder, known_whole


def nothing(_: str) -> bool:
    return False


def test_what_is_known_stays_as_it_is() -> None:
    for text in ("", "a dog in the rain", "42 ...", "Hunde", "a photo of a saxophone"):
        assert explained(text, known_whole) == text


def test_a_rare_word_is_explained_behind_the_text() -> None:
    said = explained("a photo of a Rapier", known_whole)
    assert said == "a photo of a Rapier, tuck: a straight sword with a narrow blade and two edges"
    assert explained("rapier", lambda word: word == "rapier") == "rapier"


@pytest.mark.parametrize(
    ("form", "base"),
    [
        ("embers", "ember"),
        ("mooing", "moo"),
        ("rowboats", "rowboat"),
        ("cawed", "caw"),
        ("oxbows", "oxbow"),
    ],
)
def test_a_form_means_what_its_base_means(form: str, base: str) -> None:
    assert explained(form, nothing).removeprefix(form) == explained(base, nothing).removeprefix(base) != ""


def test_every_ending_is_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for ending, instead in ENDINGS:
        monkeypatch.setattr(glossary, "_entries", lambda word=f"qu{instead}": {word: "a test"})
        assert explained(f"qu{ending}", nothing) == f"qu{ending}, a test"


def test_a_word_is_explained_once_and_a_page_of_them_not_wholly() -> None:
    assert explained("rapier rapier", nothing).count("straight sword") == 1
    rare = [
        "rapier",
        "dinghy",
        "pullet",
        "cutlass",
        "scimitar",
        "heifer",
        "skiff",
        "adze",
        "aardvark",
        "zephyr",
    ]
    assert explained(" ".join(rare), nothing).count("; ") >= MOST - 1
    assert "gentle wind" not in explained(" ".join(rare), nothing)
    assert "gentle wind" in explained("zephyr", nothing)


def test_the_file_is_headed_by_its_licence_and_holds_a_meaning_a_line() -> None:
    lines = gzip.decompress(FILE.read_bytes()).decode().splitlines()
    head = [line for line in lines if line.startswith("#")]
    assert lines[: len(head)] == head
    assert "# WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved." in head
    words = [line.split("\t") for line in lines[len(head) :]]
    assert len(words) > 60_000
    assert all(len(row) == 2 and row[0].isascii() and row[0].islower() and row[1].strip() for row in words)
    assert [row[0] for row in words] == sorted({row[0] for row in words})


def test_an_encoder_with_the_glossary_is_another_one() -> None:
    torch.manual_seed(0)
    plain = MiniEncoder(embedding_dim=32, hidden_dim=16).eval()
    helped = MiniEncoder(embedding_dim=32, hidden_dim=16, glossary=True).eval()
    helped.load_state_dict(plain.state_dict())
    assert helped.id == f"{plain.id}+{glossary_id()}"
    texts = ["a dog in the rain", "a rapier"]
    same, other = (helped.encode_text(texts) * plain.encode_text(texts)).sum(dim=1)
    torch.testing.assert_close(same, torch.tensor(1.0), atol=1e-5, rtol=0)
    assert other < 0.99
    tokens = helped.encode_tokens(texts)
    torch.testing.assert_close(
        torch.nn.functional.normalize(tokens.projection, dim=1), helped.encode_text(texts), atol=1e-5, rtol=0
    )
