"""Guided NAS experiments on the local training service: what NNI receives is P and TG, also after a kill."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # where trials find guided_space too
import nni_strategies.bridge.torchvision_first  # noqa: E402, F401

# isort: split
from guided_space import accuracy  # noqa: E402
from nni.nas.space import RawFormatModelSpace  # noqa: E402

from tests.integration.nas_program import Program  # noqa: E402
from tests.integration.nni_experiment import poll  # noqa: E402
from tests.integration.rsa_runs import LAYERS, check_tg, history, make_teacher, warm_python  # noqa: E402
from tests.rsa.small_space import SmallSpace  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def python() -> Iterator[str]:
    with warm_python() as command:
        yield command


def program(folder: Path, python: str, **wanted: object) -> Program:
    """Return ``run_guided_nas.py`` with a teacher."""
    teacher = make_teacher(folder / "teacher")
    return Program("run_guided_nas.py", folder, python=python, teacher=teacher, **wanted)


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
            check_tg(program.wanted["teacher"], rows[-1].network, program.folder / "nas", trial, metrics[0])
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
    with program(tmp_path, python, trials=6, strategy="TPE", lightning=False, options=options) as running:
        running.start()
        rows = check_rows(running.result(), running, 2.0)
    for row in rows:  # P says which rate it was trained with
        assert row.shown["P"] == pytest.approx(0.1 + row.sample["rate"])
    assert {row.sample["rate"] for row in rows} == {0.1, 0.3}


def test_lanas_with_lightning_goes_on_after_a_kill(tmp_path: Path, python: str) -> None:
    options = {"mode": "scaled", "stop_mode": "flag"}
    with program(tmp_path, python, trials=6, strategy="LaNAS", lightning=True, options=options) as running:
        running.start()
        poll(lambda: len(running.events("finished")) >= 2, 200, "two results are in the journal")
        running.kill()
        running.start()
        rows = check_rows(running.result(), running, 0.0)  # the first ten trials report P alone
        judged = [line["trial"] for line in history(running.folder / "nas") if line["judged"]]
        assert set(judged) == {row.trial for row in rows}  # before and after
    for row in rows:
        assert row.shown["P"] == pytest.approx(accuracy(row.network))
