"""NNI's multi-trial strategies guided by MirrorStimuli on the training service: every metric shaped once, none lost."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.bridge.nni_record import read_record
from nni_strategies.irlas.experts import load_experts
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS, ConfigurationScores, blocks_function
from nni_strategies.space.from_json import space_from_json

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # where trials find edge_space too
import nni_strategies.bridge.torchvision_first  # noqa: E402, F401

# isort: split
from edge_space import SEARCH_SPACE, latency_of, quality  # noqa: E402

from tests.integration.nas_program import Program  # noqa: E402
from tests.integration.nni_experiment import poll  # noqa: E402
from tests.integration.rsa_runs import warm_python  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]

LAM = 0.3


@pytest.fixture(scope="module")
def python() -> Iterator[str]:
    with warm_python() as command:
        yield command


@pytest.fixture(scope="module")
def scores() -> ConfigurationScores:
    """S, fitted apart from the experiments."""
    return ConfigurationScores(space_from_json(SEARCH_SPACE), blocks_function(None), load_experts(DEFAULT_EXPERTS))


def program(folder: Path, python: str, **wanted: object) -> Program:
    """Return ``run_edge_nas.py``; the states of NNI's own strategies hold NumPy's generators."""
    unpickled = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
    return Program("run_edge_nas.py", folder, variables=unpickled, python=python, **wanted)


def shaped(program: Program, kind: str) -> list[dict[str, Any]]:
    """Return the lines of one kind of what MirrorStimuli keeps."""
    return program.events(kind, "mirror_stimuli.jsonl")


def own(sample: dict[str, Any]) -> dict[str, Any]:
    return {label: sample[label] for label in SEARCH_SPACE}


def check(result: dict[str, Any], program: Program, scores: ConfigurationScores, lam: float) -> None:
    """Check what any guided experiment shows."""
    assert result["ended"] is True
    for row in result["rows"]:  # NNI's own have what trials reported
        for metric in row["metrics"]:
            assert (metric["default"], metric["latency_ms"]) == (quality(own(row["sample"])), latency_of(row["sample"]))
    expected = {}
    told = [(metric, sample) for metric, sample in result["models"] if metric is not None]
    for metric, sample in told:
        raw = quality(own(sample))
        expected[json.dumps(own(sample), sort_keys=True)] = raw
        assert metric == pytest.approx(raw + lam * scores.score(own(sample)), abs=1e-9)
    best = sorted((metric for metric, _ in told), reverse=True)
    assert [metric for metric, _ in result["exported"]] == best[:3]
    assert result["best"][0][0] == max(expected.values())
    configurations = {event["trial"]: event["configuration"] for event in shaped(program, "proposed")}
    for event in shaped(program, "finished"):
        assert event["value"] == event["metrics"]["default"] == quality(configurations[event["trial"]])
        assert event["metrics"]["shaped"] == pytest.approx(event["value"] + lam * event["metrics"]["stimuli"], abs=1e-9)


@pytest.mark.parametrize("strategy", ["Random", "GridSearch", "RegularizedEvolution", "TPE"])
def test_every_strategy_is_told_the_sum(
    tmp_path: Path, python: str, scores: ConfigurationScores, strategy: str
) -> None:
    options = {"mode": "paper", "lam": LAM}
    with program(tmp_path, python, trials=6, strategy=strategy, options=options) as running:
        running.start()
        result = running.result()
        # NNI's own strategies ask for the budget before a submitted model counts: one too many may be listed, untrained
        assert len([metric for metric, _ in result["models"] if metric is not None]) == 6
        assert len(shaped(running, "finished")) == 6
        check(result, running, scores, LAM)


def test_the_prior_changes_no_metric(tmp_path: Path, python: str, scores: ConfigurationScores) -> None:
    with program(tmp_path, python, trials=6, strategy="Random", options={"gate": 0}) as running:
        running.start()
        result = running.result()
        check(result, running, scores, 0.0)
        assert sum(scores.score(own(sample)) for _, sample in result["models"]) > 6 * 0.2


def test_a_killed_search_goes_on_and_shapes_nothing_twice(
    tmp_path: Path, python: str, scores: ConfigurationScores
) -> None:
    options = {"mode": "paper", "lam": LAM}
    with program(tmp_path, python, trials=9, strategy="RegularizedEvolution", options=options) as running:
        running.start()
        poll(lambda: len(shaped(running, "finished")) >= 3, 200, "three results are in the journal")
        running.kill()
        before = shaped(running, "finished")
        running.start()
        result = running.result()
        check(result, running, scores, LAM)
        assert shaped(running, "finished")[: len(before)] == before
        assert len(shaped(running, "finished")) >= 8  # the last of nine may end after the experiment
        listed = [metric for metric, _ in result["models"]]
        assert {event["metrics"]["shaped"] for event in before} <= set(listed)


def test_results_that_came_while_the_search_was_gone_are_shaped(
    tmp_path: Path, python: str, scores: ConfigurationScores
) -> None:
    """The manager survives the search, and a trial with it: only NNI's database has its result."""
    options, gate = {"mode": "paper", "lam": LAM}, tmp_path / "gate"
    with program(tmp_path, python, trials=8, strategy="ours", options=options, gate=str(gate)) as running:
        running.start()
        poll(lambda: len(shaped(running, "finished")) >= 3, 200, "three results are in the journal")
        gate.touch()
        poll((tmp_path / "gate.waiting").exists, 60, "a trial is kept from its end")
        running.kill()
        gate.unlink()
        database = running.folder / "nas" / "db" / "nni.sqlite"
        seen = len(shaped(running, "finished"))
        poll(lambda: len(read_record(database).finals) > seen, 60, "the database has a result more")
        running.start()
        result = running.result()
        check(result, running, scores, LAM)
        proposed = {e["trial"]: e["configuration"] for e in running.events("proposed")}
        told = {e["trial"]: e["value"] for e in running.events("finished")}
        assert set(told) == set(range(8))
        for trial, value in told.items():
            expected = quality(proposed[trial]) + LAM * scores.score(proposed[trial])
            assert value == pytest.approx(expected, abs=1e-9)
        scored = [event["configuration"] for event in shaped(running, "proposed")]
        assert sorted(map(str, scored)) == sorted(map(str, proposed.values()))  # each once, in both journals
        assert len(shaped(running, "finished")) == 8
