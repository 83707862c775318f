"""NNI's own record of an experiment, ``<folder>/db/nni.sqlite``: its rows, read without ever writing to it.

What the rows mean for a search that is resumed says :mod:`nni_strategies.bridge.nni_record`, what they mean for a
reader of reports :mod:`nni_strategies.report.history`. Needs no NNI.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHOWN = "_shown"  # a key beside a trial's parameters: a line for who looks at the web UI, no part of the configuration


@dataclass(frozen=True)
class TrialEvent:
    """Something that happened to a trial.

    Parameters
    ----------
    time
        Seconds since the epoch.
    job
        NNI's trial id.
    kind
        ``WAITING``, ``RUNNING``, ``SUCCEEDED``, ``ADD_HYPERPARAMETER``, ``ADD_RESUMED``, …
    parameter_id
        The number of the parameters NNI noted with it; None for none.
    parameters
        Those parameters; None for none.
    """

    time: float
    job: str
    kind: str
    parameter_id: int | None
    parameters: Any


@dataclass(frozen=True)
class ReportedMetric:
    """What a trial reported; the parameter id is the one the trial itself had, so it is always right.

    Parameters
    ----------
    time
        Seconds since the epoch.
    job
        NNI's trial id.
    parameter_id
        None where the trial gave no number.
    kind
        ``PERIODICAL`` or ``FINAL``.
    value
        As it was reported; text where it is no JSON.
    """

    time: float
    job: str
    parameter_id: int | None
    kind: str
    value: Any


@dataclass(frozen=True)
class Profile:
    """The experiment's configuration as NNI keeps it, and when it ran in seconds since the epoch."""

    params: Any
    started: float | None
    ended: float | None


@contextmanager
def open_database(path: Path | str, *, patience: float) -> Iterator[sqlite3.Connection]:
    """Open NNI's database for reading.

    Parameters
    ----------
    path
        ``nni.sqlite``.
    patience
        How long to wait for the manager's write lock, in seconds.

    Raises
    ------
    sqlite3.Error
        It is missing, locked for longer, or no database; also while it is read.
    """
    uri = f"{Path(path).resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=patience)) as database:
        yield database


def read_events(database: sqlite3.Connection) -> list[TrialEvent]:
    """Return what happened to trials, in the order NNI wrote it down."""
    rows = database.execute("select timestamp, trialJobId, event, data from TrialJobEvent order by rowid")
    events = []
    for milliseconds, job, kind, data in rows:
        if job:
            content = _decoded(data)
            noted = content if isinstance(content, dict) else {}
            number = _number(noted.get("parameter_id"))
            parameters = without_shown(noted.get("parameters"))
            events.append(TrialEvent(_seconds(milliseconds) or 0.0, job, kind, number, parameters))
    return events


def without_shown(parameters: Any) -> Any:
    """Return a trial's parameters without the line that is only shown beside them."""
    if isinstance(parameters, Mapping) and SHOWN in parameters:
        return {name: value for name, value in parameters.items() if name != SHOWN}
    return parameters


def read_metrics(database: sqlite3.Connection, *, final_only: bool = False) -> list[ReportedMetric]:
    """Return what trials reported, in the order it arrived."""
    chosen = "where type = 'FINAL' " if final_only else ""
    rows = database.execute(
        f"select timestamp, trialJobId, parameterId, type, data from MetricData {chosen}order by rowid"
    )
    return [
        # NNI stores JSON in a JSON string.
        ReportedMetric(_seconds(milliseconds) or 0.0, job, _number(number), kind, _decoded(_decoded(data)))
        for milliseconds, job, number, kind, data in rows
    ]


def read_profile(database: sqlite3.Connection) -> Profile:
    """Return the experiment's latest profile."""
    row = database.execute("select params, startTime, endTime from ExperimentProfile order by revision desc limit 1")
    params, started, ended = row.fetchone() or (None, None, None)
    return Profile(_decoded(params), _seconds(started), _seconds(ended))


def _decoded(text: Any) -> Any:
    """Return the JSON in a text, or the text itself where there is none."""
    if not isinstance(text, str) or not text:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _number(value: Any) -> int | None:
    return int(value) if str(value).isdigit() else None


def _seconds(milliseconds: Any) -> float | None:
    try:
        return float(milliseconds) / 1000
    except (TypeError, ValueError):
        return None
