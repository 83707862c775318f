"""The benefit benchmark of IRLAS: its parts by hand, a tiny real run, and what its table says of made-up rows."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.benchmarks import irlas_benefit, irlas_benefit_table, irlas_controls
from experiments.benchmarks.irlas_benefit import CONTROL_SEEDS, SEEDS, Case
from search_spaces.nasbench201 import DATASETS, load_latencies, load_table

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("nasbench201")]


@pytest.fixture
def nasbench201():
    load_table("cifar100")


def rows_of(agent: str, arm: str, curve: list[float], seeds=range(10), variant: str = "", dataset="cifar100"):
    improvements = " ".join(f"{i + 1}:{value}" for i, value in enumerate(curve))
    cells = " ".join(str(i) for i in range(100))
    return [
        {"agent": agent, "arm": arm, "variant": variant, "dataset": dataset, "seed": str(seed),
         "improvements": improvements, "cells": cells}
        for seed in seeds
    ]  # fmt: skip


def test_evaluations_to_the_goal_and_never():
    runs = irlas_benefit_table.Runs([
        *rows_of("QL", "unshaped", [50.0, 60.0, 70.0]), *rows_of("QL", "prior", [70.0]),
        *rows_of("QL", "random", [69.0], variant="0"),
    ])  # fmt: skip
    assert runs.goal("QL", "cifar100") == 70
    assert set(runs.needed("QL", "unshaped", "cifar100")) == {3.0}
    assert set(runs.needed("QL", "prior", "cifar100")) == {1.0}
    assert set(runs.needed("QL", "random", "cifar100", "0")) == {301.0}


def test_the_area_by_hand():
    latency, accuracy = np.array([1.0, 2.0, 3.0]), np.array([60.0, 70.0, 65.0])
    # above 50 and below 4 ms: (4-1)*10 + (4-2)*10
    assert irlas_benefit_table._area(latency, accuracy, 4.0, 50.0) == pytest.approx(50.0)


def test_the_lowest_latency_of_a_good_cell():
    runs = irlas_benefit_table.Runs(rows_of("QL", "unshaped", [50.0]))
    cells, accuracies = np.arange(100), load_table("cifar100").accuracies
    good = cells[accuracies[cells] >= 49.0]
    expected = load_latencies("pixel2")[good].min() if len(good) else np.inf
    assert runs.fastest("QL", "unshaped", "cifar100", "pixel2")[0] == expected


def test_every_case_once_and_as_many_as_the_protocol_says():
    cases = list(irlas_benefit.cases())
    assert len(set(cases)) == len(cases) == 3 * 3 + 2 * 2 * 4 + 1 + 20 + 20 + 10 + 20
    controls = ("random", "cost", "good", "ungated", "flops")
    assert all(case.seeds == CONTROL_SEEDS for case in cases if case.arm in controls)
    assert {len(case.seeds) for case in cases if case.arm in ("prior", "unshaped")} == {len(SEEDS)}


def test_controls_are_what_they_are_named_after():
    accuracies = load_table("cifar100").accuracies
    for pool in irlas_controls._random(accuracies):
        ranks = (accuracies[:, None] < accuracies[pool]).mean(axis=0)
        assert ranks.min() > 0.44 and ranks.max() < 0.56
    for pool, (wide, narrow) in zip(irlas_controls._cost(accuracies), ((1, 2), (2, 0), (2, 2)), strict=True):
        codes = irlas_controls._codes()[pool]
        assert set((codes == 3).sum(axis=1)) == {wide} and set((codes == 2).sum(axis=1)) == {narrow}
    assert [len(irlas_controls.triples(kind)) for kind in ("random", "cost", "good")] == [20, 20, 10]


@pytest.mark.parametrize("case", [Case("QL", "prior"), Case("RE", "latency", "pixel2"), Case("QL", "flops")])
def test_a_run_repeats_itself(case, monkeypatch):
    monkeypatch.setattr(irlas_benefit, "EVALUATIONS", {"QL": 25, "RE": 25, "LaNAS": 15})
    first, again = (irlas_benefit.search(case, "cifar100", 1003) for _ in range(2))
    assert np.array_equal(first, again)
    assert len(set(first.tolist())) == 25


@pytest.mark.slow
def test_a_table_of_a_tiny_run(monkeypatch):
    monkeypatch.setattr(irlas_benefit, "EVALUATIONS", {"QL": 30, "RE": 30, "LaNAS": 12})
    cases = [Case("QL", arm) for arm in ("unshaped", "prior")] + [Case("RE", arm) for arm in ("unshaped", "prior")]
    cases += [Case("LaNAS", arm) for arm in ("unshaped", "prior")] + [Case("QL", "flops")]
    rows = []
    for case in cases:
        for dataset in DATASETS:
            for seed in (1000, 1001):
                row = irlas_benefit.row(case, dataset, seed)
                rows.append({name: str(value) for name, value in row.items()})
    for row in rows:  # a hundred cells are expected of each run
        row["cells"] = " ".join((row["cells"].split() * 100)[:100])
    text = irlas_benefit_table.table(rows)
    assert text.count("| QL | prior |") == 3
    assert "QL, evaluations to the unshaped best@100" in text
    assert irlas_benefit_table.plot(rows).startswith("<svg")


def test_the_published_table_follows_from_the_published_rows():
    rows = irlas_benefit.complete(irlas_benefit.stored(irlas_benefit.RESULTS))
    published = irlas_benefit.RESULTS.with_suffix(".md").read_text().splitlines()
    assert irlas_benefit_table.table(rows).splitlines()[4:] == published[4:]  # but for the machine
    assert irlas_benefit.RESULTS.with_suffix(".svg").read_text() == irlas_benefit_table.plot(rows)
