"""Guided NAS experiments on the local training service: what NNI receives is P and TG, also after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.bridge.manager_process import find_managers
from nni_strategies.search.journal import read

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # where trials find guided_space too
import nni_strategies.bridge.torchvision_first  # noqa: E402, F401

# isort: split
from guided_space import accuracy  # noqa: E402
from nni.nas.space import RawFormatModelSpace  # noqa: E402

from tests.integration.nni_experiment import REPOSITORY, free_port, poll  # noqa: E402
from tests.integration.rsa_runs import LAYERS, check_tg, history, make_teacher, warm_python  # noqa: E402
from tests.rsa.small_space import SmallSpace  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def python() -> Iterator[str]:
    with warm_python() as command:
        yield command


class Program:
    """``run_guided_nas.py`` in a process of its own, again and again on the same experiment."""

    def __init__(self, folder: Path, python: str, **wanted: object) -> None:
        self.folder, self.output = folder, folder / "output.txt"
        self.teacher = make_teacher(folder / "teacher")
        self.wanted = {"folder": str(folder), "id": "nas", "teacher": self.teacher, "python": python, **wanted}
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        argument = json.dumps({**self.wanted, "port": free_port()})
        environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{HERE}", "OMP_NUM_THREADS": "1"}
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "run_guided_nas.py", argument],
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

    def finished(self) -> int:
        path = self.folder / "nas" / "checkpoint" / "journal.jsonl"
        return sum(event["event"] == "finished" for event in read(path)[0]) if path.exists() else 0

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        for manager in find_managers("nas", self.folder):
            os.kill(manager.pid, signal.SIGKILL)


def candidate(sample: dict[str, Any]) -> Any:
    """Build the network of a sample."""
    sample = {label: value for label, value in sample.items() if label in ("first", "second")}
    return RawFormatModelSpace.from_model(SmallSpace()).freeze(sample).executable_model()


@dataclass(frozen=True)
class Row:
    """A trial, what NNI shows of it, and the network that it judged."""

    trial: str
    sample: dict[str, Any]
    shown: dict[str, Any]
    network: Any


def check_rows(result: dict[str, Any], program: Program, alpha: float) -> list[Row]:
    """Check what any guided experiment shows: each value is the sum of P and TG, and TG that of the trial's network."""
    assert result["ended"] is True
    rows = []
    for trial, sample, metrics in ((row["trial"], row["sample"], row["metrics"]) for row in result["rows"]):
        if metrics:  # a trial that was killed has none
            rows.append(Row(trial, sample, metrics[0], candidate(sample)))
            check_tg(program.teacher, rows[-1].network, program.folder / "nas", trial, metrics[0])
    assert len(rows) == program.wanted["trials"]
    for shown in (row.shown for row in rows):
        assert {"default", "P", "TG", *(f"TG:{name}" for name in LAYERS)} <= set(shown)
        assert shown["default"] == pytest.approx(shown["P"] + alpha * shown["TG"])
        assert shown["alpha"] == alpha
    best = sorted((row.shown["default"] for row in rows), reverse=True)[:3]
    assert [metric for metric, _ in result["top"]] == pytest.approx(best)
    return rows


def test_tpe_searches_by_the_papers_sum_and_the_evaluators_arguments_too(tmp_path: Path, python: str) -> None:
    options = {"mode": "paper", "alpha": 2.0}
    with Program(tmp_path, python, trials=6, strategy="TPE", lightning=False, options=options) as program:
        program.start()
        rows = check_rows(program.result(), program, 2.0)
    for row in rows:  # P says which rate it was trained with
        assert row.shown["P"] == pytest.approx(0.1 + row.sample["rate"])
    assert {row.sample["rate"] for row in rows} == {0.1, 0.3}


def test_lanas_with_lightning_goes_on_after_a_kill(tmp_path: Path, python: str) -> None:
    options = {"mode": "scaled", "stop_mode": "flag"}
    with Program(tmp_path, python, trials=6, strategy="LaNAS", lightning=True, options=options) as program:
        program.start()
        poll(lambda: program.finished() >= 2, 200, "two results are in the journal")
        program.kill()
        program.start()
        rows = check_rows(program.result(), program, 0.0)  # the first ten trials report P alone
        judged = [line["trial"] for line in history(program.folder / "nas") if line["judged"]]
        assert set(judged) == {row.trial for row in rows}  # before and after
    for row in rows:
        assert row.shown["P"] == pytest.approx(accuracy(row.network))
