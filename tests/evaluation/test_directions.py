"""Claims: held, turned round, and left open where intervals overlap."""

from clipsonic.evaluation.bootstrap import Mean
from clipsonic.evaluation.directions import less, rises
from clipsonic.interfaces.reproduce.claims import directions


def mean(value: float, half: float) -> Mean:
    return Mean(value, value - half, value + half, 10)


def test_only_what_lies_apart_is_decided() -> None:
    values = {"a": mean(1, 0.2), "b": mean(2, 0.2), "c": mean(2.1, 0.2), "d": mean(3, 0.2)}
    assert less("", values, "a", "b", "d").verdict == "holds"
    assert less("", values, "a", "b", "c").verdict == "not decided"
    assert less("", values, "c", "b").verdict == "not decided"
    assert less("", values, "d", "a").verdict == "does not hold"
    assert less("", values, "a", "d", "b").verdict == "does not hold"
    found = less("", values, "a", "e")
    assert (found.verdict, found.numbers) == ("not measured", "no e")


def test_along_a_scale_the_ends_count() -> None:
    up = [(1.0, mean(1, 0.1)), (2.0, mean(5, 0.1)), (3.0, mean(2, 0.1))]
    assert rises("", up).verdict == "holds"
    assert rises("", up[::-1]).verdict == "does not hold"
    assert rises("", up[:1]).verdict == "not measured"


def test_a_system_without_words_is_no_obstacle() -> None:
    distance = {"value": 1.0, "low": 0.9, "high": 1.1}
    page = {"frechet_audio_distance": distance, "clap_score": None, "windows": None}
    found = directions({"ZS": page, "IQ": page}, {"ZS": []}, {"ZS": []}, {"bridges": []})
    verdicts = {each.claim: each.verdict for each in found}
    assert verdicts["pictures do better than words: IQ < ZS"] == "not decided"
    assert verdicts["the best part of a clip scores higher than the whole (ZS)"] == "not measured"
    assert verdicts["the CLAP score of ZS rises with w"] == "not measured"
