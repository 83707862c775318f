"""kill -9 of the tuner, of the manager and of both, then resume: nothing lost, nothing run again, same proposals."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.search.baselines import RegularizedEvolution
from nni_strategies.search.study import Study
from nni_strategies.space.from_json import space_from_json
from tests.integration.nni_experiment import evolution_config, poll, run_experiment, timeouts

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240)]

SPACE = {"a": {"_type": "choice", "_value": [1, 2, 3, 4]}, "b": {"_type": "quniform", "_value": [0, 3, 1]}}
# The trial waits for the test, which so decides when it reports and when it ends: at gates, named by files.
TRIAL = """
def gate(what):
    while not os.path.exists(os.path.join(GATES, f"{what} {parameters['a']} {parameters['b']:.0f}")):
        if not os.path.isdir(GATES):
            sys.exit("the test is over")
        time.sleep(0.05)
gate("report")
report({"default": parameters["a"] + parameters["b"] / 10})
gate("exit")
"""
SECONDS = 60  # for anything to happen: two tests at a time on two slow cores


class Run:
    """An experiment whose trials, numbered as in the journal, wait at two gates: ``report`` and ``exit``."""

    def __init__(self, folder: Path, concurrency: int, n_trials: int, *, mended: bool = True, **variables: str) -> None:
        (folder / "gates").mkdir()
        body = TRIAL.replace("GATES", repr(str(folder / "gates")))
        config = evolution_config(folder, SPACE, body, trialConcurrency=concurrency, maxTrialNumber=n_trials)
        self.experiment = run_experiment(config, folder, mended=mended, variables=variables)
        self.n_trials = n_trials
        self._kept: list[list[dict[str, Any]]] = []

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.experiment.__exit__()
        shutil.rmtree(self.experiment.folder / "gates")  # ends the trials of killed managers

    def proposed(self) -> list[dict[str, Any]]:
        return [event["configuration"] for event in self.experiment.journal("proposed")]

    def open(self, trial: int, *gates: str) -> None:
        configuration = self.proposed()[trial]
        for gate in gates:
            (self.experiment.folder / "gates" / f"{gate} {configuration['a']} {configuration['b']:.0f}").touch()

    def times(self) -> Counter[int]:
        """How often each trial began."""
        proposed = self.proposed()
        return Counter(proposed.index(configuration) for configuration in self.experiment.started())

    def begun(self, trials: Iterable[int], times: int = 1) -> None:
        wanted = dict.fromkeys(trials, times)
        poll(lambda: wanted.items() <= self.times().items(), SECONDS, f"trials {trials} began {times} times")

    def known(self, n: int) -> None:
        poll(lambda: len(self.experiment.journal("finished")) >= n, SECONDS, f"result {n} is in the journal")

    def conclude(self, trial: int) -> None:
        """Let a trial report and end, and the next one begin: then nothing else happens at the same time."""
        n_known, n_begun = len(self.experiment.journal("finished")), len(self.times())
        self.open(trial, "report", "exit")
        self.known(n_known + 1)
        if n_begun < self.n_trials:
            poll(lambda: len(self.times()) > n_begun, SECONDS, f"trial {n_begun} begins after the end of {trial}")

    def go_on(self, running: list[int]) -> None:
        """Let the running trials and those that come after them report and end, one after the other."""
        for trial in range(min(running), self.n_trials):
            self.conclude(trial)
        self.experiment.wait_for("DONE")

    def kill(self, *processes: int) -> None:
        self._kept.append(self.experiment.journal())
        for process in processes:
            self.experiment.kill(process)

    def check_story(self) -> None:
        """Nothing that the journal held before a kill is lost, and the search is one that nobody killed."""
        events = self.experiment.journal()
        assert [events[: len(kept)] for kept in self._kept] == self._kept
        study = Study(
            RegularizedEvolution(space_from_json(SPACE), RegularizedEvolution.Config(population=3, sample=2)), seed=1
        )
        for event in events[1:]:
            if event["event"] == "proposed":
                assert event["configuration"] == study.ask().configuration
            elif event["event"] == "finished":
                study.tell(event["trial"], event["value"])
        proposed = self.proposed()
        assert len(proposed) == self.n_trials == len(self.experiment.trials())
        values = [(event["trial"], event["value"]) for event in self.experiment.journal("finished")]
        assert sorted(values) == [(i, pytest.approx(c["a"] + c["b"] / 10)) for i, c in enumerate(proposed)]
        assert self.experiment.journal("failed") == []


@pytest.mark.parametrize(
    ("mended", "order"),
    [
        pytest.param(True, [1, 0, 3, 2], id="mended, two at a time"),  # each trial outlives a later one
        pytest.param(False, [0, 1], id="stock, one at a time"),
    ],
)
def test_the_manager_is_killed_then_both(tmp_path, mended, order):
    concurrency = 2 if mended else 1
    *ended, last = order
    with Run(tmp_path, concurrency, n_trials=len(order) + 4, mended=mended) as run:
        experiment = run.experiment
        run.begun(range(concurrency))
        for trial in ended:
            run.conclude(trial)
        run.open(last, "report")
        run.known(len(order))  # which has not ended
        run.kill(experiment.manager)
        run.open(last, "exit")
        experiment.resume()

        running = [len(order) + i for i in range(concurrency)]
        cut_off, new = running[:-1], running[-1:]
        run.begun(cut_off, 2)  # which NNI runs again by itself
        run.begun(new)
        run.kill(experiment.dispatcher(), experiment.manager)
        experiment.resume()
        run.begun(cut_off, 3)
        run.begun(new, 2)
        run.go_on(running)

        run.check_story()
        times = run.times()
        expected = Counter(dict.fromkeys(range(run.n_trials), 1)) + Counter(running) + Counter(cut_off)
        statuses = Counter(row["status"] for row in experiment.trials())
        if mended:
            assert times == expected
            assert statuses == {"SUCCEEDED": run.n_trials}
            for row in experiment.trials():
                shown = json.loads(row["hyperParameters"][0])["parameters"]
                (metric,) = row["finalMetricData"]
                value = json.loads(json.loads(metric["data"]))["default"]
                assert value == pytest.approx(shown["a"] + shown["b"] / 10)
        else:  # at most the process of the trial that was known and had not ended begins again, and is stopped
            assert times - expected in (Counter(), Counter([last]))
            assert statuses["SUCCEEDED"] >= run.n_trials - 1


def test_the_tuner_is_killed(tmp_path):
    soon = timeouts({30: 5}, os.environ)  # how long NNI hopes that a lost tuner comes back
    with Run(tmp_path, concurrency=2, n_trials=7, **soon) as run:
        experiment = run.experiment
        run.begun(range(2))
        for trial in (1, 2, 0):
            run.conclude(trial)
        run.kill(experiment.dispatcher())
        run.open(3, "report", "exit")  # this result reaches NNI's database only
        poll(lambda: len(experiment.rest.get("metric-data")) == 4, SECONDS, "the result is in the database")
        experiment.wait_for("ERROR")
        assert "process is gone" in experiment.rest.get("check-status")["errors"][0]
        experiment.stop()
        experiment.resume()
        run.begun([4], 2)
        run.begun([5])
        run.known(4)
        run.go_on([4, 5])
        run.check_story()
        assert run.times() == Counter(range(7)) + Counter([4])
