"""What peers gain at one total of evaluations, by hand."""

from __future__ import annotations

import pytest

from experiments.benchmarks.nat_benefit_table import Result, Runs, table
from experiments.benchmarks.nat_equal_totals import attained, lines, peers_at
from tests.experiments.benchmarks.test_nat_benefit import ORACLES, row


def results(*points: tuple[float, float]) -> list[Result]:
    return [Result(gain, gain, evaluations, 0.0, 0.0) for evaluations, gain in points]


@pytest.mark.parametrize(
    ("total", "gain"),
    [
        (100, 0.0),
        (150, 1.0),  # half of the inputs by the second
        (200, 2.0),
        (300, 3.0),  # a line past the third, which is worse than a mixture of its neighbours
        (400, 4.0),
        (9000, 4.0),  # more evaluations than it was run with bring no more
    ],
)
def test_between_budgets_the_best_line_is_attained(total: float, gain: float):
    assert attained(results((100, 0), (200, 2), (300, 2.5), (400, 4)), total) == pytest.approx(gain)


def test_more_evaluations_that_gain_less_are_not_taken():
    assert attained(results((100, 0), (200, 3), (300, 2)), 300) == 3


ROWS = [
    row("cifar10", "cost", "recipe", 100, "0:3:1:100:-1:0 1:4:1:300:0:0"),
    row("cifar10", "cost", "random", 0, "0:0:0:200:0:0 1:2:1:400:0:0"),
    row("cifar10", "cost", "paper_lstm", 100, "1:1:1:500:0:0 10:3:1:800:0:0"),
    row("cifar10", "cost", "paper_lstm", 1000, "1:2.8:1:400:0:0"),
]


def test_peers_start_from_the_inputs_alone():
    found = peers_at(Runs(ROWS), "cifar10", "cost", 300)
    assert found == pytest.approx({"random": 1.0, "paper_lstm": 1.4})  # by its best number of queries
    assert peers_at(Runs(ROWS), "cifar10", "cost", 199) == {}
    assert peers_at(Runs(ROWS[:1]), "cifar10", "cost", 300) == {}


def test_the_table_leaves_out_what_evaluates_no_output_and_peers_without_runs():
    *_, last = told = lines(Runs(ROWS))
    assert len(told) == 3
    assert last == "| CIFAR-10 | cost | 100 | 1 | 300 | **4.00** |  | 1.00 |  |  | 1.40 |  |"
    assert lines(Runs(ROWS[:1])) == []
    rows = [*ORACLES, *ROWS, row("cifar10", "nat", "recipe", 100, "1:4:1:300:0:0")]
    assert "At equal totals" not in table(rows)
    assert "## At equal totals of evaluations\n" in table(rows, (), told)
