"""`clipsonic listen report`: answers => opinion scores, as a page, tables and figures."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clipsonic import __version__
from clipsonic.errors import UserError
from clipsonic.files import only_one, whole_file
from clipsonic.interfaces import telling
from clipsonic.interfaces.listen.assignment import QUESTIONS
from clipsonic.interfaces.listen.plan import Plan, read_plan
from clipsonic.interfaces.listen.results import COLUMNS, FAR, Results, collect
from clipsonic.interfaces.report.charts import svg

SURE = 0.05
# Tables 3 and 4: fidelity / relevance; raters, clips and scale labels are others, so nothing more than a landmark.
PAPER = {
    "ZS": "VGGSound 2.55 / 2.01, MUSIC 2.98 / 3.87",
    "PD": "VGGSound 3.04 / 2.86, MUSIC 3.67 / 3.91",
    "SD": "VGGSound 2.96 / 3.49, MUSIC 3.36 / 4.07",
    "IQ": "ImageHear 3.29 / 3.80",
    "held-out": "VGGSound 3.78 / 3.54, MUSIC 3.90 / 4.34",
    "SpecVQGAN": "ImageHear 2.15 / 2.54",
    "IM2WAV": "ImageHear 2.19 / 3.90",
}


@dataclass(frozen=True)
class Scored:
    """What came out for one question."""

    question: str
    opinions: dict[str, Any]  # by system, like `Opinion`; None where nobody heard it
    pairs: list[dict[str, Any]]  # like `Difference`, with names
    agreement: float | None
    counts: list[list[int]]  # answers 1 to 5, by system


def run(test: Path, out: Path, exclude_failed: bool, exclude_unfinished: bool) -> None:
    """Counts, prints and writes.

    Raises:
        UserError: no test, no answers, or nothing can be written there.
    """
    with only_one(out):
        plan = read_plan(test)
        try:
            import scipy  # noqa: F401
        except ImportError as error:
            raise UserError("scipy is not installed: pip install 'clipsonic[serve]'") from error
        results = collect(test, plan, exclude_failed, exclude_unfinished)
        scored = [score(plan, results, question) for question in QUESTIONS if question in results.ratings]
        figures = {
            each.question: (opinion_chart(plan.systems, each), answer_chart(plan.systems, each))
            for each in scored
        }
        try:
            _write_tables(out, results, scored)
            for question, charts in figures.items():
                for name, chart in zip((question, f"{question}-answers"), charts, strict=True):
                    with whole_file(out / f"{name}.png") as file:
                        chart.savefig(file, format="png", dpi=150)
            with whole_file(out / "report.html") as file:
                file.write(_page(plan, results, scored, figures).encode())
        except OSError as error:
            raise UserError(f"cannot write to {out}: {error.strerror or error}") from error
    page = {each.question: asdict(each) for each in scored}
    telling.show(page, "\n".join(line for each in scored for line in _lines(each)))
    telling.note(str(out / "report.html"))


def _lines(scored: Scored) -> list[str]:
    width = max(map(len, scored.opinions)) + 2
    return [
        scored.question,
        *(
            f"  {name:<{width}}{it['value']:.2f} [{it['low']:.2f}, {it['high']:.2f}]  "
            f"{it['ratings']} ratings, {it['raters']} raters, {it['prompts']} prompts"
            for name, it in scored.opinions.items()
            if it is not None
        ),
    ]


def score(plan: Plan, results: Results, question: str) -> Scored:
    """Everything that is measured of one question."""
    from clipsonic.evaluation.listening import agreement, differences, mean_opinion

    ratings = results.ratings[question]
    heard = [system for system in range(len(plan.systems)) if (ratings.system == system).any()]
    opinions = {
        name: asdict(mean_opinion(ratings.of(system))) if system in heard else None
        for system, name in enumerate(plan.systems)
    }
    names = plan.systems
    pairs = [
        asdict(each) | {"first": names[each.first], "second": names[each.second]}
        for each in differences(ratings, heard)
    ]
    clips = ratings.prompt * len(names) + ratings.system
    counts = [
        np.bincount(ratings.score[ratings.system == system].astype(int), minlength=6)[1:].tolist()
        for system in range(len(names))
    ]
    return Scored(question, opinions, pairs, agreement(clips, ratings.score), counts)


def opinion_chart(systems: Sequence[str], scored: Scored) -> Figure:
    """Mean opinion scores with their intervals."""
    chart, axes = _rows(systems)
    for row, name in enumerate(systems):
        if (opinion := scored.opinions[name]) is not None:
            ends = [[opinion["value"] - opinion["low"]], [opinion["high"] - opinion["value"]]]
            axes.errorbar(opinion["value"], row, xerr=ends, fmt="o", color="C0", capsize=4)
    axes.set(xlim=(1, 5), xticks=range(1, 6), xlabel=f"{scored.question}, mean and 95 % interval")
    axes.grid(alpha=0.3)
    return chart


def answer_chart(systems: Sequence[str], scored: Scored) -> Figure:
    """How often each answer was given."""
    chart, axes = _rows(systems)
    shares = np.array(scored.counts, dtype=float)
    shares /= shares.sum(1, keepdims=True).clip(min=1)
    starts = np.zeros(len(systems))
    for answer, colour in enumerate(("#b2182b", "#ef8a62", "#d9d9d9", "#67a9cf", "#2166ac")):
        axes.barh(
            range(len(systems)),
            shares[:, answer],
            left=starts,
            color=colour,
            height=0.6,
            label=str(answer + 1),
        )
        starts += shares[:, answer]
    axes.set(xlim=(0, 1), xlabel=f"{scored.question}, share of the answers")
    chart.legend(loc="outside upper right", ncols=5, fontsize=8, frameon=False)
    return chart


def _rows(systems: Sequence[str]) -> tuple[Figure, Axes]:
    chart = Figure(figsize=(5, 1.3 + 0.42 * len(systems)), layout="constrained")
    axes = chart.subplots()
    names = [name if len(name) <= 20 else f"{name[:19]}…" for name in systems]
    axes.set_yticks(range(len(systems)), names, parse_math=False)
    axes.set_ylim(len(systems) - 0.5, -0.5)
    return chart, axes


def _page(
    plan: Plan, results: Results, scored: Sequence[Scored], figures: dict[str, tuple[Figure, Figure]]
) -> str:
    pages = Environment(
        loader=PackageLoader("clipsonic.interfaces.listen", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    return pages.get_template("report.html").render(
        plan=plan,
        scored=scored,
        charts={question: [svg(chart) for chart in both] for question, both in figures.items()},
        conduct=results.conduct,
        kept=sum(not each.left_out for each in results.conduct),
        unfinished=sum(not each.finished for each in results.conduct),
        failed=sum(each.failed for each in results.conduct),
        paper={name: PAPER[name] for name in plan.systems if name in PAPER},
        sure=SURE,
        far=FAR,
        version=__version__,
    )


def _write_tables(out: Path, results: Results, scored: Sequence[Scored]) -> None:
    opinions = [
        {"question": each.question, "system": name, **opinion}
        for each in scored
        for name, opinion in each.opinions.items()
        if opinion is not None
    ]
    pairs = [{"question": each.question, **pair} for each in scored for pair in each.pairs]
    conduct = [asdict(each) for each in results.conduct]
    _write_csv(out / "ratings.csv", COLUMNS, results.rows)
    for name, rows in (("scores", opinions), ("differences", pairs), ("raters", conduct)):
        if rows:
            _write_csv(out / f"{name}.csv", list(rows[0]), [list(row.values()) for row in rows])


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(columns)
    table.writerows(rows)
    with whole_file(path) as file:
        file.write(text.getvalue().encode())
