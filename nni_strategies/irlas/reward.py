"""The paper's form of guidance: the reward of a trial is its metric and how much it resembles the experts.

    R = T(A, latency) + lam_t S

with A the raw metric (its sign turned where lower is better), T a latency term (:mod:`.latency_terms`) or nothing, and
S the mirror stimuli.
``lam="auto"`` is 0.5 * 0.02 / sd(S): half of the 0.02 by which accuracies in [0, 1] typically differ. lam is fixed
before the first trial, so that rewards stay comparable; with ``schedule="linear"`` it falls to 0 over the last half of
a budget, by the number of the trial.

Source: Guo et al., IRLAS, 1812.05285. Deviation: lam is not known from the paper; the choice above is ours. Measured
on NAS-Bench-201 (README of this folder), the reward trades accuracy for looks where lam sd(S) exceeds 0.003, and does
nothing below: :mod:`.prior` is the default for that reason.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any, Literal

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.latency_terms import LatencyTerm

_logger = logging.getLogger(__name__)

KAPPA, ACCURACY_SD = 0.5, 0.02
TRADES = 0.003  # lam sd(S) from which accuracy was seen to be traded for looks

Schedule = Literal["constant", "linear"]
SCHEDULES: tuple[Schedule, ...] = ("constant", "linear")


def check_lam(lam: Any) -> None:
    """Refuse what is no weight; raises InvalidArgument."""
    if lam != "auto" and not _is_weight(lam):
        raise InvalidArgument("lam", lam, "a finite number, 0 or more, or auto")


def _is_weight(lam: Any) -> bool:
    return isinstance(lam, (int, float)) and not isinstance(lam, bool) and 0 <= lam < math.inf


def check_schedule(schedule: Any, budget: Any) -> None:
    """Refuse an unknown schedule, a budget that is none, and a decay without one; raises InvalidArgument."""
    if schedule not in SCHEDULES:
        raise InvalidArgument("schedule", schedule, f"one of {', '.join(SCHEDULES)}", SCHEDULES)
    is_budget = isinstance(budget, int) and not isinstance(budget, bool) and budget > 0
    if not is_budget and (budget is not None or schedule == "linear"):
        raise InvalidArgument("budget", budget, "the number of trials, over which a linear schedule decays")


def weight(lam: float | Literal["auto"], sd: float) -> float:
    """Return lam as a number, with a warning where it was seen to cost accuracy.

    Parameters
    ----------
    sd
        Standard deviation of S over uniform members of the space.
    """
    number = KAPPA * ACCURACY_SD / sd if lam == "auto" else float(lam)
    if number * sd > TRADES:
        _logger.warning(
            "lam * sd(S) = %.4f: from %s on, accuracy was seen to be traded for looks; mode='prior' does not",
            number * sd,
            TRADES,
        )
    return number


@dataclass(frozen=True)
class Reward:
    """R of a trial.

    Parameters
    ----------
    lam
        Weight of S, 0 or more.
    maximize
        Whether a higher metric is better.
    schedule, budget
        ``constant``, or ``linear``: to 0 over the last half of `budget` trials.
    latency_term
        T, called with A and milliseconds; None leaves A as it is.

    Raises
    ------
    InvalidArgument
        A weight that is negative or not finite, an unknown schedule, a decay without a budget, a term that cannot be
        called.
    """

    lam: float
    maximize: bool = True
    schedule: Schedule = "constant"
    budget: int | None = None
    latency_term: LatencyTerm | None = None

    def __post_init__(self) -> None:
        if not _is_weight(self.lam):
            raise InvalidArgument("lam", self.lam, "a finite number, 0 or more")
        check_schedule(self.schedule, self.budget)
        if self.latency_term is not None and not callable(self.latency_term):
            raise InvalidArgument("latency", self.latency_term, "a function (value, latency_ms) -> value, or None")

    def lam_at(self, trial: int) -> float:
        """Return the weight for a trial by its number, from 0."""
        if self.schedule == "constant" or self.budget is None:
            return self.lam
        return self.lam * min(1.0, max(0.0, 2.0 * (1.0 - trial / self.budget)))

    def of(self, value: float, stimuli: float, lam: float, latency_ms: float | None = None) -> float:
        """Return what takes the place of a metric, in its own direction.

        Parameters
        ----------
        value
            The raw metric.
        stimuli
            S of the architecture.
        lam
            From :meth:`lam_at`.
        latency_ms
            Measured, in milliseconds; None leaves the latency term out.
        """
        sign = 1.0 if self.maximize else -1.0
        quality = sign * value
        if self.latency_term is not None and latency_ms is not None and latency_ms > 0:
            quality = self._timed(self.latency_term, quality, latency_ms)
        return sign * (quality + lam * stimuli)

    @staticmethod
    def _timed(term: LatencyTerm, quality: float, latency_ms: float) -> float:
        """Return what a term makes of a quality; the quality itself where the term fails, since a search goes on."""
        try:
            told = float(term(quality, latency_ms))
        except Exception as error:  # a term may be somebody else's
            _logger.warning("the latency term failed for %r and %r ms: %r", quality, latency_ms, error)
            return quality
        return told if math.isfinite(told) else quality
