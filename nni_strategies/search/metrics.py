"""What a trial reports, made into a value or a failure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nni_strategies.errors import shorten

_LONGEST_TEXT = 2_000  # of an extra metric: the journal is no place for logs


@dataclass(frozen=True)
class Outcome:
    """A value to maximise, or why there is none.

    Parameters
    ----------
    value
        Higher is better; None for a failure.
    metrics
        What was reported, reduced to finite numbers and short JSON values, not negated.
    failure
        Why there is no value.
    """

    value: float | None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    failure: str | None = None


def is_plain_number(value: Any) -> bool:
    """Whether `value` is a finite number as a journal has it; an integer of hundreds of digits is none."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def read_metric(metric: Any, *, maximize: bool = True) -> Outcome:
    """Turn any metric NNI can deliver into an :class:`Outcome`; never raises.

    Parameters
    ----------
    metric
        A number, a numeric string, a dictionary with ``default``, or anything else (a failure).
    maximize
        False negates the value.
    """
    try:
        return _read(metric, maximize)
    except Exception as error:  # a user's object may raise anything, and nothing may reach NNI
        return Outcome(None, {}, f"the metric, a {type(metric).__name__}, cannot be read: {type(error).__name__}")


def _read(metric: Any, maximize: bool) -> Outcome:
    extras = metric if isinstance(metric, Mapping) else {}
    metrics = {str(key): plain for key, value in extras.items() if (plain := _plain(value)) is not None}
    if isinstance(metric, Mapping):
        if "default" not in metric:
            return Outcome(None, metrics, f"the metric has no 'default': {shorten(metric)}")
        metric = metric["default"]
    number = _number(metric)
    if number is None or not math.isfinite(number):
        return Outcome(None, metrics, f"the metric is {shorten(metric)}, not a finite number")
    return Outcome(number if maximize else -number, {**metrics, "default": number})


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, (list, tuple, dict, bytes)) or getattr(value, "ndim", None):
        return None
    try:
        return float(value)  # also numpy scalars, 0-d tensors, booleans and numeric strings
    except Exception:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, (str, bool)):
        return value if isinstance(value, bool) or len(value) <= _LONGEST_TEXT else None
    number = _number(value)
    if number is not None:
        return (int(value) if isinstance(value, int) else number) if math.isfinite(number) else None
    try:
        text = json.dumps(value, allow_nan=False)
    except Exception:
        return None
    return json.loads(text) if len(text) <= _LONGEST_TEXT else None
