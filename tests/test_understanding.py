"""What a model says of prompts that it does not know, or reads in part only."""

import pytest

from clipsonic.encoders.mini import MiniEncoder, text_unread
from clipsonic.pipeline import CLIPSonicPipeline
from clipsonic.understanding import Understanding, embed_labels, respelled, understand

LABELS = ["dog", "cat", "helicopter", "baby crying", "guitar", "piano"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("helicoptr", "helicopter"),
        ("a photo of a dgo", "a photo of a dog"),
        ("a Pianno and a gitar", "a piano and a guitar"),
        ("a photo of a dog", None),
        ("the stock market", None),
        ("frying eggs on a mouse click", None),
    ],
)
def test_words_are_respelled_as_in_the_labels(written: str, meant: str | None) -> None:
    assert respelled(written, LABELS) == meant


def test_signs_without_a_token_are_named() -> None:
    assert text_unread("rain 🐶 and 🦜").unknown == ("🐶", "🦜")
    assert not text_unread("a photo of a dog").unknown


def test_the_end_past_the_last_token_is_named() -> None:
    words = " ".join(f"dog{n % 2}" for n in range(100))
    cut = text_unread(words + " and a helicopter").cut
    assert cut.endswith("and a helicopter") and words.endswith(cut.removesuffix(" and a helicopter"))
    assert not text_unread(" ".join(["dog"] * 126)).cut
    assert text_unread(" ".join(["dog"] * 127)).cut == "dog"


def test_an_unfamiliar_prompt_is_told_with_the_nearest_labels(mini_encoder: MiniEncoder) -> None:
    rows = embed_labels(mini_encoder, LABELS)
    known, unknown, named = understand(mini_encoder, ["a dog", "helicoptr", "xyzzy dog"], LABELS, rows, 0.7)
    assert known.familiar and known.nearest[0][0] == "dog" and not known.notes
    assert not unknown.familiar and unknown.spelling == "helicopter"
    assert "helicopter" in unknown.notes[0] and unknown.nearest[0][0] in unknown.notes[0]
    assert unknown.metadata["nearest_labels"] == {
        label: pytest.approx(cosine, abs=1e-3) for label, cosine in unknown.nearest
    }
    assert named.familiar  # it names a label
    (unsure,) = understand(mini_encoder, ["helicoptr"], LABELS, rows, None)
    assert unsure.familiar and unsure.nearest


@pytest.fixture(scope="module")
def mini() -> CLIPSonicPipeline:
    return CLIPSonicPipeline.from_pretrained("mini")


def test_mini_knows_its_labels_and_not_everything(mini: CLIPSonicPipeline) -> None:
    labels = mini.config.labels
    assert len(labels) == 46
    asked = [
        *labels,
        *(f"a photo of a {label}" for label in labels),
        "heavy rain",
        "a man playing the guitar",
    ]
    assert all(each.familiar for each in mini.understand(asked))
    strange = mini.understand(["helicoptr", "glass breaking", "ein bellender Hund", "kraftwerk"])
    assert not any(each.familiar for each in strange)
    assert strange[0].spelling == "helicopter"


def test_labels_stay_with_a_saved_model(mini: CLIPSonicPipeline) -> None:
    again = CLIPSonicPipeline(**mini.components | {"labels": ["rain"], "familiar_cosine": 0.5})
    assert again.config.labels == ["rain"] and again.understand(["rain"])[0].nearest[0][0] == "rain"


def test_metadata_of_a_prompt_that_is_cut() -> None:
    page = Understanding("long", cut="the end", unknown=("🐶",)).metadata
    assert page == {"prompt": "long", "cut": "the end", "unknown": ["🐶"]}
