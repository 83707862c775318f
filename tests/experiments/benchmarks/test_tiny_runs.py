"""Small real runs: what they write, that a seed repeats them, and that they repeat the published lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.benchmarks import (
    common,
    functions,
    import_cost,
    large_space,
    nasbench201,
    proposal_cost,
    trial_startup,
)

pytestmark = pytest.mark.timeout(60)  # hundreds of proposals, on a slow machine

TIMES = {"cpu_ms", "clock_ms", "ms_per_query", "seconds"}
Rows = list[dict[str, str]]


def without_times(rows: Rows) -> Rows:
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


def published(name: str, of: Rows, keys: tuple[str, ...]) -> Rows:
    """Return the published lines of the same runs, in the same order."""
    stored = {tuple(row[key] for key in keys): row for row in common.read_rows(common.RESULTS / f"{name}.csv")}
    return [stored[tuple(row[key] for key in keys)] for row in of]


def header(path: Path) -> str:
    return path.read_text().splitlines()[0]


def test_functions(tmp_path, capsys):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    options = ["--functions", "Mixed-10|Hartmann-6", "--results", str(first)]
    functions.main(["run", "--methods", "random search", "--seeds", "2", *options])
    rows = common.read_rows(first)
    assert [(row["function"], row["seed"]) for row in rows] == [
        ("Mixed-10", "0"),
        ("Hartmann-6", "0"),
        ("Mixed-10", "1"),
        ("Hartmann-6", "1"),
    ]
    assert without_times(rows) == without_times(published("functions", rows, ("method", "function", "seed")))
    assert header(first) == header(common.RESULTS / "functions.csv")

    made = first.read_text()
    capsys.readouterr()
    functions.main(["run", "--methods", "random search", "--seeds", "2", *options])
    assert first.read_text() == made and not capsys.readouterr().out  # nothing is left to do

    twice = "random search|random search"  # named twice, run once
    functions.main(["run", "--methods", twice, "--seeds", "1", *options[:2], "--results", str(second)])
    assert without_times(common.read_rows(second)) == without_times(rows[:2])

    functions.main(["table", "--results", str(first)])
    table = (tmp_path / "first.md").read_text()
    assert "| method | runs | median@50 | median@100 | best and worst at the end | CPU ms a proposal |" in table
    assert table.count("| random search | 2 |") == 2
    assert (tmp_path / "first.svg").read_text().count("<polyline") == 2


def test_nasbench201(data, tmp_path, monkeypatch):
    monkeypatch.setattr(nasbench201, "QUERIES", 60)  # the published ones stop at 500
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    for path, methods in ((first, ["local search"]), (second, ["local search", "local search"])):
        options = ["--methods", *methods, "--datasets", "cifar10", "--seeds", "2"]
        nasbench201.main(["run", *options, "--results", str(path)])
    rows = common.read_rows(first)
    assert len(rows) == 2
    assert without_times(rows) == without_times(common.read_rows(second))
    assert header(first) == header(common.RESULTS / "nasbench201.csv")
    for row, stored in zip(rows, published("nasbench201", rows, ("method", "dataset", "seed")), strict=True):
        steps = [step for step in stored["improvements"].split() if int(step.split(":")[0]) <= 60]
        assert row["improvements"].split() == steps

    nasbench201.main(["table", "--results", str(first)])
    table = (tmp_path / "first.md").read_text()
    assert "| method | median | middle half | mean | found | regret@50 | regret@100 | regret@200 |" in table
    assert table.count("| local search | ") == 1


def test_large_space(tmp_path, monkeypatch):
    monkeypatch.setattr(large_space, "QUERIES", 50)
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    options = ["--methods", "regularized evolution", "--variants", "2", "--seeds", "0", "1"]
    for path in (first, second):
        large_space.main(["run", *options, "--results", str(path)])
    rows = common.read_rows(first)
    assert [(row["method"], row["seed"]) for row in rows] == [("regularized evolution", seed) for seed in "01"]
    assert without_times(rows) == without_times(common.read_rows(second))
    assert header(first) == header(common.RESULTS / "large_space.csv")
    for row, stored in zip(rows, published("large_space", rows, ("method", "variant", "seed")), strict=True):
        assert row["best@50"] == stored["best@50"]
        assert row["best@2000"] == row["best@50"]  # the run was over

    large_space.main(["table", "--results", str(first)])
    table = (tmp_path / "first.md").read_text()
    assert "| method | 50 | 100 | 500 | 1000 | 2000 | seeds | ms a proposal |" in table
    assert table.count("| regularized evolution | ") == 1


def test_proposal_cost(capsys):
    proposal_cost.main(["measure", "regularized evolution", "20 choices of 5", "10"])
    row = json.loads(capsys.readouterr().out)
    assert ",".join(row) == header(common.RESULTS / "proposal_cost.csv")
    assert (row["method"], row["space"], row["n"]) == ("regularized evolution", "20 choices of 5", 10)
    assert all(row[key] > 0 for key in ("median_ms", "mean_ms", "wall_median_ms", "peak_mb"))


def test_import_cost(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(import_cost, "MODULES", ("colorsys", "email.message"))
    monkeypatch.setattr(import_cost, "OURS", "colorsys")
    monkeypatch.setattr(import_cost, "HEAVY", ("torch", "email"))
    monkeypatch.setattr(import_cost, "REPEATS", 1)
    path = tmp_path / "rows.csv"
    path.write_text("what,was,before\n1,2,3\n")
    import_cost.main(["--results", str(path)])
    rows = common.read_rows(path)
    assert [(row["module"], row["loads"]) for row in rows] == [("colorsys", "none"), ("email.message", "email")]
    assert header(path) == header(common.RESULTS / "import_cost.csv")
    told = path.with_suffix(".md").read_text()
    assert "reached: colorsys" in told and told in capsys.readouterr().out


def test_a_measurement_that_fails_takes_no_result_away(tmp_path, monkeypatch):
    monkeypatch.setattr(import_cost, "MODULES", ("no_such_module",))
    path = tmp_path / "rows.csv"
    path.write_text("what,was,before\n1,2,3\n")
    with pytest.raises(import_cost.subprocess.CalledProcessError):
        import_cost.main(["--results", str(path)])
    assert path.read_text().startswith("what")


@pytest.mark.parametrize(("seconds", "refused"), [((2.0, 3.0, 2.5), False), ((2.0, 5.0, 4.5), True)])
def test_trial_startup(seconds, refused, tmp_path, monkeypatch):
    trials = iter((99.0, *seconds))  # the first fills the file cache
    training = trial_startup.Seconds(1.0, 0.9)
    monkeypatch.setattr(trial_startup, "run_trial", lambda: (trial_startup.Seconds(next(trials), 1.5), training))
    monkeypatch.setattr(trial_startup, "run", lambda *_: (trial_startup.Seconds(0.25, 0.2), ""))
    path = tmp_path / "told.txt"
    if refused:
        with pytest.raises(SystemExit, match=r"a trial spends 4\.50 s outside training, more than 4\.0 s"):
            trial_startup.main(["--repeats", "3", "--results", str(path)])
    else:
        trial_startup.main(["--repeats", "3", "--results", str(path)])
    told = [[cell.strip() for cell in line.split("│")[1:-1]] for line in path.read_text().splitlines()]
    median, slowest = sorted(seconds)[1:]
    assert ["a trial, outside training", f"{median:.2f}", f"{slowest:.2f}", "1.50"] in told
    assert ["import torch", "0.25", "0.25", "0.20"] in told


def test_a_process_is_timed_and_its_training_taken_off(monkeypatch):
    seconds, printed = trial_startup.run("-c", "print('training 1.25 s, 1.00 s of CPU')")
    assert seconds.cpu > 0 and seconds.wall > 0 and printed.startswith("training")
    whole = trial_startup.Seconds(4.0, 3.0)
    monkeypatch.setattr(trial_startup, "run", lambda *_: (whole, f"epoch 1\n{printed}"))
    assert trial_startup.run_trial() == (trial_startup.Seconds(2.75, 2.0), trial_startup.Seconds(1.25, 1.0))
