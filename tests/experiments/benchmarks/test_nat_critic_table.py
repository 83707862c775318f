"""Verdicts on the recipe against its peers, from made-up rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.benchmarks import nat_critic_table
from experiments.benchmarks.nat_critic_table import Comparison

ABOUT = Comparison("darts", ("nat", "cost"), (100, 300), (1, 10), "script.py", "Title", "Note.")


def row(rule: str, arm: str, queries: int, results: str, seed: int) -> dict[str, str]:
    return {"problem": "darts", "rule": rule, "arm": arm, "queries": str(queries), "seed": str(seed),
            "results": results, "outlook": "", "seconds": "1.0"}  # fmt: skip


def rows_of(ours: list[float], theirs: list[float], shared: list[float]) -> list[dict[str, str]]:
    """Runs by seed; the cache gains a point more for each 100 evaluations than with 100."""
    rows = []
    for seed, (a, b, c) in enumerate(zip(ours, theirs, shared, strict=True)):
        rows += [
            row("nat", "recipe", 100, f"1:{a}:0:200:0:0", seed),
            row("nat", "paper_line_graph", 100, f"1:{b}:0:190:0:0", seed),
            row("nat", "shared", 0, f"100:{c}:0:100:0:0 300:{c + 2}:0:300:0:0", seed),
        ]
    return rows


def test_seeds_are_paired_whatever_the_order_of_the_rows():
    rows = rows_of([3, 6, 9], [2, 4, 6], [1, 4.5, 7.5])
    expected = [(1, 1), (2, 0.5), (3, 0.5)]
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(rows))
        found = nat_critic_table.margins_of([rows[i] for i in order], "darts", "nat", 100, 1)
        assert found == [pytest.approx(pair) for pair in expected]


def test_the_interval_is_student_s():
    above_paper, above_shared, kept = nat_critic_table.verdicts(rows_of([3, 6, 9], [2, 4, 6], [0, 2.9, 6.1]), ABOUT)
    # 1, 2, 3: half of 2 * 4.303 * 1 / sqrt(3)
    told = "- **NOT reached**: nat, 100 queries, K = 1, above the paper's learner: +2.00 points [-0.48, +4.48]"
    assert above_paper == told
    # 2, 2.1, 1.9
    assert above_shared.startswith("- reached: ")
    assert above_shared.endswith("above the shared cache at as many evaluations: +2.00 points [+1.75, +2.25]")
    assert kept.startswith("- reached")


@pytest.mark.parametrize(("spent", "good"), [(200, True), (199, False)])
def test_a_local_search_may_not_have_had_fewer_evaluations(spent: int, good: bool):
    rows = [row("nat", "recipe", 100, f"1:9:0:150:0:0 10:{gain}:0:200:0:0", i) for i, gain in enumerate((3, 6, 9))]
    rows += [row("nat", "local", 0, f"3:0:0:99:0:0 10:{gain}:0:{spent}:0:0", i) for i, gain in enumerate((1, 3.9, 7.1))]
    told, _ = nat_critic_table.verdicts(rows, replace(ABOUT, local=10))
    case = "nat, 100 queries, K = 10, above the local search of 10: +2.00 points [+1.75, +2.25]"
    assert told == f"- {'reached' if good else '**NOT reached**'}: {case}, by 200 evaluations in place of {spent}"
    assert len(nat_critic_table.verdicts(rows, ABOUT)) == 1


@pytest.mark.parametrize(
    ("arm", "results", "good"),
    [
        ("recipe", "0:1:1:100:-2:0 1:1:1:200:0:0", True),  # K = 0 promises nothing
        ("recipe", "0:1:1:100:-2:1 1:1:1:200:0:0", False),
        ("recipe", "1:1:1:200:-0.01:0", False),
        ("random", "1:1:1:200:0:3", False),
    ],
)
def test_promises(arm: str, results: str, good: bool):
    *_, told = nat_critic_table.verdicts([row("cost", arm, 100, results, 0)], ABOUT)
    assert told.startswith("- reached") == good


def test_runs_of_which_the_counterpart_is_missing_are_left_out():
    rows = [one for one in rows_of([3, 6, 9], [2, 4, 6], [0, 1, 2])
            if (one["arm"], one["seed"]) != ("paper_line_graph", "1")]  # fmt: skip
    assert len(nat_critic_table.margins_of(rows, "darts", "nat", 100, 1)) == 2
    assert nat_critic_table.margins_of(rows, "darts", "cost", 100, 1) == []


def test_only_what_is_asked_for_is_compared():
    rows = rows_of([3, 6, 9], [2, 4, 6], [0, 2.9, 6.1])
    assert nat_critic_table.margins_of(rows, "digits", "nat", 100, 1) == []
    told = nat_critic_table.table(rows, Comparison("darts", ("cost",), (100,), (1,), "script.py", "Title", "Note."))
    assert told.startswith("# Title\n")
    assert "`script.py`. 3 seeds" in told
    assert "above the paper's learner" not in told
    assert told.endswith("\n\nNote.\n")
