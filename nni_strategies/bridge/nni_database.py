"""NNI's own record of an experiment, ``<folder>/db/nni.sqlite``, read without ever writing to it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

UNFINISHED = ("WAITING", "RUNNING", "ADD_RESUMED")

_PATIENCE = 0.8  # seconds to wait for the manager's write lock; a tuner's call must stay under one


@dataclass(frozen=True)
class Job:
    """One trial as NNI sees it.

    Parameters
    ----------
    id
        NNI's, five letters; survives a resume.
    status
        Its latest event, e.g. ``SUCCEEDED``; one of :data:`UNFINISHED` while it has no end.
    parameter_id
        The number its parameters were given under; None for one that a user added.
    parameters
        What NNI *recorded* for it. On a manager that mixes pairs this is not what it ran with.
    resumed_at
        When a resumed manager last took it up again, in seconds since the epoch; None for never.
    """

    id: str
    status: str
    parameter_id: int | None = None
    parameters: Mapping[str, Any] | None = None
    resumed_at: float | None = None

    @property
    def unfinished(self) -> bool:
        """Whether NNI runs it, or will."""
        return self.status in UNFINISHED


@dataclass(frozen=True)
class Final:
    """One final result: the parameter id is the one the trial itself reported, so it is always right."""

    job: str
    parameter_id: int
    time: float  # seconds since the epoch
    metric: Any


@dataclass(frozen=True)
class Record:
    """Everything a recovery needs of NNI's database."""

    jobs: Mapping[str, Job]
    finals: tuple[Final, ...]


def read_database(path: Path | str) -> Record:
    """Read NNI's database.

    Raises
    ------
    sqlite3.Error
        It is missing, locked for longer than a tuner may wait, or not NNI's.
    """
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_PATIENCE)) as database:
        events = database.execute(
            "select trialJobId, event, data, timestamp from TrialJobEvent order by rowid"
        ).fetchall()
        metrics = database.execute(
            "select trialJobId, parameterId, timestamp, data from MetricData where type = 'FINAL' order by rowid"
        ).fetchall()
    jobs: dict[str, Job] = {}
    for job_id, event, data, milliseconds in events:
        if not job_id:
            continue
        job = jobs.get(job_id, Job(job_id, event))
        if event != "ADD_HYPERPARAMETER":
            job = replace(job, status="USER_CANCELED" if event == "USER_TO_CANCEL" else event)
        if event == "ADD_RESUMED":
            job = replace(job, resumed_at=(milliseconds or 0) / 1000)
        packed = _loads(data)
        if isinstance(packed, dict) and isinstance(packed.get("parameters"), dict) and job.parameters is None:
            job = replace(job, parameter_id=packed.get("parameter_id"), parameters=packed["parameters"])
        jobs[job_id] = job
    finals = []
    for job_id, parameter_id, milliseconds, data in metrics:
        metric = _loads(data)
        if isinstance(metric, str):  # NNI stores JSON in a JSON string
            metric = _loads(metric)
        if parameter_id is not None and str(parameter_id).isdigit():
            finals.append(Final(job_id, int(parameter_id), (milliseconds or 0) / 1000, metric))
    return Record(jobs, tuple(finals))


def _loads(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
