"""Whether the intervals of listening tests hold: python -m benchmarks.panel [--panels 300].

Simulated panels of raters whose true opinion scores are known hear what a real test would give them. Printed are
the share of 95 % intervals that hold the true score, beside two usual ones, and how often two systems that are
equally good are told apart.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from clipsonic.evaluation.listening import Ratings, differences, mean_opinion
from clipsonic.interfaces.listen.assignment import cells

MEANS = (2.2, 3.0, 3.0, 3.8)  # of the systems before the scale cuts and rounds; two are equally good
SHAPES = ((8, 12, 12), (12, 24, 24), (30, 20, 20), (30, 40, 24))  # raters, prompts, clips a rater
DRAWS = 400  # of the bootstrap


@dataclass(frozen=True)
class Spread:
    """Standard deviations of what makes up a rating."""

    rater: float = 0.4  # how strict a rater is
    prompt: float = 0.4  # how easy a prompt is for all systems
    sound: float = 0.5  # how good one system's sound for one prompt is
    liking: float = 0.2  # how much a rater likes one system more than another
    moment: float = 0.7  # the rest

    @property
    def whole(self) -> float:
        """Of a rating."""
        return float(np.sqrt(sum(each**2 for each in vars(self).values())))


def true_score(mean: float, spread: Spread) -> float:
    """The score of all raters and prompts there could be: of a normal opinion, rounded and cut to 1 to 5."""
    below = stats.norm.cdf((np.arange(1, 5) + 0.5 - mean) / spread.whole)
    return float(5 - below.sum())


def simulate(
    means: Sequence[float], raters: int, prompts: int, trials: int, spread: Spread, seed: int
) -> Ratings:
    """What a panel says, each rater of the clips that a test would give them."""
    random = np.random.default_rng(seed)
    systems = len(means)
    strict, easy = random.normal(0, spread.rater, raters), random.normal(0, spread.prompt, prompts)
    sound = random.normal(0, spread.sound, (prompts, systems))
    liking = random.normal(0, spread.liking, (raters, systems))
    heard = [(rater, *cell) for rater in range(raters) for cell in cells(rater, trials, prompts, systems)]
    rater, prompt, system = np.array(heard).T
    opinion = np.array(means)[system] + strict[rater] + easy[prompt] + sound[prompt, system]
    opinion += liking[rater, system] + random.normal(0, spread.moment, len(rater))
    return Ratings(rater, prompt, system, np.clip(np.rint(opinion), 1, 5))


def usual(ratings: Ratings) -> tuple[float, float]:
    """The interval that takes all ratings for independent."""
    half = 1.96 * ratings.score.std(ddof=1) / np.sqrt(len(ratings.score))
    return float(ratings.score.mean() - half), float(ratings.score.mean() + half)


def bootstrap(ratings: Ratings, seed: int) -> tuple[float, float]:
    """The percentile interval over raters and prompts drawn anew, both at once (Owen 2007)."""
    random = np.random.default_rng(seed)
    weights = []
    for units in (ratings.rater, ratings.prompt):
        _, place = np.unique(units, return_inverse=True)
        count = place.max() + 1
        weights.append(random.multinomial(count, np.full(count, 1 / count), DRAWS)[:, place])
    both = weights[0] * weights[1]
    means = (both @ ratings.score) / both.sum(1).clip(1)
    return tuple(np.quantile(means[both.sum(1) > 0], [0.025, 0.975]))


def main() -> None:
    """Prints a row for each shape of a panel."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--panels", type=int, default=300)
    panels = parser.parse_args().panels
    spread = Spread()
    truth = [true_score(mean, spread) for mean in MEANS]
    print(
        "| raters | prompts | clips a rater | ours | width | bootstrap | width | as if independent | width |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    findings = []
    for raters, prompts, trials in SHAPES:
        held, widths, wrong, power = np.zeros(3), np.zeros(3), 0, 0
        for seed in range(panels):
            ratings = simulate(MEANS, raters, prompts, trials, spread, seed)
            for system, score in enumerate(truth):
                one = ratings.of(system)
                ours = mean_opinion(one)
                intervals = np.array([(ours.low, ours.high), bootstrap(one, seed), usual(one)])
                held += (intervals[:, 0] <= score) & (score <= intervals[:, 1])
                widths += intervals[:, 1] - intervals[:, 0]
            pairs = {(each.first, each.second): each for each in differences(ratings, range(len(MEANS)))}
            wrong += pairs[1, 2].p < 0.05
            power += pairs[0, 1].p < 0.05
        row = [f"{raters} | {prompts} | {trials}"]
        row += [
            f"{100 * h:.1f} % | {w:.2f}" for h, w in zip(held / panels / 4, widths / panels / 4, strict=True)
        ]
        print(f"| {' | '.join(row)} |", flush=True)
        findings.append(
            f"{raters} raters, {prompts} prompts: equal systems told apart in {wrong / panels:.1%} of panels, "
            f"systems {truth[1] - truth[0]:.2f} apart in {power / panels:.1%}"
        )
    print("\n".join(findings))


if __name__ == "__main__":
    main()
