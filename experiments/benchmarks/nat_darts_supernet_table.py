"""The table and the plot of :mod:`experiments.benchmarks.nat_darts_supernet`, from its rows alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy import stats

from experiments.benchmarks import common, svg
from experiments.benchmarks.nat_benefit_table import ARMS, RULES, Rows, Runs, lines_of

PROBLEM = "darts"
QUERIES, KS = (100, 300), (1, 10)


def table(rows: Rows) -> str:
    """Return the results as Markdown, the verdict on each target first."""
    runs = Runs(rows)
    lines = ["# Critic or none on DARTS's space, scored by a supernet", "", common.machine(), ""]
    told = f"Protocol and targets are in `nat_darts_supernet.py`. {len({row['seed'] for row in rows})} seeds."
    lines += [told, "", "## Targets", "", *verdicts(rows), "", "## Gains", ""]
    columns = ("rule", "arm", "queries", "K", "evaluations", "gain", "of living inputs", "shared at as many")
    lines += ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += [line for rule in RULES for line in lines_of(runs, PROBLEM, rule)]
    told = "Gain: points of the supernet's accuracy on images that were not searched by, mean over 40 inputs; mean ± "
    told += "standard deviation over seeds. Evaluations: all, the inputs included. The inputs' edges leave different "
    told += "nodes, so none can become what another did: the shared cache is random outputs, spread over the inputs."
    return "\n".join([*lines, "", told]) + "\n"


def verdicts(rows: Rows) -> list[str]:
    """Return a line for each target of which there are runs; seeds are paired, whatever the order of the rows."""
    lines = []
    for rule, queries, k in itertools.product(RULES, QUERIES, KS):
        case = f"{rule}, {queries} queries, K = {k}"
        if margins := margins_of(rows, rule, queries, k):
            papers, shareds = zip(*margins, strict=True)
            lines += [
                _margin(f"{case}, above the paper's learner", papers),
                _margin(f"{case}, above the shared cache at as many evaluations", shareds),
            ]
    found = [(key, result) for key, results in Runs(rows).all_of().items() for result in results]
    kept = min(result.kept for key, result in found if (key[2], key[4]) != ("recipe", 0))
    dearer = max(result.dearer for _, result in found)
    told = f"with K of 1 or more no output is below its input (least change {kept:+.2f}); none is costlier"
    return [*lines, f"- {_word(kept >= 0 and dearer <= 0)}: {told} (most {dearer:+.0f})"]


def margins_of(rows: Rows, rule: str, queries: int, k: int) -> list[tuple[float, float]]:
    """Return by how much the recipe gains more than the paper's learner, and than the shared cache, for each seed."""
    margins = []
    for seed in sorted({row["seed"] for row in rows}):
        runs = Runs([row for row in rows if row["seed"] == seed])
        learned = [runs.results(PROBLEM, rule, arm, queries, k) for arm in ("recipe", "paper_line_graph")]
        if all(learned) and runs.settings(PROBLEM, rule, "shared"):
            (ours,), (theirs,) = learned
            shared = runs.shared_at(PROBLEM, rule, ours.evaluations)
            margins.append((ours.gain - theirs.gain, ours.gain - shared))
    return margins


def _margin(case: str, differences: Sequence[float]) -> str:
    mean = float(np.mean(differences))
    half = float(stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences)) if len(differences) > 1 else np.inf
    return f"- {_word(mean - half > 0)}: {case}: {mean:+.2f} points [{mean - half:+.2f}, {mean + half:+.2f}]"


def _word(reached: bool) -> str:
    return "reached" if reached else "**NOT reached**"


def plot(rows: Rows) -> str:
    """Return what was gained against all evaluations as SVG, one panel a rule; of the recipe what was measured."""
    runs, panels = Runs(rows), {}
    for rule in RULES:
        curves: dict[str, list[tuple[float, float]]] = {}
        for arm, name in ARMS.items():
            settings = [(n, k) for n, k in runs.settings(PROBLEM, rule, arm) if k]
            for queries, own in itertools.groupby(settings, lambda setting: setting[0]):
                points = [runs.mean(PROBLEM, rule, arm, *setting) for setting in own]
                title = f"{name}, {queries} queries" if queries else name
                curves[title] = [(point.evaluations, point.gain) for point in points]
        if curves:
            panels[f"rule {rule}"] = curves
    note = "Mean over seeds."
    return svg.log_curves(panels, "evaluations in all", "points gained", (0.1, 10.0), note=note, ticks=(10, 100, 1000))
