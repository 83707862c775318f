"""kill -9 of the tuner, of the manager and of both, then resume: nothing lost, nothing run again, same proposals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.search.baselines import RegularizedEvolution
from tests.integration.nni_experiment import Experiment, evolution_config, poll, run_experiment

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240)]

SPACE = {"a": {"_type": "choice", "_value": [1, 2, 3, 4]}, "b": {"_type": "quniform", "_value": [0, 3, 1]}}
# The trial waits for the test, which so decides when a process is killed: at a gate named by a file.
TRIAL = """
def gate(name):
    while not os.path.exists(os.path.join(GATES, name)):
        time.sleep(0.05)
number = len(open(STARTED_FILE).read().splitlines())
gate(f"report {number}")
report({"default": parameters["a"] + parameters["b"] / 10})
gate(f"exit {number}")
"""
TRIALS = 6


class Evolution(StudyTuner):
    searcher_class = RegularizedEvolution


def uninterrupted() -> list[dict[str, Any]]:
    """Return what a run that nobody kills proposes."""
    tuner = Evolution(seed=1, population=3, sample=2)
    tuner.update_search_space(SPACE)
    proposals = []
    for parameter_id in range(TRIALS):
        proposals.append(tuner.generate_parameters(parameter_id))
        tuner.receive_trial_result(parameter_id, proposals[-1], proposals[-1]["a"] + proposals[-1]["b"] / 10)
    return proposals


def start(folder: Path, *, mended: bool) -> Experiment:
    (folder / "gates").mkdir()
    body = TRIAL.replace("GATES", repr(str(folder / "gates"))).replace(
        "STARTED_FILE", repr(str(folder / "started.txt"))
    )
    return run_experiment(evolution_config(folder, SPACE, body, maxTrialNumber=TRIALS), folder, mended=mended)


def open_gates(experiment: Experiment, *names: str) -> None:
    for name in names:
        (experiment.folder / "gates" / name).touch()


def begun(experiment: Experiment, n: int) -> None:
    poll(lambda: len(experiment.started()) >= n, 40, f"trial {n} begins")


def known(experiment: Experiment, n: int) -> None:
    poll(lambda: len(experiment.journal("finished")) >= n, 40, f"result {n} is in the journal")


def check_story(experiment: Experiment) -> None:
    known(experiment, TRIALS)  # NNI calls an experiment done before its tuner has the last result
    proposed = [e["configuration"] for e in experiment.journal("proposed")]
    assert proposed == uninterrupted()
    values = {e["trial"]: e["value"] for e in experiment.journal("finished")}
    assert values == {i: pytest.approx(c["a"] + c["b"] / 10) for i, c in enumerate(proposed)}
    assert len(experiment.journal("finished")) == TRIALS
    assert len(experiment.trials()) == TRIALS


@pytest.mark.parametrize("mended", [True, False])
def test_the_manager_is_killed_then_both(tmp_path, mended):
    with start(tmp_path, mended=mended) as experiment:
        open_gates(experiment, "report 1", "exit 1", "report 2")
        known(experiment, 2)  # trial 2 has reported, but not ended
        experiment.kill(experiment.manager)
        open_gates(experiment, "exit 2")
        experiment.resume()
        # Trial 2 is not run again: at most its process begins, and is stopped (stock NNI).
        begun(experiment, 3)
        third = experiment.started()[-1] == uninterrupted()[2]
        if not third:
            assert not mended
            poll(lambda: experiment.started()[-1] == uninterrupted()[2], 40, "trial 3 begins")
        n = len(experiment.started())
        manager, dispatcher = experiment.manager, experiment.dispatcher()
        experiment.kill(dispatcher)  # while trial 3 runs
        experiment.kill(manager)
        experiment.resume()
        begun(experiment, n + 1)
        assert experiment.started()[-1] == uninterrupted()[2]  # which NNI runs again by itself
        open_gates(experiment, *(f"{what} {i}" for what in ("report", "exit") for i in range(n, 12)))
        experiment.wait_for("DONE", deadline=60)
        check_story(experiment)
        statuses = sorted(trial["status"] for trial in experiment.trials())
        assert statuses == ["SUCCEEDED"] * TRIALS if mended else statuses[:-1] == ["SUCCEEDED"] * (TRIALS - 1)


def test_the_tuner_is_killed(tmp_path):
    with start(tmp_path, mended=True) as experiment:
        open_gates(experiment, "report 1", "exit 1")
        known(experiment, 1)
        begun(experiment, 2)
        experiment.kill(experiment.dispatcher())
        open_gates(experiment, "report 2", "exit 2")  # this result reaches NNI's database only
        experiment.wait_for("ERROR", deadline=45)
        assert "process is gone" in experiment.rest.get("check-status")["errors"][0]
        experiment.stop()
        experiment.resume()
        open_gates(experiment, *(f"{what} {i}" for what in ("report", "exit") for i in range(3, 12)))
        experiment.wait_for("DONE", deadline=60)
        check_story(experiment)
        assert [json.dumps(one, sort_keys=True) for one in experiment.started()] == [
            json.dumps(one, sort_keys=True) for one in uninterrupted()
        ]
