"""Who hears what: balanced, in an order of their own, with the checks."""

from collections import Counter

import pytest

from clipsonic.interfaces.listen.assignment import cells, trials_of


@pytest.mark.parametrize(
    ("prompts", "systems", "count"), [(6, 3, 4), (7, 3, 7), (46, 7, 21), (4, 4, 16), (1, 2, 1)]
)
def test_every_clip_is_given_out_equally_often(prompts: int, systems: int, count: int) -> None:
    given: Counter[tuple[int, int]] = Counter({(p, s): 0 for p in range(prompts) for s in range(systems)})
    for rater in range(3 * prompts * systems):
        mine = cells(rater, count, prompts, systems)
        assert len(set(mine)) == count
        for place, within in ((0, 1), (1, 2)):
            often = Counter(cell[place] for cell in mine)
            counts = [often[each] for each in range((prompts, systems)[place])]
            assert max(counts) - min(counts) <= within
        given.update(mine)
        assert max(given.values()) - min(given.values()) <= 1


CLIPS = [[f"{prompt}{system}" for system in "abc"] for prompt in range(8)]


def test_a_rater_hears_the_same_clips_in_both_parts_with_a_repeat_and_a_check() -> None:
    trials = trials_of(5, CLIPS, 12, seed=3)
    assert len({trial.trial for trial in trials}) == len(trials) == 2 * 14
    heard = []
    for part in (trials[:14], trials[14:]):
        rated = [trial.clip for trial in part if trial.kind == "rated"]
        (repeat,) = (place for place, trial in enumerate(part) if trial.kind == "repeat")
        (check,) = (trial for trial in part if trial.kind == "check")
        first = next(
            place for place, t in enumerate(part) if (t.kind, t.clip) == ("rated", part[repeat].clip)
        )
        assert repeat - first >= 4  # long enough ago
        assert check.answer in range(1, 6) and check.clip not in rated
        assert all(trial.answer is None for trial in part if trial.kind != "check")
        heard.append(rated)
    assert [trial.question for trial in trials] == ["fidelity"] * 14 + ["relevance"] * 14
    assert sorted(heard[0]) == sorted(heard[1]) and heard[0] != heard[1]


def test_the_seed_and_the_rater_decide() -> None:
    assert trials_of(5, CLIPS, 12, 3) == trials_of(5, CLIPS, 12, 3)
    assert trials_of(5, CLIPS, 12, 3) != trials_of(6, CLIPS, 12, 3)
    assert trials_of(5, CLIPS, 12, 3) != trials_of(5, CLIPS, 12, 4)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_short_tests(count: int) -> None:
    for rater in range(20):
        kinds = Counter(trial.kind for trial in trials_of(rater, [["a", "b", "c"]], count, 0))
        assert kinds == {"rated": 2 * count, "repeat": 2, "check": 2}
