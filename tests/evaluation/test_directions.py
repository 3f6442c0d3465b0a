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
    claim = "the best window of a recording scores above the whole: reconstruction, whole < max"
    assert verdicts[claim] == "not measured"
    assert verdicts["the CLAP score of ZS rises with w"] == "not measured"


def test_reconstructions_score_below_short_answers_and_their_own_best_windows() -> None:
    def figure(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.01, "high": value + 0.01}

    page = {"frechet_audio_distance": figure(1), "clap_score": figure(0.3), "windows": None}
    windows = {"whole": figure(0.2), "max": figure(0.35), "mean": figure(0.2), "min": figure(0.1)}
    ceiling = page | {"clap_score": figure(0.2), "windows": windows}
    pages = {"ZS": page, "IQ": page | {"clap_score": figure(0.1)}, "reconstruction": ceiling}
    verdicts = {each.claim: each.verdict for each in directions(pages, {}, {}, {"bridges": []})}
    found = [verdict for claim, verdict in verdicts.items() if "reconstruction, whole < max" in claim]
    assert found == ["holds"]
    below = {
        claim[-2:]: verdict for claim, verdict in verdicts.items() if "CLAP score, reconstruction <" in claim
    }
    assert below == {"IQ": "does not hold", "ZS": "holds"}
