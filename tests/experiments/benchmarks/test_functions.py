"""The functions have the minima they are known for, and the table says what hand-made runs say."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest

from experiments.benchmarks import functions_cases as cases
from experiments.benchmarks import functions_table
from experiments.benchmarks.mixed_function import MixedFunction

NAMESPACE = "{http://www.w3.org/2000/svg}"


def row(method: str, seed: int, improvements: str, function: str = "Ackley-10", ms: str = "2") -> dict[str, str]:
    return {
        "method": method,
        "function": function,
        "seed": str(seed),
        "improvements": improvements,
        "cpu_ms": ms,
        "clock_ms": "30",
    }


@pytest.mark.parametrize(
    ("function", "x", "value"),
    [
        (cases.ackley, np.zeros(10), 0.0),
        (cases.ackley, np.ones(20), 20 * (1 - math.exp(-0.2))),  # every cosine is 1 at whole numbers
        (cases.hartmann6, np.array([0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]), -3.32237),
        (cases.rosenbrock, np.ones(10), 0.0),
        (cases.rosenbrock, np.zeros(10), 9.0),
        (cases.levy, np.ones(10), 0.0),
        (cases.levy, np.full(10, -3.0), 9 * (1 + 10 * math.sin(1) ** 2) + 1),  # w = 0 everywhere
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_known_values(function, x, value):
    assert function(x) == pytest.approx(value, abs=2e-5)


def test_a_function_reads_its_numbers_in_order_and_is_negated():
    function = cases.FUNCTIONS["Rosenbrock-10"]
    configuration = {f"x{i}": 0.0 for i in range(10)} | {"x0": 2.0}
    assert function.negated(configuration) == pytest.approx(-(100 * 4**2 + 1) - 8)  # of x0 and x1; of the others
    assert [(p.label, p.distribution.a, p.distribution.b) for p in function.space().parameters][:2] == [
        ("x0", -10.0, 10.0),
        ("x1", -10.0, 10.0),
    ]


def test_the_mixed_function_is_zero_at_its_best_and_nowhere_more():
    function: Any = MixedFunction()
    steps = function._alone[:, :, None] + function._pairs  # [i, c_i, c_i+1]
    best = steps[0]  # an independent way to the best circle: products of matrices over (max, +)
    for step in steps[1:]:
        best = (best[:, :, None] + step[None]).max(axis=1)
    assert function._most == pytest.approx(best.diagonal().max())
    space = function.space()
    drawn = space.decode(space.sample_codes(np.random.default_rng(0), 200))
    assert max(function.negated(configuration) for configuration in drawn) < 0


# -- the table ------------------------------------------------------------------------------------

RUNS = [
    row("LaNAS", 0, "1:9 50:4 100:2"),
    row("LaNAS", 1, "1:8 51:3", ms="5"),
    row("LaNAS", 2, "1:7.5", ms="11"),
    row("random search", 0, "1:10"),
    row("random search", 1, "1:20 60:12"),
    row("tree, uniform draws", 0, "1:12"),
]


def test_the_lowest_value_holds_until_the_next_one():
    (first, second, third) = functions_table.curves(RUNS, "LaNAS", "Ackley-10")
    assert first.tolist() == [9.0] * 49 + [4.0] * 50 + [2.0]
    assert second.tolist() == [8.0] * 50 + [3.0] * 50
    assert third.tolist() == [7.5] * 100
    assert functions_table.curves(RUNS, "no tree", "Ackley-10").shape == (0, 100)


def test_a_line_of_the_table(monkeypatch):
    monkeypatch.setattr(functions_table.common, "machine", lambda: "a machine")
    lines = functions_table.table(RUNS).splitlines()
    # after 50: 4, 8, 7.5; after 100: 2, 3, 7.5; processor: 2, 5, 11
    assert "| LaNAS | 3 | 7.5 | 3 | 2 … 7.5 | 5 | 30 |" in lines
    assert "| random search | 2 | 15 | 11 | 10 … 12 | 2 | 30 |" in lines  # medians of two are means
    assert lines[2] == "a machine"
    assert [line for line in lines if line.startswith("## ")][1:] == [f"## {name}" for name in cases.FUNCTIONS]


def test_the_verdicts():
    assert functions_table.verdicts(RUNS) == [
        "- **NOT reached**: Ackley-10: median 3 after 100 evaluations, target 2.6 (3 seeds).",
        "- **NOT reached**: Ackley-10, tree with uniform draws against random search: 12 against 11 after 100.",
        "- reached: Ackley-10: 5 ms of processor a proposal, target 100.",
    ]
    better = [row("LaNAS", 0, "1:9 100:2.5", ms="101"), row("random search", 0, "1:20"), RUNS[-1]]
    assert functions_table.verdicts(better) == [
        "- reached: Ackley-10: median 2.5 after 100 evaluations, target 2.6 (1 seeds).",
        "- reached: Ackley-10, tree with uniform draws against random search: 12 against 20 after 100.",
        "- **NOT reached**: Ackley-10: 101 ms of processor a proposal, target 100.",
    ]
    assert functions_table.verdicts([]) == []


def test_the_band_is_the_middle_half_of_the_runs_in_units_of_random_search():
    runs = [row("LaNAS", seed, f"1:{value}") for seed, value in enumerate((1, 2, 3, 4, 50))]
    runs += [row("random search", seed, "1:10") for seed in range(3)]
    drawn = functions_table.plot(runs)
    assert "quartiles), over 3 to 5 seeds" in drawn

    def height(y: float) -> float:  # 240 for the five decades from 0.0001 to 10
        return round(240 * (1 - (math.log10(y) + 4) / 5), 1)

    root = ElementTree.fromstring(drawn)
    line, shape = next(root.iter(f"{NAMESPACE}polyline")), next(root.iter(f"{NAMESPACE}polygon"))
    assert {float(pair.split(",")[1]) for pair in line.attrib["points"].split()} == {height(0.3)}
    edges = [tuple(map(float, pair.split(","))) for pair in shape.attrib["points"].split()]
    right = max(x for x, _ in edges)
    assert edges == [(0, height(0.2)), (right, height(0.2)), (right, height(0.4)), (0, height(0.4))]
