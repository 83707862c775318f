"""``nnictl`` experiments whose trials are guided: what NNI and its tuner receive, stopped early, resumed, assessed."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nni_strategies.bridge.nni_record import STOPPED
from tests.integration.guided_trial import BAD, network, performance
from tests.integration.nni_experiment import Experiment, poll, run_experiment
from tests.integration.rsa_runs import (
    HERE,
    LAYERS,
    check_tg,
    final_metrics,
    history,
    intermediate_metrics,
    make_teacher,
    warm_python,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]

SPACE = {
    "width": {"_type": "choice", "_value": [BAD, 4, 5, 6, 7, 8]},
    "seed": {"_type": "randint", "_value": [0, 100]},
}
N_TRIALS = 14
MIN_TRIALS = 4


def config(python: str, wanted: dict[str, Any], seed: int, n_trials: int) -> dict[str, Any]:
    """Return the config of an experiment that proposes at random, as the seed says."""
    return {
        "searchSpace": SPACE,
        "trialCommand": f"{python} -m guided_trial {shlex.quote(json.dumps(wanted))}",
        "trialCodeDirectory": str(HERE),
        "trialConcurrency": 2,
        "maxTrialNumber": n_trials,
        "maxTrialDuration": "2m",
        "tuner": {
            "codeDirectory": str(HERE),
            "className": "nni_strategies.lanas.tuner.LaNASTuner",
            "classArgs": {"seed": seed, "n_init": 30},
        },
        "trainingService": {"platform": "local"},
    }


@pytest.fixture(scope="module")
def python() -> Iterator[str]:
    with warm_python() as command:
        yield command


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_teacher(tmp_path_factory.mktemp("guided") / "teacher")


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory, python: str, teacher: str) -> Iterator[Experiment]:
    """A whole experiment without an assessor, stopped and resumed on the way."""
    folder = tmp_path_factory.mktemp("resumed")
    stop = {"at": 1, "quantile": 0.3, "min_trials": MIN_TRIALS}
    wanted = {"teacher": teacher, "options": {"mode": "scaled", "stop": stop}}
    with run_experiment(config(python, wanted, 49, N_TRIALS), folder) as experiment:
        poll(lambda: len(experiment.journal("finished")) >= 5, 150, "five results are in the journal")
        experiment.stop()
        experiment.resume()
        experiment.wait_for("DONE", deadline=200)
        poll(lambda: len(experiment.journal("finished")) == N_TRIALS, 20, "all results are in the journal")
        yield experiment


def trial_of(experiment: Experiment) -> dict[str, dict[str, int]]:
    """Return the parameters of each trial."""
    rows = experiment.trials()
    return {row["trialJobId"]: json.loads(row["hyperParameters"][0])["parameters"] for row in rows}


def judged_at(experiment: Experiment) -> dict[str, int]:
    """Return the epoch after which each trial was judged, in the order in which they were."""
    return {line["trial"]: line["step"] for line in history(experiment.path) if line["judged"]}


def test_every_trial_of_a_resumed_experiment_shows_p_and_tg(resumed: Experiment, teacher: str) -> None:
    metrics, steps = final_metrics(resumed.rest), intermediate_metrics(resumed.rest)
    parameters, epoch = trial_of(resumed), judged_at(resumed)
    assert set(metrics) == set(parameters) == set(steps)
    assert len(metrics) == N_TRIALS
    for trial, shown in metrics.items():
        assert {"default", "P", "TG", "alpha", "loss", *(f"TG:{name}" for name in LAYERS)} <= set(shown)
        assert all(set(step) == set(shown) for step in steps[trial])  # one set of curves in the web UI
        assert steps[trial][-1] == shown
        assert shown["P"] == pytest.approx(performance(parameters[trial]["width"], epoch[trial]))
        check_tg(teacher, network(parameters[trial]), resumed.path, trial, shown)


def test_scaled_values_follow_from_the_first_ten(resumed: Experiment) -> None:
    judged = judged_at(resumed)
    metrics = final_metrics(resumed.rest)
    assert len(judged) == N_TRIALS
    whole = [trial for trial in judged if judged[trial] == 2]  # those that stopped early set no scale
    p, tg = np.array([[metrics[trial]["P"], metrics[trial]["TG"]] for trial in whole[:10]]).T
    weight = np.subtract(*np.quantile(p, [0.75, 0.25])) / np.subtract(*np.quantile(tg, [0.75, 0.25]))
    before = 0
    for trial, step in judged.items():
        shown = metrics[trial]
        alpha = shown["alpha"]
        assert before == 10 or alpha == pytest.approx(0.0 if before < 10 else weight)  # two at a time
        assert shown["default"] == pytest.approx(shown["P"] + alpha * (shown["TG"] - np.median(tg) * (alpha > 0)))
        before += step == 2
    assert before > 10


def test_the_worst_stop_at_their_first_epoch_and_the_tuner_hears_of_it(resumed: Experiment) -> None:
    parameters, epoch = trial_of(resumed), judged_at(resumed)
    bad = [trial for trial, one in parameters.items() if one["width"] == BAD]
    assert len(bad) == 2  # the seed has them come late
    assert {epoch[trial] for trial in bad} == {1}
    assert sum(epoch[trial] == 2 for trial in epoch) >= MIN_TRIALS
    proposed = {e["trial"]: e["configuration"] for e in resumed.journal("proposed")}
    metrics = final_metrics(resumed.rest)
    heard = {tuple(proposed[e["trial"]].values()): e["value"] for e in resumed.journal("finished")}
    assert heard == {tuple(parameters[trial].values()): pytest.approx(metrics[trial]["default"]) for trial in metrics}
    assert all(status["status"] == "SUCCEEDED" for status in resumed.trials())


def test_an_assessor_by_name_ends_the_worst_without_a_result(tmp_path: Path, python: str, teacher: str) -> None:
    gate = tmp_path / "gate"  # the trial that is to be ended cannot end by itself
    gate.mkdir()
    wanted = {"teacher": teacher, "options": {"mode": "paper", "alpha": 2.0, "every": 1}, "gate": str(gate)}
    fields = config(python, wanted, 13, 9)
    chosen = {"key": "P", "quantile": 0.3, "min_trials": 3, "margin": 0.5}
    fields["assessor"] = {"name": "TeacherGuided", "classArgs": chosen}
    environment = Experiment(tmp_path, mended=True, variables={}).environment
    register = [sys.executable, "-m", "nni_strategies.cli", "register"]
    subprocess.run(register, env=environment, check=True, capture_output=True)
    with run_experiment(fields, tmp_path) as experiment:
        experiment.wait_for("DONE", deadline=200)
        status = {row["trialJobId"]: row["status"] for row in experiment.trials()}
        parameters, metrics = trial_of(experiment), final_metrics(experiment.rest)
        bad = [trial for trial, one in parameters.items() if one["width"] == BAD]
        assert len(bad) == 1
        assert {trial for trial in status if status[trial] in STOPPED} == set(bad)
        assert set(metrics) == set(status) - set(bad)
        for trial, shown in metrics.items():
            assert shown["P"] == pytest.approx(performance(parameters[trial]["width"], 2))
            assert shown["default"] == pytest.approx(shown["P"] + 2.0 * shown["TG"])
        (failed,) = experiment.journal("failed")
        assert failed["stopped"] is True and "assessor" in failed["reason"]
        gate.rmdir()
