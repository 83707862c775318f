"""NNI's multi-trial strategies guided by MirrorStimuli on the training service: every metric shaped once, none lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.bridge.manager_process import find_managers
from nni_strategies.irlas.experts import load_experts
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS, ConfigurationScores, blocks_function
from nni_strategies.search.journal import read
from nni_strategies.space.from_json import space_from_json

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # where trials find edge_space too
import nni_strategies.bridge.torchvision_first  # noqa: E402, F401

# isort: split
from edge_space import SEARCH_SPACE, latency_of, quality  # noqa: E402

from tests.integration.nni_experiment import REPOSITORY, free_port, poll  # noqa: E402
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


class Program:
    """``run_edge_nas.py`` in a process of its own, again and again on the same experiment."""

    def __init__(self, folder: Path, python: str, **wanted: object) -> None:
        self.folder, self.output = folder, folder / "output.txt"
        self.wanted = {"folder": str(folder), "id": "nas", "python": python, **wanted}
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        argument = json.dumps({**self.wanted, "port": free_port()})
        environment = {
            **os.environ,
            "PYTHONPATH": f"{REPOSITORY}:{HERE}",
            "OMP_NUM_THREADS": "1",
            "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",  # the states of NNI's own strategies hold NumPy's generators
        }
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "run_edge_nas.py", argument],
                cwd=HERE, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def result(self) -> dict[str, Any]:
        assert self.process is not None
        self.process.wait(300)
        lines = self.output.read_text().splitlines()
        assert lines and lines[-1].startswith("{"), self.output.read_text()[-4000:]
        return dict(json.loads(lines[-1]))

    def events(self, kind: str) -> list[dict[str, Any]]:
        path = self.folder / "nas" / "checkpoint" / "mirror_stimuli.jsonl"
        return [event for event in read(path)[0] if event["event"] == kind] if path.exists() else []

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        for manager in find_managers("nas", self.folder):
            os.kill(manager.pid, signal.SIGKILL)


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
    configurations = {event["trial"]: event["configuration"] for event in program.events("proposed")}
    for event in program.events("finished"):
        assert event["value"] == event["metrics"]["default"] == quality(configurations[event["trial"]])
        assert event["metrics"]["shaped"] == pytest.approx(event["value"] + lam * event["metrics"]["stimuli"], abs=1e-9)


@pytest.mark.parametrize("strategy", ["Random", "GridSearch", "RegularizedEvolution", "TPE"])
def test_every_strategy_is_told_the_sum(
    tmp_path: Path, python: str, scores: ConfigurationScores, strategy: str
) -> None:
    options = {"mode": "paper", "lam": LAM}
    with Program(tmp_path, python, trials=6, strategy=strategy, options=options) as program:
        program.start()
        result = program.result()
        # NNI's own strategies ask for the budget before a submitted model counts: one too many may be listed, untrained
        assert len([metric for metric, _ in result["models"] if metric is not None]) == 6
        assert len(program.events("finished")) == 6
        check(result, program, scores, LAM)


def test_the_prior_changes_no_metric(tmp_path: Path, python: str, scores: ConfigurationScores) -> None:
    with Program(tmp_path, python, trials=6, strategy="Random", options={"gate": 0}) as program:
        program.start()
        result = program.result()
        check(result, program, scores, 0.0)
        assert sum(scores.score(own(sample)) for _, sample in result["models"]) > 6 * 0.2


def test_a_killed_search_goes_on_and_shapes_nothing_twice(
    tmp_path: Path, python: str, scores: ConfigurationScores
) -> None:
    options = {"mode": "paper", "lam": LAM}
    with Program(tmp_path, python, trials=9, strategy="RegularizedEvolution", options=options) as program:
        program.start()
        poll(lambda: len(program.events("finished")) >= 3, 200, "three results are in the journal")
        program.kill()
        before = program.events("finished")
        program.start()
        result = program.result()
        check(result, program, scores, LAM)
        assert program.events("finished")[: len(before)] == before
        assert len(program.events("finished")) >= 8  # the last of nine may end after the experiment
        listed = [metric for metric, _ in result["models"]]
        assert {event["metrics"]["shaped"] for event in before} <= set(listed)
