"""The rows of NNI's database: decoded as NNI packs them, in the order they were written, never written to."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nni_strategies.nni_database import Profile, open_database, read_events, read_metrics, read_profile
from tests.nni_tables import SCHEMA


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a folder with # and ?" / "nni.sqlite"
    file.parent.mkdir()
    packed = json.dumps({"parameter_id": 3, "parameters": {"x": 1, "_shown": "a line for people"}})
    with closing(sqlite3.connect(file)) as database, database:
        database.executescript(SCHEMA)
        event = "insert into TrialJobEvent (timestamp, trialJobId, event, data) values (?, ?, ?, ?)"
        running, waiting = (2500, "A", "RUNNING", packed), (1000, "B", "WAITING", "")
        rows = [running, waiting, (3000, "", "x", ""), (3000, "A", "FAILED", "{")]
        database.executemany(event, rows)
        metric = "insert into MetricData (timestamp, trialJobId, parameterId, type, data) values (?, ?, ?, ?, ?)"
        twice = json.dumps(json.dumps({"default": 0.5}))
        on_the_way, final = (1, "A", "3", "PERIODICAL", "0.25"), (2, "A", "3", "FINAL", twice)
        metrics = [on_the_way, final, (3, "B", None, "FINAL", "no JSON")]
        database.executemany(metric, metrics)
        profile = "insert into ExperimentProfile (params, startTime, endTime, revision) values (?, ?, ?, ?)"
        database.executemany(profile, [('{"a": 2}', 1500, None, 2), ('{"a": 1}', 1500, None, 1)])
    return file


def test_events_keep_the_order_they_were_written_in(path: Path):
    with open_database(path, patience=1.0) as database:
        events = read_events(database)
    assert [(e.time, e.job, e.kind, e.parameter_id, e.parameters) for e in events] == [
        (2.5, "A", "RUNNING", 3, {"x": 1}),
        (1.0, "B", "WAITING", None, None),
        (3.0, "A", "FAILED", None, None),
    ]


def test_metrics_are_unpacked(path: Path):
    with open_database(path, patience=1.0) as database:
        every, final = read_metrics(database), read_metrics(database, final_only=True)
    assert [(m.kind, m.parameter_id, m.value) for m in every] == [
        ("PERIODICAL", 3, 0.25),
        ("FINAL", 3, {"default": 0.5}),
        ("FINAL", None, "no JSON"),
    ]
    assert final == every[1:]


def test_the_profile_is_the_latest(path: Path):
    with open_database(path, patience=1.0) as database:
        assert read_profile(database) == Profile({"a": 2}, 1.5, None)


def test_nothing_can_be_written(path: Path):
    with open_database(path, patience=1.0) as database, pytest.raises(sqlite3.OperationalError, match="readonly"):
        database.execute("delete from MetricData")


def test_a_missing_database_is_not_made(tmp_path: Path):
    with pytest.raises(sqlite3.OperationalError), open_database(tmp_path / "nni.sqlite", patience=1.0):
        pass
    assert not (tmp_path / "nni.sqlite").exists()
