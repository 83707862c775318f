"""``nnictl`` experiments of NATTuner: killed and resumed in each phase it proposes what it would have; refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.nat.config import NATConfig
from nni_strategies.nat.searcher import NATSearcher
from nni_strategies.search.study import Study
from nni_strategies.space.from_json import space_from_json
from tests.integration.nni_experiment import Experiment, evolution_config, poll, run_experiment

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]

OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
LABELS = [f"cell.edge_{i}_{j}" for i, j in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))]
SPACE = {label: {"_type": "choice", "_value": OPERATIONS} for label in LABELS}
WORTH = {"none": -0.3, "skip_connect": 0.5, "nor_conv_1x1": 0.6, "nor_conv_3x3": 1.0, "avg_pool_3x3": 0.1}
SUM = f"sum((i + 1) * {WORTH}[parameters[k]] for i, k in enumerate(sorted(parameters)))"
BODY = f"parameters.pop('_shown', None); report({{'default': {SUM}}})"
CONVOLUTIONS = dict.fromkeys(LABELS, "nor_conv_3x3")
SKIPS = CONVOLUTIONS | {"cell.edge_0_3": "skip_connect", "cell.edge_1_2": "nor_conv_1x1"}
ARGUMENTS: dict[str, Any] = {
    "costs": {"nor_conv_1x1": [3932160, 4096], "nor_conv_3x3": [35389440, 36864]},
    "inputs": [CONVOLUTIONS, SKIPS],
    "queries": 16,
    "n_start": 6,
    "round_size": 5,
}
SEED, N_TRIALS = 11, 28  # 16 queries, 2 inputs, 10 outputs


def started(folder: Path, **class_args: Any) -> Experiment:
    tuner = {
        "codeDirectory": str(folder / "code"),
        "className": "nni_strategies.nat.tuner.NATTuner",
        "classArgs": {"optimize_mode": "maximize", "seed": SEED, "show": True, **class_args},
    }
    config = evolution_config(folder, SPACE, BODY, maxTrialNumber=N_TRIALS, trialConcurrency=2, tuner=tuner)
    return run_experiment(config, folder)


def phases(experiment: Experiment) -> list[str]:
    return [event["remarks"]["nat"]["phase"] for event in experiment.journal("proposed")]


def check_story(events: list[dict[str, Any]]) -> Study:
    """Every proposal is what a search that nobody killed proposes, had it the results in that order."""
    study = Study(NATSearcher(space_from_json(SPACE), NATConfig(**ARGUMENTS)), seed=SEED)
    for event in events[1:]:
        if event["event"] == "proposed":
            assert event["configuration"] == study.ask().configuration
            assert event["remarks"] == study.journal.events[-1]["remarks"]
        elif event["event"] == "finished":
            study.tell(event["trial"], event["value"])
    return study


def test_killed_among_queries_and_among_outputs(tmp_path: Path) -> None:
    with started(tmp_path, **ARGUMENTS) as experiment:
        kept = []
        for n in (11, 22):  # results: in the second round of queries, and among the outputs
            poll(lambda n=n: len(experiment.journal("finished")) >= n, 180, f"{n} results are in the journal")
            experiment.kill(experiment.dispatcher())
            experiment.kill(experiment.manager)
            kept.append(experiment.journal())
            experiment.resume()
        experiment.wait_for("DONE", deadline=180)
        events = experiment.journal()
        assert [events[: len(some)] for some in kept] == kept
        assert len(experiment.journal("finished")) == len(experiment.journal("proposed")) == N_TRIALS
        assert experiment.journal("failed") == []
        rows = [json.loads(row["hyperParameters"][0])["parameters"] for row in experiment.trials()]
        assert all(row.pop("_shown").startswith(("query: ", "input ", "output of input ")) for row in rows)
        proposed = [event["configuration"] for event in experiment.journal("proposed")]
        assert sorted(json.dumps(row, sort_keys=True) for row in rows) == sorted(
            json.dumps(one, sort_keys=True) for one in proposed
        )
        assert {"query", "output"} <= set(phases(experiment)) and "output" in phases(experiment)[:24]
        study = check_story(events)
        for number, given in enumerate((CONVOLUTIONS, SKIPS)):
            found = study.searcher.transformed(number)
            assert found.before == given and found.score_after is not None and found.score_before is not None
            assert found.score_after >= found.score_before and found.cost_after <= found.cost_before


def test_plain_nnictl_runs_it_by_its_name(tmp_path: Path) -> None:
    with Experiment(tmp_path, mended=True, variables={}) as experiment:
        experiment._run("-m", "nni_strategies.cli", "register")
        experiment.mended = False
        arguments = {"optimize_mode": "maximize", "seed": SEED, **ARGUMENTS, "queries": 6, "k": 1}
        config = evolution_config(tmp_path, SPACE, BODY, maxTrialNumber=10, trialConcurrency=1)
        experiment.create({**config, "tuner": {"name": "NAT", "classArgs": arguments}})
        experiment.wait_for("DONE", deadline=180)
        found = phases(experiment)
        assert found[:8] == ["query"] * 6 + ["input"] * 2 and "output" in found
        assert len(experiment.journal("finished")) == len(found) == len(experiment.trials())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"costs": None}, "nor_conv_1x1, nor_conv_3x3 too"),
        ({"inputs": [CONVOLUTIONS | {"cell.edge_0_1": "nor_conv_3x4"}]}, "did you mean 'nor_conv_3x3'"),
    ],
)
def test_what_cannot_work_is_refused_by_name_of_the_field(tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
    """`nni_strategies launch` looks before it starts anything."""
    with pytest.raises(AssertionError, match=message):
        started(tmp_path, **{**ARGUMENTS, **wrong})
