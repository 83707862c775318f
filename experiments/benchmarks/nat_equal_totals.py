"""What peers gain at as many evaluations as the recipe took in all, of :mod:`experiments.benchmarks.nat_benefit`.

A peer was run with several budgets, and no total of its evaluations is that of the recipe. Between two budgets it gets
the best line from one with fewer evaluations to one with more: what it gains if a share of the inputs is treated by the
one and the rest by the other. The fewest evaluations are those of the inputs alone, which gain nothing; a line from
there forgives a learner the queries that it always needs.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments.benchmarks.nat_benefit_table import ARMS, RULES, TITLES, Result, Runs

RECIPE = "recipe"
PEERS = ("shared", "random", "local", "paper_line_graph", "paper_lstm", "paper_official")


def attained(results: Sequence[Result], total: float) -> float:
    """Return what an arm with these budgets gains by a total of evaluations, not below the fewest of them."""
    fewer = [one for one in results if one.evaluations <= total]
    more = [one for one in results if one.evaluations > total]
    between = [
        a.gain + (b.gain - a.gain) * (total - a.evaluations) / (b.evaluations - a.evaluations)
        for a in fewer
        for b in more
    ]
    return max([one.gain for one in fewer] + between)


def peers_at(runs: Runs, problem: str, rule: str, total: float) -> dict[str, float]:
    """Return by peer of which there are runs what it gains by a total of evaluations."""
    alone = untouched(runs, problem, rule)
    found = {}
    for arm in PEERS:
        settings = runs.settings(problem, rule, arm)
        if settings and alone is not None and alone.evaluations <= total:
            found[arm] = attained([alone, *(runs.mean(problem, rule, arm, *each) for each in settings)], total)
    return found


def untouched(runs: Runs, problem: str, rule: str) -> Result | None:
    """Return the inputs as they are: random outputs, none of each."""
    return runs.mean(problem, rule, "random", 0, 0) if (0, 0) in runs.settings(problem, rule, "random") else None


def lines(runs: Runs) -> list[str]:
    """Return a table of all problems as Markdown, a line for each budget of the recipe that evaluates its outputs."""
    out = []
    for problem, title in TITLES.items():
        for rule in RULES:
            for queries, k in runs.settings(problem, rule, RECIPE):
                ours = runs.mean(problem, rule, RECIPE, queries, k)
                if peers := peers_at(runs, problem, rule, ours.evaluations) if k else {}:
                    told = [f"{peers[arm]:.2f}" if arm in peers else "" for arm in PEERS]
                    cells = [title, rule, str(queries), str(k), f"{ours.evaluations:.0f}", f"**{ours.gain:.2f}**"]
                    out.append("| " + " | ".join([*cells, *told]) + " |")
    if not out:
        return []
    columns = ["table", "rule", "queries", "K", "evaluations", ARMS[RECIPE], *(ARMS[arm] for arm in PEERS)]
    return ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|", *out]
