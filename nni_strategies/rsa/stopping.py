"""Stop a candidate early when it is among the worst of what earlier trials had reached at the same point.

NNI has no assessors in NAS experiments, and in the others an assessor ends a trial without any result for the tuner; a
trial that stops itself reports what it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nni_strategies.errors import InvalidArgument, refuse_unknown


@dataclass(frozen=True)
class StopRule:
    """Below a quantile of earlier trials.

    Parameters
    ----------
    at
        Intermediate result, from 1, at which it is decided.
    quantile
        Of the values earlier trials had there; a candidate below it stops.
    min_trials
        So many earlier trials have to have come so far.

    Raises
    ------
    InvalidArgument
        A value out of its range.
    """

    at: int = 1
    quantile: float = 0.3
    min_trials: int = 10

    def __post_init__(self) -> None:
        for name in ("at", "min_trials"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidArgument(f"stop.{name}", value, "a positive integer")
        if not isinstance(self.quantile, (int, float)) or not 0.0 < self.quantile < 1.0:
            raise InvalidArgument("stop.quantile", self.quantile, "a number between 0 and 1")

    @classmethod
    def from_json(cls, given: Any) -> StopRule | None:
        """Read a dictionary of the fields, or None.

        Raises
        ------
        InvalidArgument
            An unknown field, or a value out of its range.
        """
        if given is None or isinstance(given, cls):
            return given
        names = tuple(cls.__dataclass_fields__)
        if not isinstance(given, dict):
            raise InvalidArgument("stop", given, f"an object with {list(names)}, or null")
        refuse_unknown("stop", given, names)
        return cls(**given)

    def stops(self, step: int, value: float, others: Sequence[float]) -> bool:
        """Whether a candidate is to stop.

        Parameters
        ----------
        step
            It is at.
        value
            It has there, higher being better.
        others
            What other trials had at the same step, valued alike.
        """
        if step != self.at or len(others) < self.min_trials:
            return False
        return value < float(np.quantile(others, self.quantile))
