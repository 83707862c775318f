"""What NNI recorded of an experiment, as a resumed search needs it: its trials, and the results they reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nni_strategies.nni_database import open_database, read_events, read_metrics

UNFINISHED = ("WAITING", "RUNNING", "ADD_RESUMED")
STOPPED = ("EARLY_STOPPED", "USER_CANCELED")  # local trials that an assessor stops, or a signal, are USER_CANCELED

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


def stopped(record: Record) -> set[int]:
    """Return the parameter ids whose last trial NNI stopped, for an assessor, a user or a time limit."""
    last = {job.parameter_id: job.status for job in record.jobs.values() if job.parameter_id is not None}
    return {parameter_id for parameter_id, status in last.items() if status in STOPPED}


def read_record(path: Path | str) -> Record:
    """Read NNI's database.

    Raises
    ------
    sqlite3.Error
        It is missing, locked for longer than a tuner may wait, or not NNI's.
    """
    with open_database(path, patience=_PATIENCE) as database:
        events, metrics = read_events(database), read_metrics(database, final_only=True)
    jobs: dict[str, Job] = {}
    for event in events:
        job = jobs.get(event.job, Job(event.job, event.kind))
        if event.kind != "ADD_HYPERPARAMETER":
            job = replace(job, status="USER_CANCELED" if event.kind == "USER_TO_CANCEL" else event.kind)
        if event.kind == "ADD_RESUMED":
            job = replace(job, resumed_at=event.time)
        if isinstance(event.parameters, dict) and job.parameters is None:
            job = replace(job, parameter_id=event.parameter_id, parameters=event.parameters)
        jobs[event.job] = job
    finals = [Final(m.job, m.parameter_id, m.time, m.value) for m in metrics if m.parameter_id is not None]
    return Record(jobs, tuple(finals))
