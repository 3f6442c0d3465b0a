"""A test's plan and answers => ratings that can be counted, and what is to be known of each rater."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from clipsonic.errors import UserError
from clipsonic.evaluation.listening import Ratings
from clipsonic.interfaces.listen.plan import ANSWERS, Plan
from clipsonic.interfaces.listen.store import Answer, Rater, Store

FAR = 3  # steps between two answers to the same clip that count as a failed check


@dataclass(frozen=True)
class Conduct:
    """How a rater went about it."""

    number: int
    joined: str
    minutes: float | None  # from joining to the last answer
    answered: int
    asked: int
    changed: int  # answers that were given more than once
    checks: str  # such as "1 of 2 failed"; of those answered
    failed: bool
    apart: float | None  # mean distance of the answers to clips that came twice
    spread: float | None  # standard deviation of their answers: 0 gives all clips the same
    left_out: str  # why, if they are

    @property
    def finished(self) -> bool:
        """Whether every clip has an answer."""
        return self.answered == self.asked


@dataclass(frozen=True)
class Results:
    """Everything for the report."""

    ratings: dict[str, Ratings]  # by question; checks and second answers to a clip do not count
    conduct: list[Conduct]
    rows: list[tuple[int, str, str, str, int, int, str, str, int]]  # see COLUMNS


COLUMNS = ("rater", "question", "system", "prompt", "rating", "plays", "first_at", "last_at", "times")


def collect(test: Path, plan: Plan, exclude_failed: bool, exclude_unfinished: bool) -> Results:
    """Reads all of it; the server may run.

    Raises:
        UserError: nobody has taken part, or nobody is left.
    """
    if not (test / ANSWERS).is_file():
        raise UserError(f"{test} has no answers yet; let raters take it with: clipsonic listen serve {test}")
    store = Store(test)
    try:
        raters, answers = store.raters(), store.answers()
    finally:
        store.close()
    of_rater: dict[int, dict[str, Answer]] = {rater.number: {} for rater in raters}
    for answer in answers:
        of_rater[answer.rater][answer.trial] = answer

    def why(failed: bool, finished: bool) -> str:
        reasons = [
            ("failed a check", failed and exclude_failed),
            ("did not finish", not finished and exclude_unfinished),
        ]
        return ", ".join(reason for reason, holds in reasons if holds)

    conduct = [_conduct(rater, of_rater[rater.number], why) for rater in raters]
    kept = {each.number for each in conduct if not each.left_out}
    clips = {clip.name: clip for clip in plan.clips}
    rows: list[tuple[int, str, str, str, int, int, str, str, int]] = []
    columns: dict[str, list[tuple[int, int, int, int]]] = {}
    for rater in raters:
        for trial in rater.trials:
            found = of_rater[rater.number].get(trial.trial)
            if found is None or trial.kind != "rated" or rater.number not in kept:
                continue
            clip = clips[trial.clip]
            prompt = plan.prompts[clip.prompt]
            columns.setdefault(trial.question, []).append(
                (rater.number, clip.prompt, clip.system, found.rating)
            )
            rows.append(
                (rater.number, trial.question, plan.systems[clip.system], prompt.name,
                 found.rating, found.plays, found.first, found.last, found.times)
            )  # fmt: skip
    if not rows:
        raise UserError(f"no answers of {len(raters)} raters are left to count")
    ratings = {}
    for question, each in columns.items():
        numbers = np.array(each)
        ratings[question] = Ratings(numbers[:, 0], numbers[:, 1], numbers[:, 2], numbers[:, 3].astype(float))
    return Results(ratings, conduct, rows)


def _conduct(rater: Rater, said: dict[str, Answer], why: Callable[[bool, bool], str]) -> Conduct:
    checks, again = [], []
    for trial in rater.trials:
        if trial.trial not in said:
            continue
        rating = said[trial.trial].rating
        if trial.kind == "check":
            checks.append(rating != trial.answer)
        if trial.kind == "repeat":
            first = next(
                each for each in rater.trials
                if (each.clip, each.question, each.kind) == (trial.clip, trial.question, "rated")
            )  # fmt: skip
            if first.trial in said:
                again.append(abs(rating - said[first.trial].rating))
    wrong = [*checks, *(distance >= FAR for distance in again)]
    given = [each.rating for each in said.values()]
    failed, finished = any(wrong), len(said) == len(rater.trials)
    last = max((each.last for each in said.values()), default=None)
    return Conduct(
        rater.number,
        rater.joined,
        _minutes(rater.joined, last) if last else None,
        len(said),
        len(rater.trials),
        sum(each.times > 1 for each in said.values()),
        f"{sum(wrong)} of {len(wrong)} failed",
        failed,
        float(np.mean(again)) if again else None,
        float(np.std(given)) if given else None,
        why(failed, finished),
    )


def _minutes(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 60
