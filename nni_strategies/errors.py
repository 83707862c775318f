"""The errors of the suite: one small hierarchy, one way of saying what is wrong.

Every bad argument is an :class:`InvalidArgument` (hence a ``ValueError``) whose message names the field,
the value that was given, what is allowed and, where names are concerned, the nearest valid one.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

_LONGEST_VALUE = 120


class NNIStrategiesError(Exception):
    """Base of everything this package raises on purpose."""


class InvalidArgument(NNIStrategiesError, ValueError):
    """A value that cannot be used, found before any work started.

    Parameters
    ----------
    field
        Where the value was given: an argument's name, or a path such as ``search_space.lr._value``.
    value
        The value that was given.
    allowed
        What would have been allowed, in words.
    names
        The valid names, when `value` was meant to be one of them; the nearest is suggested.
    """

    def __init__(self, field: str, value: Any, allowed: str, names: Iterable[str] = ()) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        self.nearest = nearest_name(value, names)
        hint = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        super().__init__(f"{field} = {shorten(value)}: {allowed}{hint}")


class InvalidSearchSpace(InvalidArgument):
    """A search space that cannot be searched."""


class InvalidConfiguration(InvalidArgument):
    """A configuration that is not a point of its search space."""


class TopologyUnreadable(NNIStrategiesError):
    """An architecture whose topology cannot be extracted; the message names what could not be read."""


class SpaceExhausted(NNIStrategiesError):
    """Every point of a finite space was proposed; not a fault, the search is complete."""


class TooManyFailures(NNIStrategiesError):
    """So many trials failed in a row that going on would waste the machine."""


class JournalError(NNIStrategiesError):
    """A journal that cannot be read or written; the message names file and line."""

    def __init__(self, path: Path | str, line: int | None, problem: str) -> None:
        self.path = Path(path)
        self.line = line
        where = f"{path}, line {line}" if line is not None else f"{path}"
        super().__init__(f"journal {where}: {problem}")


class JournalBusy(JournalError):
    """A journal that another process is writing."""


class JournalMismatch(JournalError):
    """A journal that belongs to another space, algorithm, configuration or seed."""


class DataMissing(NNIStrategiesError):
    """A data file that is not on this machine; the message says how to point at it."""


def refuse_unknown(field: str, given: Iterable[str], names: Collection[str], what: str = "fields") -> None:
    """Refuse the first name that is not one of the valid ones; the nearest of them is suggested.

    Parameters
    ----------
    field
        Where the names were given.
    given
        Such as the keys of a JSON object.
    names
        The valid ones.
    what
        What they are names of.

    Raises
    ------
    InvalidArgument
        There is such a name.
    """
    for name in given:
        if name not in names:
            raise InvalidArgument(field, name, f"{what} {list(names)}", names)


def nearest_name(value: Any, names: Iterable[str]) -> str | None:
    """Return the valid name that looks most like `value`, or None when none does."""
    candidates = [str(name) for name in names]
    folded = {name.lower(): name for name in reversed(candidates)}
    close = difflib.get_close_matches(str(value).lower(), list(folded), n=1, cutoff=0.5)
    return folded[close[0]] if close else None


def shorten(value: Any) -> str:
    """Return `value` as one short line for a message."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
