"""The assessor for `nnictl`: ends trials that are among the worst at the same point, by P, by TG or by both.

::

    assessor:
      className: nni_strategies.rsa.assessor.TeacherGuidedAssessor     # or `name: TeacherGuided` once registered
      codeDirectory: .
      classArgs: {key: TG, quantile: 0.3}

NNI ends such a trial without a result for the tuner; a trial that stops itself (`stop` of
:class:`~nni_strategies.rsa.trial.Guide`) reports what it has, which a tuner learns more from.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from nni.assessor import Assessor, AssessResult

from nni_strategies.errors import InvalidArgument

_logger = logging.getLogger(__name__)


class TeacherGuidedAssessor(Assessor):  # type: ignore[misc]  # NNI has no types
    """Stops below a quantile of what completed trials had at the same intermediate result.

    Parameters
    ----------
    optimize_mode
        ``maximize`` or ``minimize``: of `key`, where that is ``default``; P and TG are always maximised.
    key
        The entry of the reported dictionary that is looked at: ``default``, ``P``, ``TG``, ``TG:<layer>``, ….
    start_step
        The first intermediate result, from 1, at which trials are stopped.
    quantile
        Of the completed trials' values.
    min_trials
        So many have to be completed.
    margin
        By how much a trial has to be below.

    Raises
    ------
    InvalidArgument
        A value out of its range.
    """

    def __init__(
        self,
        optimize_mode: str = "maximize",
        key: str = "default",
        start_step: int = 1,
        quantile: float = 0.3,
        min_trials: int = 10,
        margin: float = 0.0,
    ) -> None:
        if optimize_mode not in ("maximize", "minimize"):
            allowed = ("maximize", "minimize")
            raise InvalidArgument("optimize_mode", optimize_mode, f"one of {list(allowed)}", allowed)
        for name, value in (("start_step", start_step), ("min_trials", min_trials)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidArgument(name, value, "a positive integer")
        if isinstance(quantile, bool) or not isinstance(quantile, (int, float)) or not 0.0 < quantile < 1.0:
            raise InvalidArgument("quantile", quantile, "a number between 0 and 1")
        if isinstance(margin, bool) or not isinstance(margin, (int, float)) or not margin >= 0.0:
            raise InvalidArgument("margin", margin, "a number of at least 0")
        if not isinstance(key, str):
            raise InvalidArgument("key", key, "a string")
        self._sign = -1.0 if optimize_mode == "minimize" and key == "default" else 1.0
        self._key, self._start, self._quantile = key, start_step, float(quantile)
        self._min_trials, self._margin = min_trials, float(margin)
        self._running: dict[str, list[float]] = {}
        self._completed: list[list[float]] = []
        self._warned = False

    def assess_trial(self, trial_job_id: str, trial_history: list[Any]) -> AssessResult:
        """Say whether a trial may go on; whatever was reported, nothing is raised into NNI."""
        values = [self._value(metric) for metric in trial_history]
        self._running[trial_job_id] = values
        step = len(values)
        known = [done[step - 1] for done in self._completed if len(done) >= step and math.isfinite(done[step - 1])]
        best = max((value for value in values if math.isfinite(value)), default=math.nan)
        if step < max(self._start, 1) or len(known) < self._min_trials or math.isnan(best):
            return AssessResult.Good
        worse = best < float(np.quantile(known, self._quantile)) - self._margin
        return AssessResult.Bad if worse else AssessResult.Good

    def trial_end(self, trial_job_id: str, success: bool) -> None:
        """Keep what a completed trial had."""
        values = self._running.pop(trial_job_id, None)
        if success and values is not None:
            self._completed.append(values)

    def _value(self, metric: Any) -> float:
        if isinstance(metric, Mapping):
            if self._key not in metric and not self._warned:
                self._warned = True
                told = InvalidArgument("assessor key", self._key, f"one of {list(metric)}", map(str, metric))
                _logger.warning("no trial is stopped: %s", told)
            metric = metric.get(self._key, math.nan)
        elif self._key != "default":
            return math.nan
        try:
            return self._sign * float(metric)
        except (TypeError, ValueError):
            return math.nan
