"""An experiment's folder as NNI 3.0 leaves it: its database has NNI's own schema."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.report.records import ExperimentRecord, TrialRecord
from tests.nni_tables import SCHEMA

OPERATIONS = ("conv_3x3", "skip_connect", "none")


class NNIFolder:
    """Writes what the manager writes; times are seconds after the start."""

    def __init__(self, directory: Path, profile: dict[str, Any], ended: float | None = 1000.0) -> None:
        self.directory = directory
        (directory / "db").mkdir(parents=True)
        self.connection = sqlite3.connect(directory / "db" / "nni.sqlite")
        self.connection.executescript(SCHEMA)
        for revision in (1, 2):  # the manager adds a row whenever the profile changes
            end = None if ended is None or revision == 1 else int(ended * 1000)
            row = (json.dumps(profile), directory.name, 0, 0, end, "", 0, revision)
            self.connection.execute("insert into ExperimentProfile values (?, ?, ?, ?, ?, ?, ?, ?)", row)
        self.connection.commit()

    def event(self, time: float, job: str, event: str, parameter_id: int | None = None, parameters: Any = None) -> None:
        data = "" if parameter_id is None else json.dumps({"parameter_id": parameter_id, "parameters": parameters})
        row = (int(time * 1000), job, event, data, "", 0, None, None)
        self.connection.execute("insert into TrialJobEvent values (?, ?, ?, ?, ?, ?, ?, ?)", row)
        self.connection.commit()

    def metric(self, time: float, job: str, parameter_id: int, value: Any, kind: str = "FINAL") -> None:
        row = (int(time * 1000), job, str(parameter_id), kind, 0, json.dumps(json.dumps(value)))
        self.connection.execute("insert into MetricData values (?, ?, ?, ?, ?, ?)", row)
        self.connection.commit()


@pytest.fixture
def nni_folder(tmp_path: Path) -> Callable[..., NNIFolder]:
    made: list[NNIFolder] = []

    def make(name: str = "abcd1234", profile: dict[str, Any] | None = None, ended: float | None = 1000.0) -> NNIFolder:
        made.append(NNIFolder(tmp_path / "experiments" / name, profile or {"experimentName": "an experiment"}, ended))
        return made[-1]

    return make


@pytest.fixture(scope="session")
def nni_folder_class() -> type[NNIFolder]:
    return NNIFolder


def record_of(metrics: list[float | None], *, maximize: bool = True, **fields: Any) -> ExperimentRecord:
    """An experiment of one trial a second on two slots; None is a failure; the first three are random."""
    trials = tuple(
        TrialRecord(
            id=i,
            configuration={"cell.edge_0_1": OPERATIONS[i % 3], "cell.edge_1_2": OPERATIONS[i % 2], "lr": 0.1 * (i % 5)},
            metric=metric,
            metrics={} if metric is None else {"default": metric, "params": 100 * (i % 7), "note": "</script>"},
            phase="initial" if i < 3 else "search",
            status="failed" if metric is None else "finished",
            failure="<b>out of memory</b>" if metric is None else None,
            nni_ids=(f"J{i}",),
            started=1000.0 + i,
            ended=1002.0 + i,
            intermediates=() if metric is None else (metric / 2, metric),
        )
        for i, metric in enumerate(metrics)
    )
    known = {"name": "a <small> experiment", "algorithm": "LaNAS", "config": {}, "seed": 1, "started": 999.0}
    return ExperimentRecord(id="abcd1234", maximize=maximize, trials=trials, **{**known, **fields})


@pytest.fixture
def make_record() -> Callable[..., ExperimentRecord]:
    return record_of
