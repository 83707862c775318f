"""NNI's own SQLite file, read without writing to it.

NNI 3.0 records wrong pairs of trial and parameters when local trials run at a time. What a trial *reports* carries
the parameter id it really ran, so metrics decide which parameters a trial had, and the trial's own row only where
it reported nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nni_strategies.errors import DataMissing
from nni_strategies.nni_database import (
    ReportedMetric,
    TrialEvent,
    open_database,
    read_events,
    read_metrics,
    read_profile,
)

#: Statuses in which a trial will not change any more.
ENDED = frozenset(["SUCCEEDED", "FAILED", "USER_CANCELED", "SYS_CANCELED", "EARLY_STOPPED"])

_PATIENCE = 10.0  # seconds to wait for the manager's write lock


@dataclass(frozen=True)
class Job:
    """One trial as NNI ran it.

    Parameters
    ----------
    id
        NNI's trial id.
    parameter_id
        The parameter id it reported, else the one NNI noted; None for neither.
    parameters
        What this parameter id stood for when the trial ran.
    status
        ``RUNNING``, ``SUCCEEDED``, ``FAILED``, …
    started, ended
        Seconds since the epoch; None when it has not.
    intermediates
        What it reported on the way, in order.
    final
        What it reported in the end; None for nothing.
    """

    id: str
    parameter_id: int | None
    parameters: Any
    status: str
    started: float | None
    ended: float | None
    intermediates: tuple[Any, ...]
    final: Any


@dataclass(frozen=True)
class History:
    """What NNI's database says.

    Parameters
    ----------
    profile
        The experiment's configuration, as NNI keeps it.
    started, ended
        Seconds since the epoch; None when it has not.
    jobs
        The trials in the order of their start.
    """

    profile: Mapping[str, Any]
    started: float | None
    ended: float | None
    jobs: tuple[Job, ...]


def read_history(path: Path) -> History:
    """Read NNI's database.

    Raises
    ------
    DataMissing
        It cannot be read.
    """
    try:
        with open_database(path, patience=_PATIENCE) as database:
            profile, events, metrics = read_profile(database), read_events(database), read_metrics(database)
    except sqlite3.Error as error:
        raise DataMissing(f"{path} cannot be read: {error}") from error
    params = profile.params if isinstance(profile.params, dict) else {}
    return History(params, profile.started, profile.ended, _jobs(events, metrics))


def _jobs(events: Sequence[TrialEvent], metrics: Sequence[ReportedMetric]) -> tuple[Job, ...]:
    issued: dict[int, list[TrialEvent]] = {}  # parameter id -> when it stood for what: ids restart after a resume
    rows: dict[str, list[TrialEvent]] = {}
    for event in events:
        if event.parameter_id is not None:
            issued.setdefault(event.parameter_id, []).append(event)
        rows.setdefault(event.job, []).append(event)
    reported: dict[str, list[ReportedMetric]] = {}
    for metric in metrics:
        reported.setdefault(metric.job, []).append(metric)
    ran = _parameter_ids(rows, reported)
    jobs = [_job(name, ran[name], history, reported.get(name, []), issued) for name, history in rows.items()]
    return tuple(sorted(jobs, key=lambda job: job.started if job.started is not None else float("inf")))


def _parameter_ids(
    rows: Mapping[str, Sequence[TrialEvent]], reported: Mapping[str, Sequence[ReportedMetric]]
) -> dict[str, int | None]:
    """Return what each trial ran: what it reported, else what NNI noted unless another trial reported that.

    One trial that is displaced so gets the one id that is left over; of several, nobody can tell which ran which.
    """
    noted = {name: _first_id(history) for name, history in rows.items()}
    told = {name: _first_id(metrics) for name, metrics in reported.items()}
    taken = {number for number in told.values() if number is not None}
    displaced = [name for name, number in noted.items() if told.get(name) is None and number in taken]
    left = {number for number in noted.values() if number is not None} - taken
    left -= {number for name, number in noted.items() if told.get(name) is None and number not in taken}
    ran = {name: number if told.get(name) is None else told[name] for name, number in noted.items()}
    for name in displaced:
        ran[name] = next(iter(left)) if len(displaced) == len(left) == 1 else None
    return ran


def _first_id(rows: Sequence[TrialEvent] | Sequence[ReportedMetric]) -> int | None:
    return next((row.parameter_id for row in rows if row.parameter_id is not None), None)


def _job(
    name: str,
    parameter_id: int | None,
    history: Sequence[TrialEvent],
    reported: Sequence[ReportedMetric],
    issued: Mapping[int, Sequence[TrialEvent]],
) -> Job:
    last_seen = max([*(event.time for event in history), *(metric.time for metric in reported)])
    versions = issued.get(parameter_id, []) if parameter_id is not None else []
    earlier = [version.parameters for version in versions if version.time <= last_seen]
    return Job(
        id=name,
        parameter_id=parameter_id,
        parameters=earlier[-1] if earlier else (versions[0].parameters if versions else None),
        status=history[-1].kind,
        started=next((event.time for event in history if event.kind == "RUNNING"), None),
        ended=next((event.time for event in reversed(history) if event.kind in ENDED), None),
        intermediates=tuple(metric.value for metric in reported if metric.kind == "PERIODICAL"),
        final=next((metric.value for metric in reversed(reported) if metric.kind == "FINAL"), None),
    )


def sample_of(parameters: Any) -> dict[str, Any] | None:
    """Return the configuration in a trial's parameters: they themselves, or the ``sample`` of a NAS model."""
    if not isinstance(parameters, Mapping):
        return None
    sample = parameters.get("sample")
    is_model = "model_symbol" in parameters or "__nni_type__" in parameters
    return dict(sample) if is_model and isinstance(sample, Mapping) else (None if is_model else dict(parameters))
