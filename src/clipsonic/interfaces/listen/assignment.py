"""Which clips a rater hears, in which order, and the checks among them: a function of the seed and their number."""

from dataclasses import asdict, dataclass
from math import lcm
from typing import Any, Literal

import numpy as np

Kind = Literal["rated", "repeat", "check"]
QUESTIONS = ("fidelity", "relevance")  # in the order they are asked
CHECKS = 2  # clips a question besides: one that says which answer to give, one heard again


@dataclass(frozen=True)
class Trial:
    """A clip to rate."""

    trial: str  # its name
    question: str
    clip: str
    kind: Kind
    answer: int | None = None  # what a check asks for

    def as_page(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def cells(rater: int, count: int, prompts: int, systems: int) -> list[tuple[int, int]]:
    """The rater's share of all (prompt, system): so many, in no order to be heard in.

    All raters walk along one line through a cyclic Latin square, each from where the one before stopped: at any
    time every pair has been given out as often as any other, or once more, and a rater has each prompt equally
    often (within one) and each system (within two).
    """
    diagonal = lcm(prompts, systems)
    places = range(rater * count, (rater + 1) * count)
    return [(place % prompts, (place + place // diagonal) % systems) for place in places]


def trials_of(rater: int, clips: list[list[str]], count: int, seed: int) -> list[Trial]:
    """Everything a rater is asked: first of fidelity without the prompt, then of relevance, of the same clips.

    In each part one clip says which answer to give, and one from the beginning comes again at the end.

    Args:
        rater: their number, from 0.
        clips: names of the clips, [prompt][system].
        count: clips a rater, without checks.
    """
    of_test, of_rater = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1, rater])
    prompts, systems = of_test.permutation(len(clips)), of_test.permutation(len(clips[0]))
    heard = [
        clips[prompts[prompt]][systems[system]]
        for prompt, system in cells(rater, count, len(prompts), len(systems))
    ]
    everything = sorted(name for row in clips for name in row)
    found: list[Trial] = []
    for part, question in enumerate(QUESTIONS, 1):
        order: list[tuple[str, Kind, int | None]] = [
            (str(name), "rated", None) for name in of_rater.permutation(heard)
        ]
        again = order[int(of_rater.integers(max(1, count // 3)))][0]
        order.insert(int(of_rater.integers(count - count // 4, count + 1)), (again, "repeat", None))
        check = str(of_rater.choice([name for name in everything if name not in heard] or everything))
        wanted = int(of_rater.integers(1, 6))
        order.insert(int(of_rater.integers(1, len(order))), (check, "check", wanted))
        found += [Trial(f"{part}-{n:03d}", question, *each) for n, each in enumerate(order, 1)]
    return found
