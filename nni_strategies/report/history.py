"""NNI's own SQLite file, read without writing to it.

NNI 3.0 records wrong pairs of trial and parameters when local trials run at a time. What a trial *reports* carries
the parameter id it really ran, so metrics decide which parameters a trial had, and the trial's own row only where
it reported nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nni_strategies.errors import DataMissing

#: Statuses in which a trial will not change any more.
ENDED = frozenset(["SUCCEEDED", "FAILED", "USER_CANCELED", "SYS_CANCELED", "EARLY_STOPPED"])


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
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            events = connection.execute(
                "select timestamp, trialJobId, event, data from TrialJobEvent order by timestamp, rowid"
            ).fetchall()
            metrics = connection.execute(
                "select timestamp, trialJobId, parameterId, type, data from MetricData order by timestamp, rowid"
            ).fetchall()
            profile = connection.execute(
                "select params, startTime, endTime from ExperimentProfile order by revision desc limit 1"
            ).fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise DataMissing(f"{path} cannot be read: {error}") from error
    params, started, ended = profile or (None, None, None)
    profile_json = _json(params)
    jobs = _jobs(events, metrics)
    return History(profile_json if isinstance(profile_json, dict) else {}, _seconds(started), _seconds(ended), jobs)


def _jobs(events: list[tuple[Any, ...]], metrics: list[tuple[Any, ...]]) -> tuple[Job, ...]:
    issued: dict[int, list[tuple[int, Any]]] = {}  # parameter id -> when it stood for what: ids restart after a resume
    rows: dict[str, list[tuple[int, str, Any]]] = {}
    for timestamp, job, event, data in events:
        content = _json(data)
        if isinstance(content, dict) and content.get("parameter_id") is not None:
            issued.setdefault(int(content["parameter_id"]), []).append((int(timestamp), content.get("parameters")))
        rows.setdefault(job, []).append((int(timestamp), event, content))
    reported: dict[str, list[tuple[int, int | None, str, Any]]] = {}
    for timestamp, job, parameter_id, kind, data in metrics:
        number = int(parameter_id) if str(parameter_id).isdigit() else None
        reported.setdefault(job, []).append((int(timestamp), number, kind, _json(_json(data))))
    ran = _parameter_ids(rows, reported)
    jobs = [_job(name, ran[name], history, reported.get(name, []), issued) for name, history in rows.items()]
    return tuple(sorted(jobs, key=lambda job: job.started if job.started is not None else float("inf")))


def _parameter_ids(
    rows: Mapping[str, list[tuple[int, str, Any]]], reported: Mapping[str, list[tuple[int, int | None, str, Any]]]
) -> dict[str, int | None]:
    """Return what each trial ran: what it reported, else what NNI noted unless another trial reported that.

    One trial that is displaced so gets the one id that is left over; of several, nobody can tell which ran which.
    """
    noted: dict[str, int | None] = {}
    for name, history in rows.items():
        ids = [int(c["parameter_id"]) for *_, c in history if isinstance(c, dict) and c.get("parameter_id") is not None]
        noted[name] = ids[0] if ids else None
    told = {name: next((n for _, n, *_ in metrics if n is not None), None) for name, metrics in reported.items()}
    taken = {number for number in told.values() if number is not None}
    displaced = [name for name, number in noted.items() if told.get(name) is None and number in taken]
    left = {number for number in noted.values() if number is not None} - taken
    left -= {number for name, number in noted.items() if told.get(name) is None and number not in taken}
    ran = {name: number if told.get(name) is None else told[name] for name, number in noted.items()}
    for name in displaced:
        ran[name] = next(iter(left)) if len(displaced) == len(left) == 1 else None
    return ran


def _job(
    name: str,
    parameter_id: int | None,
    history: list[tuple[int, str, Any]],
    reported: list[tuple[int, int | None, str, Any]],
    issued: Mapping[int, list[tuple[int, Any]]],
) -> Job:
    last_seen = max([*(row[0] for row in history), *(row[0] for row in reported)])
    versions = issued.get(parameter_id, []) if parameter_id is not None else []
    earlier = [parameters for timestamp, parameters in versions if timestamp <= last_seen]
    started = [timestamp for timestamp, event, _ in history if event == "RUNNING"]
    ended = [timestamp for timestamp, event, _ in history if event in ENDED]
    return Job(
        id=name,
        parameter_id=parameter_id,
        parameters=earlier[-1] if earlier else (versions[0][1] if versions else None),
        status=history[-1][1],
        started=_seconds(started[0] if started else None),
        ended=_seconds(ended[-1] if ended else None),
        intermediates=tuple(value for _, _, kind, value in reported if kind == "PERIODICAL"),
        final=next((value for _, _, kind, value in reversed(reported) if kind == "FINAL"), None),
    )


def sample_of(parameters: Any) -> dict[str, Any] | None:
    """Return the configuration in a trial's parameters: they themselves, or the ``sample`` of a NAS model."""
    if not isinstance(parameters, Mapping):
        return None
    sample = parameters.get("sample")
    is_model = "model_symbol" in parameters or "__nni_type__" in parameters
    return dict(sample) if is_model and isinstance(sample, Mapping) else (None if is_model else dict(parameters))


def _json(text: Any) -> Any:
    if not isinstance(text, str) or not text:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _seconds(milliseconds: Any) -> float | None:
    try:
        return float(milliseconds) / 1000
    except (TypeError, ValueError):
        return None
