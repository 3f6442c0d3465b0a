"""`clipsonic listen report` on answers whose truth is known."""

import csv
import json
import re
import secrets
from pathlib import Path

import numpy as np
import pytest

from clipsonic.interfaces.listen.assignment import trials_of
from clipsonic.interfaces.listen.plan import read_plan
from clipsonic.interfaces.listen.store import Store

CARELESS, GONE = 3, 5  # numbers of raters


def answer_all(test: Path, raters: int) -> None:
    """ZS is rated about 2 and truth about 4; one rater gives all the same, one stops in the middle of fidelity."""
    plan, random = read_plan(test), np.random.default_rng(0)
    system = {clip.name: clip.system for clip in plan.clips}
    store = Store(test)
    for number in range(raters):
        rater = store.join(secrets.token_hex(16), lambda n: trials_of(n, plan.grid(), plan.trials, plan.seed))
        for place, trial in enumerate(rater.trials):
            if number == GONE and place == 3:
                break
            steady = 2 + 2 * system[trial.clip] + (place + number) % 2 * (trial.kind == "rated")
            said = trial.answer or int(np.clip(steady + random.integers(-1, 1), 1, 5))
            if number == CARELESS and trial.kind == "check":
                said = trial.answer % 5 + 1
            store.rate(number, trial.trial, said, 1, secrets.token_hex(16))
        if number == 0:  # changes their mind
            store.rate(0, "1-001", 1, 2, secrets.token_hex(16))
    store.close()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def answered(made_test: Path) -> Path:
    answer_all(made_test, 12)
    return made_test


def test_scores_figures_and_raters(clipsonic_command, answered, tmp_path) -> None:
    code, said = clipsonic_command("listen", "report", answered, "--out", tmp_path / "out")
    assert code == 0, said
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {
        "report.html", "scores.csv", "differences.csv", "ratings.csv", "raters.csv",
        "fidelity.png", "fidelity-answers.png", "relevance.png", "relevance-answers.png",
    }  # fmt: skip
    scores = {(row["question"], row["system"]): row for row in rows(out / "scores.csv")}
    assert len(scores) == 4
    for (_, system), row in scores.items():
        assert 1 <= float(row["low"]) <= float(row["value"]) <= float(row["high"]) <= 5
        assert abs(float(row["value"]) - (2 if system == "ZS" else 4)) < 0.6
    ratings = rows(out / "ratings.csv")
    for question in ("fidelity", "relevance"):  # by hand, from the rows
        mine = [
            float(row["rating"]) for row in ratings if (row["question"], row["system"]) == (question, "ZS")
        ]
        assert float(scores[question, "ZS"]["value"]) == pytest.approx(np.mean(mine))
        assert int(scores[question, "ZS"]["ratings"]) == len(mine)
    assert {row["prompt"] for row in ratings} == {
        "the sound of dog",
        "the sound of rain",
        "the sound of bells",
    }
    raters = rows(out / "raters.csv")
    assert (raters[0]["changed"], raters[1]["changed"]) == ("1", "0")
    assert [row["number"] for row in raters if row["answered"] != row["asked"]] == [str(GONE)]
    assert raters[CARELESS]["failed"] == "True" and raters[CARELESS]["checks"] == "2 of 4 failed"
    page = (out / "report.html").read_text()
    assert "12 raters began, 1 of them did not finish" in page and "the answers of 12 count" in page
    assert page.count("<svg") == 4 and not re.search(r'(src|href)="http', page)


def test_raters_can_be_left_out(clipsonic_command, answered, tmp_path) -> None:
    words = ("--out", tmp_path / "out", "--exclude-failed", "--exclude-unfinished", "--json")
    code, said = clipsonic_command("listen", "report", answered, *words)
    assert code == 0, said
    left_out = {
        row["number"]: row["left_out"] for row in rows(tmp_path / "out/raters.csv") if row["left_out"]
    }
    assert left_out == {str(CARELESS): "failed a check", str(GONE): "did not finish"}
    assert {row["rater"] for row in rows(tmp_path / "out/ratings.csv")}.isdisjoint({str(CARELESS), str(GONE)})
    page = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert page["fidelity"]["opinions"]["ZS"]["raters"] == 10


def test_one_rater_tells_nothing_of_others(clipsonic_command, made_test, tmp_path) -> None:
    answer_all(made_test, 1)
    code, said = clipsonic_command("listen", "report", made_test, "--out", tmp_path / "out")
    assert code == 0, said
    assert {(row["low"], row["high"]) for row in rows(tmp_path / "out/scores.csv")} == {("1", "5")}
    assert "no clip was heard by two raters" in (tmp_path / "out/report.html").read_text()


def test_without_answers(clipsonic_command, made_test, tmp_path) -> None:
    for folder, expected in ((made_test, "no answers yet"), (tmp_path, "is no listening test")):
        code, said = clipsonic_command("listen", "report", folder, "--out", tmp_path / "out")
        assert code == 2 and expected in " ".join(said.split())
    Store(made_test).close()
    code, said = clipsonic_command("listen", "report", made_test, "--out", tmp_path / "out")
    assert code == 2 and "no answers of 0 raters" in " ".join(said.split())
    (made_test / "plan.json").write_text("{}")
    code, said = clipsonic_command("listen", "serve", made_test)
    assert code == 2 and "is no plan of this version" in " ".join(said.split())
    assert not (tmp_path / "out").exists()
