"""The benchmark of NAT on DARTS's space: a tiny real run of every arm, and what its table says of made-up rows."""

from __future__ import annotations

import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from experiments.benchmarks import nat_arms
from experiments.benchmarks import nat_darts_supernet as benchmark
from experiments.benchmarks.common import read_rows
from experiments.benchmarks.nat_benefit_table import Runs
from experiments.benchmarks.nat_darts_supernet import Case


def test_no_image_is_both_searched_by_and_reported():
    learned, sets = benchmark.images()
    assert [len(labels) for _, labels in sets] == [300, 797]
    assert learned.images.shape == (700, 3, 8, 8)
    assert {benchmark.SEED} & set(benchmark.SEEDS) == set()


def test_each_case_occurs_once():
    cases = list(benchmark.cases())
    assert len(cases) == len(set(cases)) == 2 * 5 * (2 * 2 + 3)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_tiny_run_of_every_arm(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "EPOCHS", 1)
    monkeypatch.setattr(benchmark.trained, "__defaults__", (1,))
    monkeypatch.setattr(benchmark, "TOTALS", (6, 12))
    monkeypatch.setattr(nat_arms, "KS", (0, 1, 2))
    monkeypatch.setattr(benchmark, "LOCAL_BUDGETS", (1,))
    small = {"n_start": 4, "policy_steps": 1, "final_steps": 1, "derive_samples": 5}
    config = nat_arms.LearnerConfig
    monkeypatch.setattr(nat_arms, "LearnerConfig", lambda **given: config(**given, **small))
    monkeypatch.setattr(benchmark.Scored.inputs, "__defaults__", (4,))
    arms = {"recipe": 8, "paper_line_graph": 8, "random": 0, "shared": 0, "local": 0}
    cases = [Case("cost", arm, queries, 1) for arm, queries in arms.items()]
    path = tmp_path / "made.csv"
    benchmark.run(cases, path, tmp_path / "supernet.safetensors")
    rows = read_rows(path)
    assert [row["arm"] for row in rows] == list(arms)
    benchmark.run(cases, path, tmp_path / "supernet.safetensors")  # nothing is left
    assert read_rows(path) == rows
    for key, results in Runs(rows).all_of().items():
        for result in results:
            assert result.dearer <= 0
            assert result.kept >= 0 or (key[2], key[4]) == ("recipe", 0)


def rows(recipe: float, paper: float, shared: float) -> list[dict[str, str]]:
    made = []
    for rule in ("nat", "cost"):
        for seed, noise in ((2019, 0.0), (2020, 0.1), (2021, -0.1)):
            for arm, gain, settings in (("recipe", recipe, (0, 1, 10)), ("paper_line_graph", paper, (1, 10))):
                for queries in (100, 300):
                    text = " ".join(f"{k}:{gain + noise:.2f}:{gain + noise:.2f}:{200 + k}:0.0:0" for k in settings)
                    made.append(row(rule, arm, queries, seed, text))
            text = " ".join(f"{n}:{shared:.2f}:{shared:.2f}:{n}:0.0:0" for n in (45, 800))
            made.append(row(rule, "shared", 0, seed, text))
    return made


def row(rule: str, arm: str, queries: int, seed: int, results: str) -> dict[str, str]:
    key = {"problem": "darts", "rule": rule, "arm": arm, "queries": str(queries), "seed": str(seed)}
    return {**key, "results": results}


def test_verdicts_follow_the_differences():
    better = benchmark.verdicts(Runs(rows(5.0, 3.0, 4.0)))
    assert len(better) == 2 * 2 * 2 * 2 + 1
    assert all(line.startswith("- reached") for line in better)
    assert "+2.00 points [+2.00, +2.00]" in better[0]
    level = benchmark.verdicts(Runs(rows(4.0, 4.0, 3.0)))
    assert [line.startswith("- reached") for line in level[:2]] == [False, True]


def test_the_table_shows_every_arm():
    text = benchmark.table(rows(5.0, 3.0, 4.0))
    assert "| cost | recipe | 100 | 10 | 210 | 5.00 ± 0.08 |" in text
    assert "3 seeds" in text
