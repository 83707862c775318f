"""The events of a journal, each looked at before a report relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nni_strategies.errors import JournalError, shorten
from nni_strategies.search.journal import Event, read
from nni_strategies.search.metrics import is_plain_number


def read_events(path: Path) -> list[Event]:
    """Read a journal of which a report is made.

    Raises
    ------
    JournalError
        It cannot be read, or an event lacks what a report needs of its kind; the message names file and line.
    """
    events = read(path)[0]
    for line, event in enumerate(events, start=1):
        problem = _problem(event, first=line == 1)
        if problem is not None:
            raise JournalError(path, line, f"{problem}: {shorten(event)}")
    return events


def _problem(event: Event, *, first: bool) -> str | None:
    """Say what a report cannot make sense of in an event; None for nothing."""
    kind = event["event"]
    if "time" in event and not is_plain_number(event["time"]):
        return "the time is no number"
    if first:
        return None if isinstance(event.get("config", {}), Mapping) else "the config is no JSON object"
    if kind not in ("proposed", "issued", "finished", "failed"):
        return None  # of no matter for a report
    if not _is_integer(event.get("trial")):
        return f"is {kind!r} without the number of a trial"
    if kind == "proposed" and not isinstance(event.get("configuration"), Mapping):
        return "is 'proposed' without a configuration"
    if kind == "proposed" and not isinstance(event.get("phase", "search"), str):
        return "is 'proposed' in a phase that is no text"
    if kind == "issued" and event.get("parameter_id") is not None and not _is_integer(event["parameter_id"]):
        return "is 'issued' with a parameter_id that is no integer"
    if kind == "finished" and not is_plain_number(event.get("value")):
        return "is 'finished' without a finite value"
    if kind in ("finished", "failed") and not isinstance(event.get("metrics", {}), Mapping):
        return "has metrics that are no JSON object"
    if kind == "failed" and not isinstance(event.get("reason") or "", str):
        return "is 'failed' with a reason that is no text"
    return None


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
