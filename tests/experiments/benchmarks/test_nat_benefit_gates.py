"""The gates of the paper's learner: read off rows whose verdicts are known."""

from __future__ import annotations

import pytest

from experiments.benchmarks.nat_benefit_gates import gates
from experiments.benchmarks.nat_benefit_table import Runs


def row(arm: str, queries: int, gain: float, problem: str = "cifar10", setting: int = 10) -> dict[str, str]:
    result = f"{setting}:{gain}:{gain}:1000:0:0"
    return {"problem": problem, "rule": "nat", "arm": arm, "queries": str(queries), "seed": "1", "results": result}


def rows(late: float = 4.3, early: float = 3.9) -> list[dict[str, str]]:
    learned = [row("paper_line_graph", 1000, late), row("paper_line_graph", 300, early)]
    return [*learned, row("paper_official", 1000, 3.5), row("random", 0, 3.8), row("oracle", 0, 4.5, setting=0)]


def test_all_are_reached_by_a_learner_that_is_good_enough():
    lines = gates(Runs(rows()))
    assert len(lines) == 5 and all(line.startswith("- reached") for line in lines)
    assert "+0.50 over the best of 10" in lines[1] and "+0.80 over the official" in lines[2] and "95.6%" in lines[3]


@pytest.mark.parametrize(
    ("late", "early", "missed"),
    [(3.99, 3.9, ["4.0 wanted", "random outputs, 0.4", "90% wanted"]), (4.3, 3.7, ["-0.10 over the best of 10"])],
)
def test_each_is_missed_where_it_is(late: float, early: float, missed: list[str]):
    lines = [line for line in gates(Runs(rows(late, early))) if "**NOT reached**" in line]
    assert len(lines) == len(missed) and all(any(text in line for line in lines) for text in missed)


def test_another_table_has_a_gate_of_its_own():
    (line,) = gates(Runs([row("paper_line_graph", 1000, 5.5, "imagenet16-120")]))
    assert line == "- **NOT reached**: ImageNet16-120, nat, 1,000 queries, best of 10: 5.50 points, at least 5.6 wanted"
    assert gates(Runs([])) == []
