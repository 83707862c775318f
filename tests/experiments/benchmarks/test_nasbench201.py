"""Queries to the best cell: the statistics of hand-made runs, and how trials that are under way are counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from experiments.benchmarks import nasbench201, nasbench201_table
from experiments.benchmarks.nasbench201_cases import METHODS

OPTIMUM = 90.0


@pytest.fixture(autouse=True)
def optimum(monkeypatch):
    """A table of which only the best accuracy is looked at."""
    monkeypatch.setattr(nasbench201_table, "load_table", lambda _: SimpleNamespace(optimum=OPTIMUM))


def row(method: str, seed: int, queries: int, improvements: str, **other: Any) -> dict[str, str]:
    found = improvements.endswith(":90")
    told = {"method": method, "dataset": "cifar10", "seed": seed, "found": int(found), "queries": queries}
    told |= {"repeats": 0, "test_accuracy": 94, "ms_per_query": 1.5, "improvements": improvements, **other}
    return {key: str(value) for key, value in told.items()}


RUNS = [
    row("LaNAS", 0, 20, "1:80 20:90"),
    row("LaNAS", 1, 40, "1:70 10:89 40:90", test_accuracy=92),
    row("LaNAS", 2, 60, "1:85 60:90", ms_per_query=4),
    row("local search", 0, 30, "1:80 30:90", repeats=4),
    row("local search", 1, 500, "1:80 2:88"),
    row("random search", 0, 500, "1:80"),
]


def test_queries_are_infinite_where_the_best_was_not_found():
    assert nasbench201_table.needed(RUNS, "LaNAS", "cifar10").tolist() == [20, 40, 60]
    assert nasbench201_table.needed(RUNS, "local search", "cifar10").tolist() == [30, np.inf]
    assert not len(nasbench201_table.needed(RUNS, "LaNAS", "cifar100"))
    assert [nasbench201_table.shown(q) for q in (39.5, 70.0, np.inf)] == ["39.5", "70", "> 500"]


def test_regret_falls_with_each_improvement_and_rounding_is_no_regret():
    (curve,) = nasbench201_table.regrets(RUNS[1:2], "LaNAS", "cifar10")
    assert curve.tolist() == [20.0] * 9 + [1.0] * 30 + [0.0] * 461
    rounded = [row("LaNAS", 0, 500, "1:89 2:89.99995"), row("LaNAS", 1, 500, "1:89 2:90.00004")]
    assert not nasbench201_table.regrets(rounded, "LaNAS", "cifar10")[:, 1:].any()


def test_a_line_of_the_table():
    # regret after 50: 0, 0, 5; test accuracy: 94, 92, 94; milliseconds: 1.5, 1.5, 4
    told = "| LaNAS | 40 | 20–60 | 40 | 3/3 | 1.67 | 0.00 | 0.00 | 0.00 | 93.33 | 0 | 1.5 |"
    assert nasbench201_table.table_line(RUNS, "LaNAS", "cifar10") == told
    # a run that did not find it counts as 500 in the mean and as more than any in the median
    told = "| local search | > 500 | 30–> 500 | 265 | 1/2 | 1.00 | 1.00 | 1.00 | 1.00 | 94.00 | 2 | 1.5 |"
    assert nasbench201_table.table_line(RUNS, "local search", "cifar10") == told
    assert nasbench201_table.table_line(RUNS, "NNI TPE", "cifar10") == ""


def test_the_verdicts():
    runs = [*RUNS, row("LaNAS, paper preset", 0, 211, "1:80 211:90"), row("local search", 2, 44, "1:80 44:90")]
    runs += [row("LaNAS, 8 pending", seed, 60, "1:80 60:90") for seed in range(2)]
    runs += [row("LaNAS, 32 pending", 0, 101, "1:80 101:90")]
    assert nasbench201_table.verdicts(runs) == [
        "- reached: LaNAS, CIFAR-10: median 40 queries, target 45, found in 3 of 3 seeds.",
        "- **NOT reached**: LaNAS, paper preset, CIFAR-10: median 211 queries, target 210, found in 1 of 1 seeds.",
        "- reached: LaNAS, 8 pending, CIFAR-10: 1.50 times the sequential mean, target 1.5.",
        "- **NOT reached**: LaNAS, 32 pending, CIFAR-10: 2.52 times the sequential mean, target 2.5.",
        "- reached: CIFAR-10: median 40 against 44 of the best peer, local search.",
    ]
    missed = [*RUNS[:2], row("LaNAS", 2, 500, "1:80")]  # the median is good, but one seed did not find it
    assert nasbench201_table.verdicts(missed)[0] == (
        "- **NOT reached**: LaNAS, CIFAR-10: median 40 queries, target 45, found in 2 of 3 seeds."
    )


def test_the_table_has_every_dataset_and_the_plot_leaves_the_ablation_out(monkeypatch):
    monkeypatch.setattr(nasbench201_table.common, "machine", lambda: "a machine")
    lines = nasbench201_table.table(RUNS).splitlines()
    assert [line for line in lines if line.startswith("## ")] == [
        "## Targets",
        "## CIFAR-10",
        "## CIFAR-100",
        "## ImageNet16-120",
    ]
    drawn = nasbench201_table.plot([*RUNS, row("no tree", 0, 30, "1:80 30:90")])
    assert drawn.count("<polyline") == 3 and "no tree" not in drawn


# -- trials under way -----------------------------------------------------------------------------


class Listing:
    """A peer that proposes 1, 2, 3, … and writes down what it is asked and told."""

    def __init__(self) -> None:
        self.log = ""
        self.told: list[tuple[int, float]] = []
        self._n = 0

    def ask(self) -> tuple[int, dict[str, int]]:
        self.log, self._n = self.log + "a", self._n + 1
        return self._n, {"x": self._n}

    def tell(self, number: int, value: float) -> None:
        self.log += "t"
        self.told.append((number, value))


def value(configuration: Any) -> float:
    return 10.0 * configuration["x"]


def test_places_are_filled_before_a_result_comes_in():
    peer = Listing()
    run = nasbench201.search(peer, value, 110.0, 8, seed=0)
    assert peer.log == "a" * 8 + "tata" + "ta"  # 8 under way whenever one delivers; ends with the 11th
    assert run.best == [10.0 * n for n in range(1, 12)]
    assert len(run.seconds) == 11
    assert all(told == 10.0 * number for number, told in peer.told)
    assert len({number for number, _ in peer.told}) == 3


def test_what_delivers_is_drawn_from_the_seed():
    first, second, third = Listing(), Listing(), Listing()
    for peer, seed in ((first, 0), (second, 0), (third, 1)):
        nasbench201.search(peer, value, 1000.0, 8, seed)
    assert first.told == second.told != third.told
    assert first.told != sorted(first.told)  # not in the order of asking


def test_one_at_a_time_and_at_most_so_many_queries(monkeypatch):
    monkeypatch.setattr(nasbench201, "QUERIES", 5)
    for pending, log in ((1, "at" * 5), (2, "a" + "at" * 4)):
        peer = Listing()
        assert nasbench201.search(peer, value, 1000.0, pending, seed=0).best == [10.0, 20.0, 30.0, 40.0, 50.0]
        assert peer.log == log


def test_the_arms_with_trials_under_way_are_arms():
    assert set(nasbench201.PENDING) <= set(METHODS)
    assert [name for group in nasbench201.GROUPS.values() for name in group] == list(METHODS)
