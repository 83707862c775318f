"""What is published follows from the stored results, and these are complete: every run once, none cut short."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from experiments.benchmarks import (
    common,
    functions,
    functions_cases,
    import_cost,
    large_space,
    nasbench201,
    nasbench201_cases,
    proposal_cost,
)

pytestmark = pytest.mark.timeout(60)  # thousands of lines, on a slow machine

# How many seeds the costly peers got; every other arm has all of them.
FEWER_SEEDS = {
    ("Optuna GP", "Ackley-10"): 7,
    **{("Optuna GP", name): 6 for name in functions_cases.FUNCTIONS if name != "Ackley-10"},
    ("NNI TPE", "1"): 9,
    ("NNI TPE", "2"): 8,
    **{("Optuna TPE (multivariate)", variant): 5 for variant in "12"},
}


@pytest.fixture
def published_machine(monkeypatch):
    """Let a script say that it runs where the published results were made."""

    def pretend(name: str) -> None:
        lines = (common.RESULTS / f"{name}.md").read_text().splitlines()
        told = next(line for line in lines if " cores; Python " in line)
        monkeypatch.setattr(common, "machine", lambda: told)

    return pretend


def check(script: ModuleType, endings: tuple[str, ...], folder: Path) -> None:
    """Make table and plot again in another folder and compare them."""
    name = script.__name__.rpartition(".")[2]
    shutil.copy(common.RESULTS / f"{name}.csv", folder)
    script.main(["table", "--results", str(folder / f"{name}.csv")])
    for ending in endings:
        # not compared by ==, whose account of a difference would be pages long
        same = (folder / f"{name}.{ending}").read_text() == (common.RESULTS / f"{name}.{ending}").read_text()
        assert same, f"results/{name}.{ending} is not what results/{name}.csv says"


@pytest.mark.parametrize(
    ("script", "endings"),
    [(functions, ("md", "svg")), (large_space, ("md", "svg")), (proposal_cost, ("md",))],
    ids=("functions", "large_space", "proposal_cost"),
)
def test_tables_and_plots(script, endings, published_machine, tmp_path):
    published_machine(script.__name__.rpartition(".")[2])
    check(script, endings, tmp_path)


def test_nasbench201s_table_and_plot(data, published_machine, tmp_path):
    published_machine("nasbench201")
    check(nasbench201, ("md", "svg"), tmp_path)


def test_import_costs(published_machine):
    published_machine("import_cost")
    rows = common.read_rows(common.RESULTS / "import_cost.csv")
    assert import_cost.table(rows) == (common.RESULTS / "import_cost.md").read_text()


@pytest.mark.parametrize(
    ("name", "problem", "arms", "seeds"),
    [
        ("functions", "function", [(m, f) for m in functions_cases.METHODS for f in functions_cases.FUNCTIONS], 10),
        ("large_space", "variant", [(m, str(v)) for m in large_space.METHODS for v in large_space.VARIANTS], 10),
        ("nasbench201", "dataset", [(m, d) for m in nasbench201_cases.METHODS for d in nasbench201.DATASETS], 50),
    ],
)
def test_every_run_is_there_once(name, problem, arms, seeds):
    stored = Counter((r["method"], r[problem], r["seed"]) for r in common.read_rows(common.RESULTS / f"{name}.csv"))
    wanted = {(*arm, str(seed)) for arm in arms for seed in range(FEWER_SEEDS.get(arm, seeds))}
    assert set(stored) == wanted
    assert set(stored.values()) == {1}


def test_every_run_went_to_its_end():
    for row in common.read_rows(common.RESULTS / "functions.csv"):
        assert int(row["evaluations"]) == functions_cases.FUNCTIONS[row["function"]].evaluations
        assert row["improvements"].endswith(f":{row['lowest']}")
    for row in common.read_rows(common.RESULTS / "large_space.csv"):
        bests = [float(row[f"best@{n}"]) for n in large_space.LOOKS]
        assert row["queries"] == str(large_space.QUERIES) and bests == sorted(bests)
    for row in common.read_rows(common.RESULTS / "nasbench201.csv"):
        last = row["improvements"].split()[-1].split(":")[0]
        assert row["queries"] == (last if row["found"] == "1" else str(nasbench201_cases.QUERIES))
