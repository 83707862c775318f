"""``nnictl`` experiments of MirrorStimuliTuner by its registered name: shaped, resumed, reported, refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from nni_strategies.irlas.experts import load_experts
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS, ConfigurationScores, blocks_function
from nni_strategies.space.from_json import space_from_json
from tests.integration.nni_experiment import Experiment, evolution_config, poll

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]

OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
SPACE: dict[str, Any] = {
    f"edge_{edge}": {"_type": "choice", "_value": OPERATIONS} for edge in ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")
}
SPACE["rate"] = {"_type": "uniform", "_value": [0.0, 1.0]}
LAM = 0.3

TRIAL = """
report({"default": parameters["rate"] + 0.01 * list(parameters.values()).count("none"), "latency_ms": 4.0})
"""


def loss(configuration: dict[str, Any]) -> float:
    """What the trial reports."""
    return float(configuration["rate"]) + 0.01 * list(configuration.values()).count("none")


@pytest.fixture(scope="module")
def scores() -> ConfigurationScores:
    """S, fitted apart from the experiments."""
    in_order = space_from_json({label: SPACE[label] for label in sorted(SPACE)})  # as YAML writes it
    return ConfigurationScores(in_order, blocks_function(None), load_experts(DEFAULT_EXPERTS))


@pytest.fixture
def registered(tmp_path: Path) -> Iterator[Experiment]:
    """An experiment to be, where our tuners are known by name."""
    with Experiment(tmp_path, mended=True, variables={}) as experiment:
        experiment._run("-m", "nni_strategies.cli", "register")
        yield experiment


def config(folder: Path, n_trials: int, **class_args: Any) -> dict[str, Any]:
    found = evolution_config(folder, SPACE, TRIAL, maxTrialNumber=n_trials, trialConcurrency=2)
    return {**found, "tuner": {"name": "MirrorStimuli", "classArgs": class_args}}


def reported(experiment: Experiment) -> list[float]:
    """What NNI has of the trials."""
    rows = [trial for trial in experiment.trials() if trial.get("finalMetricData")]
    return sorted(json.loads(json.loads(row["finalMetricData"][-1]["data"]))["default"] for row in rows)


def test_tpe_minimizes_the_shaped_loss_and_goes_on_after_a_stop(
    registered: Experiment, scores: ConfigurationScores
) -> None:
    base = {"seed": 5, "tpe_args": {"n_startup_jobs": 3}}
    class_args = {"base_tuner": "TPE", "base_args": base, "mode": "paper", "lam": LAM, "optimize_mode": "minimize"}
    registered.create(config(registered.folder, 10, **class_args))
    poll(lambda: len(registered.journal("finished")) >= 4 or None, 120, "four results are in the journal")
    registered.stop()
    before = registered.journal("finished")
    registered.resume()
    registered.wait_for("DONE", deadline=150)
    poll(lambda: len(registered.journal("finished")) >= 10 or None, 30, "all results are in the journal")
    finished = registered.journal("finished")
    assert finished[: len(before)] == before
    assert len({event["trial"] for event in finished}) == len(finished)
    tried = {event["trial"]: event["configuration"] for event in registered.journal("proposed")}
    for event in finished:
        configuration, metrics = tried[event["trial"]], event["metrics"]
        assert metrics["default"] == -event["value"] == pytest.approx(loss(configuration))
        assert metrics["stimuli"] == pytest.approx(scores.score(configuration), abs=1e-9)
        assert metrics["shaped"] == pytest.approx(metrics["default"] - LAM * metrics["stimuli"], abs=1e-9)
        assert metrics["latency_ms"] == 4.0
    known = sorted(event["metrics"]["default"] for event in finished)
    assert reported(registered) == pytest.approx(known)  # NNI has what trials reported
    folder = ("--directory", str(registered.experiments))
    printed = registered._run("-m", "nni_strategies.cli", "report", registered.id, *folder)
    assert registered.id in printed or "report" in printed


def test_the_prior_begins_and_tpe_goes_on(registered: Experiment, scores: ConfigurationScores) -> None:
    class_args = {"n_initial": 5, "gate": 0, "seed": 2, "optimize_mode": "minimize"}
    registered.create(config(registered.folder, 8, **class_args))
    registered.wait_for("DONE", deadline=120)
    poll(lambda: len(registered.journal("finished")) >= 8 or None, 30, "all results are in the journal")
    proposed = registered.journal("proposed")
    assert [event["phase"] for event in proposed[:8]] == ["initial"] * 5 + ["search"] * 3
    codes = scores.space.encode([event["configuration"] for event in proposed[:5]])
    assert scores.stimuli.normal_score(scores.similarities(codes)).mean() > 1
    known = sorted(event["metrics"]["default"] for event in registered.journal("finished"))
    assert reported(registered) == pytest.approx(known)
    assert all(event["metrics"]["shaped"] == event["metrics"]["default"] for event in registered.journal("finished"))


def test_a_direction_that_is_missing_ends_it_at_once_with_the_reason(registered: Experiment) -> None:
    wrong = config(registered.folder, 8, base_tuner="TPE")
    with pytest.raises(AssertionError, match="optimize_mode = null"):  # nni_strategies launch looks first
        registered.create(wrong)
    registered.mended = False
    registered.create(wrong)
    registered.wait_for("ERROR", deadline=60)
    poll(lambda: "optimize_mode = null" in registered.log("nnimanager.log") or None, 20, "the reason is in the log")


def test_validate_finds_a_space_that_says_nothing(registered: Experiment) -> None:
    wrong = config(registered.folder, 8, optimize_mode="minimize")
    wrong["searchSpace"] = {"rate": SPACE["rate"]}
    path = registered.folder / "wrong.yml"
    path.write_text(yaml.safe_dump(wrong))
    with pytest.raises(AssertionError, match="search_space"):
        registered._run("-m", "nni_strategies.cli", "validate", str(path))
