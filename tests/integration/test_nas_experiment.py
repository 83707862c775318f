"""A NAS experiment, whole, failing and killed: nothing is lost, done twice, or given to another trial."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.study import Study
from nni_strategies.space.from_nni import space_from_model_space

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # where trials find small_space too
import nni_strategies.bridge.torchvision_first  # noqa: E402, F401

# isort: split
from nni_experiment import alive, poll  # noqa: E402
from small_space import SmallSpace, value_of  # noqa: E402

from tests.integration.nas_program import Program, environment  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(480)]


class SmallProgram(Program):
    """``run_small_nas.py``, whose trials note what they evaluate."""

    def __init__(self, folder: Path, **wanted: object) -> None:
        self.log = folder / "evaluated.txt"
        super().__init__("run_small_nas.py", folder, log=str(self.log), **wanted)

    def wait_for_finished(self, n: int) -> None:
        poll(lambda: len(self.events("finished")) >= n or None, 200, f"{n} results in the journal")


@pytest.fixture
def program(tmp_path: Path) -> Iterator[SmallProgram]:
    with SmallProgram(tmp_path, trials=7, concurrency=2, seconds=0.2) as program:
        yield program


@pytest.fixture(scope="module")
def warm_python() -> Iterator[str]:
    """Yield a command that runs a trial like ``python``, but from a process that has torch imported.

    The starts of the trials would be most of what these tests cost. A killed experiment's are started cold.
    """
    program = HERE / "warm_trials.py"
    with TemporaryDirectory() as folder:  # a socket's name has a hundred characters at most
        address = f"{folder}/socket"
        server = subprocess.Popen([sys.executable, program, "serve", address], env=environment())
        try:
            yield f"{sys.executable} -SE {program} run {address}"
        finally:
            server.kill()
            server.wait()


def first_asks_last(n: int, seconds: int, python: str) -> str:
    """Start the first of each `n` trials later, so that it asks for its parameters after the others."""
    return f"sleep $((NNI_TRIAL_SEQ_ID % {n} ? 0 : {seconds})) && {python}"


def outcome(folder: Path, **wanted: object) -> tuple[dict[str, Any], SmallProgram]:
    """Return what the program prints at the end of an experiment that nobody kills."""
    with SmallProgram(folder, seconds=0, **wanted) as program:
        program.start()
        return program.result(), program


def uninterrupted(n: int) -> list[dict[str, str]]:
    """The first proposals of the search, asked without NNI."""
    study = Study(RandomSearch(space_from_model_space(SmallSpace())), seed=7)
    return [study.ask().configuration for _ in range(n)]


def test_killed_python_then_killed_manager(program: SmallProgram) -> None:
    program.start()
    poll(lambda: len(program.events("issued")) >= 4 or None, 200, "two trials ended and two more began")
    program.kill()
    assert len(program.managers()) == 1  # it survives, its trials too
    before = {e["trial"]: e["value"] for e in program.events("finished")}

    program.start()
    program.wait_for_finished(4)
    for pid in program.managers():
        os.kill(pid, signal.SIGKILL)
        poll(lambda pid=pid: not alive(pid) or None, 10, "the manager is gone")
    assert program.process is not None
    program.process.wait(120)  # it notices by itself, and says how to go on
    assert "run_or_resume" in program.output.read_text()
    before.update({e["trial"]: e["value"] for e in program.events("finished")})

    program.start()
    result = program.result()
    assert result["ended"] is True

    proposed = [e["configuration"] for e in program.events("proposed")]
    assert proposed == uninterrupted(7)
    finished = {e["trial"]: e["value"] for e in program.events("finished")}
    assert len(program.events("finished")) == 7 == len(finished)
    assert {trial: finished[trial] for trial in before} == before
    assert finished == {i: value_of(c) for i, c in enumerate(proposed)}
    assert program.events("failed") == []

    times = Counter(map(int, program.log.read_text().split()))
    assert set(times) == set(finished.values())
    assert max(times.values()) <= 3  # cut off twice at most
    assert all(times[int(before[trial])] == 1 for trial in list(before)[:2])
    values = sorted(finished.values(), reverse=True)
    assert [metric for metric, _ in result["top"]] == values[:3]
    assert program.managers() == []

    rows = [row for row in result["rows"] if row["metrics"]]
    assert len(rows) == 7  # what the web UI shows
    assert all(row["metrics"] == [value_of(row["sample"])] for row in rows)
    assert all(row["shown"] == row["sample"] for row in rows)


def test_failures_and_exhaustion_end_well(tmp_path: Path, warm_python: str) -> None:
    result, program = outcome(tmp_path, trials=10, concurrency=2, bad=True, python=warm_python)
    assert (result["ended"], result["status"]) == (True, "DONE")  # of ten trials four, the space has no more
    assert result["top"] == [[3.0, {"a": "width3"}]]
    label = {e["trial"]: e["configuration"]["a"] for e in program.events("proposed")}
    reasons = {label[e["trial"]]: e["reason"] for e in program.events("failed")}
    assert set(reasons) == {"width0", "width1", "width2"}
    assert "failed" in reasons["width0"]
    assert "no 'default'" in reasons["width1"]
    assert "no final result" in reasons["width2"]


def test_forty_trials_at_concurrency_four_have_their_own_scores(tmp_path: Path, warm_python: str) -> None:
    result, _ = outcome(tmp_path, trials=40, concurrency=4, python=first_asks_last(4, 1, warm_python))
    assert (result["ended"], result["status"], len(result["rows"])) == (True, "DONE", 40)
    for row in result["rows"]:
        assert row["metrics"] == [value_of(row["sample"])]
        assert row["shown"] == row["sample"]
    scores = sorted((value_of(row["sample"]) for row in result["rows"]), reverse=True)
    assert len(set(scores)) == 40
    exported = [(value_of(sample), value["default"]) for sample, value in result["exported"]]
    assert sorted(exported, reverse=True) == [(score, score) for score in scores]
    assert [score for score, _ in result["top"]] == scores[:3]
    assert [value_of(sample) for _, sample in result["top"]] == scores[:3]


def test_stock_nni_gives_models_the_scores_of_others(tmp_path: Path, warm_python: str) -> None:
    python = first_asks_last(3, 2, warm_python + " -m nni_strategies.bridge.nas_trial")
    result, program = outcome(tmp_path, trials=6, concurrency=3, stock=True, python=python)
    wrong = [row for row in result["rows"] if row["metrics"] != [value_of(row["sample"])]]
    assert len(wrong) >= 2  # NNI's rows
    assert [score for score, _ in result["top"]] == [value_of(sample) for _, sample in result["top"]]  # ours
    configurations = {e["trial"]: e["configuration"] for e in program.events("proposed")}
    assert all(e["value"] == value_of(configurations[e["trial"]]) for e in program.events("finished"))


def test_sequence_without_nni_is_that_of_the_seed() -> None:
    assert uninterrupted(4) == uninterrupted(6)[:4]
    assert np.unique([value_of(c) for c in uninterrupted(64)]).size == 64
