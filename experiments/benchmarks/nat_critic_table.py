"""The tables and plots of :mod:`.nat_darts_supernet` and :mod:`.nat_trained`, critic or none, from their rows alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from experiments.benchmarks import common, svg
from experiments.benchmarks.nat_benefit_table import ARMS, Rows, Runs, lines_of


@dataclass(frozen=True)
class Comparison:
    """What is compared, and the words for it.

    Parameters
    ----------
    problem
        As its rows have it.
    rules, queries, ks
        For each of them the recipe is compared with its peers.
    script
        Which holds the protocol.
    title, note
        Above and below the table.
    local
        Evaluations of the local search that the largest of `ks` is compared with, if it is.
    """

    problem: str
    rules: Sequence[str]
    queries: Sequence[int]
    ks: Sequence[int]
    script: str
    title: str
    note: str
    local: int | None = None


def table(rows: Rows, about: Comparison) -> str:
    """Return the results as Markdown, the verdict on each target first."""
    runs = Runs(rows)
    lines = [f"# {about.title}", "", common.machine(), ""]
    told = f"Protocol and targets are in `{about.script}`. {len({row['seed'] for row in rows})} seeds."
    lines += [told, "", "## Targets", "", *verdicts(rows, about), "", "## Gains", ""]
    columns = ("rule", "arm", "queries", "K", "evaluations", "gain", "of living inputs", "shared at as many")
    lines += ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += [line for rule in about.rules for line in lines_of(runs, about.problem, rule)]
    return "\n".join([*lines, "", about.note]) + "\n"


def verdicts(rows: Rows, about: Comparison) -> list[str]:
    """Return a line for each target of which there are runs; seeds are paired, whatever the order of the rows."""
    lines = []
    for rule, queries, k in itertools.product(about.rules, about.queries, about.ks):
        case = f"{rule}, {queries} queries, K = {k}"
        if margins := margins_of(rows, about.problem, rule, queries, k):
            papers, shareds = zip(*margins, strict=True)
            lines += [
                _margin(f"{case}, above the paper's learner", papers),
                _margin(f"{case}, above the shared cache at as many evaluations", shareds),
            ]
    lines += [] if about.local is None else _against_local(rows, about, about.local)
    found = [(key, result) for key, results in Runs(rows).all_of().items() for result in results]
    kept = min(result.kept for key, result in found if (key[2], key[4]) != ("recipe", 0))
    dearer = max(result.dearer for _, result in found)
    told = f"with K of 1 or more no output is below its input (least change {kept:+.2f} points); none is costlier"
    return [*lines, f"- {_word(kept >= 0 and dearer <= 0)}: {told} (most {dearer:+.0f} MAdds or parameters)"]


def margins_of(rows: Rows, problem: str, rule: str, queries: int, k: int) -> list[tuple[float, float]]:
    """Return by how much the recipe gains more than the paper's learner, and than the shared cache, for each seed."""
    margins = []
    for seed in sorted({row["seed"] for row in rows}):
        runs = Runs([row for row in rows if row["seed"] == seed])
        learned = [runs.results(problem, rule, arm, queries, k) for arm in ("recipe", "paper_line_graph")]
        if all(learned) and runs.settings(problem, rule, "shared"):
            (ours,), (theirs,) = learned
            shared = runs.shared_at(problem, rule, ours.evaluations)
            margins.append((ours.gain - theirs.gain, ours.gain - shared))
    return margins


def _against_local(rows: Rows, about: Comparison, budget: int) -> list[str]:
    """Return a line for each comparison with the climbs, which may not have had fewer evaluations."""
    lines = []
    for rule, queries in itertools.product(about.rules, about.queries):
        k, margins, spent = about.ks[-1], [], []
        for seed in sorted({row["seed"] for row in rows}):
            runs = Runs([row for row in rows if row["seed"] == seed])
            ours = runs.results(about.problem, rule, "recipe", queries, k)
            theirs = runs.results(about.problem, rule, "local", 0, budget)
            if ours and theirs:
                margins.append(ours[0].gain - theirs[0].gain)
                spent.append((ours[0].evaluations, theirs[0].evaluations))
        if margins:
            mine, other = np.mean(spent, axis=0)
            case = f"{rule}, {queries} queries, K = {k}, above the local search of {budget}"
            lines.append(f"{_margin(case, margins, mine <= other)}, by {mine:.0f} evaluations in place of {other:.0f}")
    return lines


def _margin(case: str, differences: Sequence[float], also: bool = True) -> str:
    mean = float(np.mean(differences))
    half = float(stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences)) if len(differences) > 1 else np.inf
    return f"- {_word(mean - half > 0 and also)}: {case}: {mean:+.2f} points [{mean - half:+.2f}, {mean + half:+.2f}]"


def _word(reached: bool) -> str:
    return "reached" if reached else "**NOT reached**"


def plot(rows: Rows, about: Comparison) -> str:
    """Return what was gained against all evaluations as SVG, one panel a rule; of the recipe what was measured."""
    runs, panels = Runs(rows), {}
    for rule in about.rules:
        curves: dict[str, list[tuple[float, float]]] = {}
        for arm, name in ARMS.items():
            settings = [(n, k) for n, k in runs.settings(about.problem, rule, arm) if k]
            for queries, own in itertools.groupby(settings, lambda setting: setting[0]):
                points = [runs.mean(about.problem, rule, arm, *setting) for setting in own]
                title = f"{name}, {queries} queries" if queries else name
                curves[title] = [(point.evaluations, point.gain) for point in points]
        if curves:
            panels[f"rule {rule}"] = curves
    gains = [gain for curves in panels.values() for curve in curves.values() for _, gain in curve]
    levels = range(min(0, math.floor(min(gains, default=0))), max(1, math.ceil(max(gains, default=1))) + 1)
    options = {"note": "Mean over seeds.", "ticks": (10, 100, 1000), "levels": levels}
    return svg.log_curves(panels, "evaluations in all", "points gained", (levels[0], levels[-1]), **options)
