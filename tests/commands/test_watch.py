"""The lines of the demo, drawn from records as they come."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from nni_strategies.commands.watch import Display
from nni_strategies.report.records import ExperimentRecord, TrialRecord


def record(*trials: TrialRecord, maximize: bool = True) -> ExperimentRecord:
    return ExperimentRecord("abc", "quickstart", maximize, "LaNAS", {}, 0, trials)


def trial(number: int, metric: float | None = None, **fields: object) -> TrialRecord:
    status = "running" if metric is None else "finished"
    made = TrialRecord(number, {"x": 1}, metric, status=status, phase="initial", nni_ids=("t",))
    return replace(made, **fields)


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def display(screen: io.StringIO) -> Display:
    return Display(Console(file=screen, width=120), 12, "http://127.0.0.1:8080")


def test_a_trial_gets_one_line_when_it_ends(display: Display, screen: io.StringIO):
    display.update(record(trial(0), trial(1)))
    assert screen.getvalue() == ""
    costs = {"default": 0.5, "latency_ms": 0.1234, "params": 4482}
    done = trial(0, 0.5, metrics=costs, started=10.0, ended=14.2)
    for _ in range(3):
        display.update(record(done, trial(1)))
    (line,) = screen.getvalue().splitlines()
    assert " ".join(line.split()) == "trial 0 random 0.5000 0.12 ms 4,482 params 4 s best so far"


@pytest.mark.parametrize(("maximize", "best"), [(True, [0, 2]), (False, [0, 1])])
def test_the_best_so_far_follows_the_direction(display: Display, screen: io.StringIO, maximize: bool, best: list[int]):
    trials = [trial(i, metric) for i, metric in enumerate([0.5, 0.25, 0.75, 0.6])]
    display.update(record(*trials, maximize=maximize))
    marked = [int(line.split()[1]) for line in screen.getvalue().splitlines() if "best so far" in line]
    assert marked == best


def test_a_failure_says_why(display: Display, screen: io.StringIO):
    display.update(record(trial(0, status="failed", failure="out of [memory]")))
    assert "failed: out of [memory]" in screen.getvalue()
    assert "best" not in screen.getvalue()


def test_metrics_that_are_no_numbers_do_no_harm(display: Display, screen: io.StringIO):
    display.update(record(trial(0, 0.5, metrics={"params": "many", "latency_ms": None})))
    assert "0.5000" in screen.getvalue()


def test_progress_counts_results_of_all_kinds(display: Display):
    assert display.update(record(trial(0))) == 0
    assert display.update(record(trial(0, intermediates=(0.1, 0.2)))) == 2
    assert display.update(record(trial(0, 0.3, intermediates=(0.1, 0.2, 0.3)), trial(1))) == 4
