"""The value a trial reports: performance at a premature point, and how much the candidate resembles the teacher.

``mode="paper"``: P + alpha TG [1808.01405]; the paper's alpha is not known to us, 1 is a guess.
``mode="scaled"``: P + alpha (TG - mean TG), alpha = sd(P) / sd(TG), mean and spread those of the first ten trials, as
TG of half-trained candidates often varies half as much as P and would hardly count. These ten report P alone, whose
level is that of the later values. Where trials do not see each other (on other machines) it is the paper's sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nni_strategies.errors import InvalidArgument

MODES = ("scaled", "paper")
SCALED_BY = 10  # trials whose spread sets the scale


@dataclass(frozen=True)
class Judge:
    """What is reported, and when.

    Parameters
    ----------
    mode
        ``scaled`` or ``paper``.
    alpha
        Weight of TG in the paper's sum.
    proxy_epochs
        After so many intermediate results a candidate is judged and its training ends; None lets it train to the end.
    every
        TG is computed at every so many intermediate results too; 0 at none.
    key
        The entry of a reported dictionary that is the performance.
    minimize
        Whether lower performance is better (a loss).
    larger_reported
        Whether the reported value is to be maximised, as ``nni.nas`` does always; with False it is in the units and
        direction of a loss, for tuners that minimise.
    scale
        A loss is divided by it.
    report
        ``dict`` with P, TG and a value a teacher layer, or the bare ``scalar``.
    tg_floor
        Stands for TG where none could be computed.
    strict
        Whether a failing score fails the trial; else it is logged and `tg_floor` taken.

    Raises
    ------
    InvalidArgument
        A value out of its range.
    """

    mode: str = "scaled"
    alpha: float = 1.0
    proxy_epochs: int | None = 2
    every: int = 0
    key: str = "default"
    minimize: bool = False
    larger_reported: bool = True
    scale: float = 1.0
    report: str = "dict"
    tg_floor: float = 0.0
    strict: bool = False

    def __post_init__(self) -> None:
        for name, allowed in (("mode", MODES), ("report", ("dict", "scalar"))):
            if getattr(self, name) not in allowed:
                raise InvalidArgument(name, getattr(self, name), f"one of {list(allowed)}", allowed)
        for name in ("alpha", "scale", "tg_floor"):
            if not _finite(getattr(self, name)):
                raise InvalidArgument(name, getattr(self, name), "a finite number")
        if self.scale <= 0:
            raise InvalidArgument("scale", self.scale, "a positive number")
        for name, least in (("proxy_epochs", 1), ("every", 0)):
            value = getattr(self, name)
            if value is None and name == "proxy_epochs":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidArgument(name, value, f"an integer of at least {least}")

    def performance(self, metric: Any) -> float:
        """Return P of what a trial reported, higher is better; NaN where there is no number.

        Raises
        ------
        InvalidArgument
            A dictionary without the key.
        """
        if isinstance(metric, Mapping):
            if self.key not in metric:
                raise InvalidArgument("performance.key", self.key, f"one of {list(metric)}", map(str, metric))
            metric = metric[self.key]
        try:
            value = float(metric)
        except (TypeError, ValueError):
            return math.nan
        return -value / self.scale if self.minimize else value

    def weight(self, earlier: Sequence[tuple[float, float]] | None) -> tuple[float, float]:
        """Return the weight of TG, and what is taken from TG first.

        Parameters
        ----------
        earlier
            (P, TG) of earlier trials in the order they ended; None where they cannot be seen.
        """
        if self.mode == "paper" or earlier is None:
            return self.alpha, 0.0
        if len(earlier) < SCALED_BY:
            return 0.0, 0.0
        p, tg = np.array(earlier[:SCALED_BY]).T
        return (float(p.std() / tg.std()) if tg.std() > 1e-9 else 0.0), float(tg.mean())

    def value(self, p: float, tg: float, weight: tuple[float, float]) -> float:
        """Return what is reported as ``default``."""
        combined = p + weight[0] * (tg - weight[1])
        return combined if self.larger_reported else -combined * self.scale


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
