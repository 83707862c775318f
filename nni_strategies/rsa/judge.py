"""The value a trial reports: what is known of a half-trained candidate, as one number.

Signals: ``P`` (performance), ``TG`` (likeness to the teacher), and free ones: ``CE`` (validation cross-entropy),
``TSE`` (sum of the training losses of all epochs so far), ``params`` (number of parameters), ``onehot`` (TG of a
teacher that knows the stimuli's classes and nothing else).

``mode="paper"``: P + alpha TG [1808.01405]; the paper's alpha is not known to us, 1 is a guess.
``mode="scaled"``: median P + sum over the combined signals of spread(P) / spread(s) (s - median s), of ``("P", "TG")``
that is P + alpha (TG - median TG), as TG of half-trained candidates often varies half as much as P and would hardly
count. Medians and spreads (of the middle half, so that one diverged trial does not set the scale) are those of the
first ten trials. These report P alone, whose level is that of the later values.
``mode="rank"``: the mean, over the signals, of the share of earlier trials that are worse. It needs no scale, but the
same candidate is worth less the better those before it were, so it suits a final choice more than a long search.
Where trials do not see each other (on other machines) the last two are the paper's sum, without TG if that is not
among the signals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument

Signals = Mapping[str, float]

MODES = ("scaled", "rank", "paper")
DEFAULT = ("P", "TSE", "TG")
SIGNALS = {"P": 1.0, "TG": 1.0, "CE": -1.0, "TSE": -1.0, "params": 1.0, "onehot": 1.0}  # -1: lower is better
SCALED_BY = 10  # trials whose spread sets the scale


@dataclass(frozen=True)
class Judge:
    """What is reported, and when.

    Parameters
    ----------
    mode
        ``scaled``, ``rank`` or ``paper``.
    combine
        Names of signals, all of one weight; one that a trial lacks is left out there. None: P and TG in the paper's
        mode, else `DEFAULT`, which ranked noisy digits better than P and TG at every look, and than P at all but one.
    alpha
        Weight of TG in the paper's mode.
    proxy_epochs
        After so many intermediate results a candidate is judged and its training ends; None lets it train to the end.
    every
        TG is computed at every so many intermediate results too; 0 at none.
    key
        The entry of a reported dictionary that is the performance.
    ce_key, loss_key
        Those that are the validation cross-entropy, and the epoch's mean training loss; with several epochs between two
        intermediate results, the sum of these means.
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
        Stands for TG where none could be computed, in the paper's sum; else such a trial is judged without TG.
    strict
        Whether a failing score fails the trial; else it is logged and `tg_floor` taken.

    Raises
    ------
    InvalidArgument
        A value out of its range.
    """

    mode: str = "scaled"
    combine: tuple[str, ...] | None = None
    alpha: float = 1.0
    proxy_epochs: int | None = 2
    every: int = 0
    key: str = "default"
    ce_key: str = "val_loss"
    loss_key: str = "train_loss"
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
        if not isinstance(self.combined, (tuple, list)):
            raise InvalidArgument("combine", self.combined, f"some of {list(SIGNALS)}")
        for name in self.combined:
            if name not in SIGNALS:
                raise InvalidArgument("combine", name, f"of {list(SIGNALS)}", SIGNALS)
        if not self.combined or (self.mode == "paper" and set(self.combined) != {"P", "TG"}):
            what = "P and TG in the paper's mode, else at least one signal"
            raise InvalidArgument("combine", list(self.combined), what)
        for name in ("alpha", "scale", "tg_floor"):
            if not _finite(getattr(self, name)):
                raise InvalidArgument(name, getattr(self, name), "a finite number")
        if self.alpha != 1.0 and self.mode != "paper":
            raise InvalidArgument("alpha", self.alpha, f"for mode='paper'; mode={self.mode!r} finds its own")
        if self.scale <= 0:
            raise InvalidArgument("scale", self.scale, "a positive number")
        for name, least in (("proxy_epochs", 1), ("every", 0)):
            value = getattr(self, name)
            if value is None and name == "proxy_epochs":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidArgument(name, value, f"an integer of at least {least}")

    @property
    def combined(self) -> tuple[str, ...]:
        """The signals that count."""
        if self.combine is not None:
            return self.combine
        return ("P", "TG") if self.mode == "paper" else DEFAULT

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
        except (TypeError, ValueError, OverflowError):
            return math.nan
        return -value / self.scale if self.minimize else value

    def merit(self, signals: Signals, earlier: Sequence[Signals] | None) -> float:
        """Return what a candidate is worth, higher is better.

        Parameters
        ----------
        signals
            By name, in their own direction; P at least. NaN is as none.
        earlier
            Those of earlier trials in the order they ended; None where they cannot be seen.
        """
        if self.mode == "rank" and earlier is not None:
            return self._rank(signals, earlier)
        value = signals["P"]
        shares = self.shares(earlier)
        for name in shares:
            weight, centre = shares[name]
            if name != "P" and _known(signals, name):
                value += weight * (SIGNALS[name] * signals[name] - centre)
        if "P" in shares:  # it is not among the combined: its mean is the level
            value += shares["P"][1] - signals["P"]
        return value

    def shares(self, earlier: Sequence[Signals] | None) -> dict[str, tuple[float, float]]:
        """Return by signal its weight in the sum, and what is taken from it first; none of the first ten trials."""
        if self.papers_sum(earlier):
            return {"TG": (self.alpha, 0.0)} if "TG" in self.combined else {}
        if earlier is None or len(earlier) < SCALED_BY or self.mode == "rank":
            return {}
        all_p = np.array([signals["P"] for signals in earlier])
        n = next((n for n in range(SCALED_BY, len(earlier)) if _middle(all_p[:n]) > 0.0), len(earlier))
        p = all_p[:n]  # ten, or as many as it takes where most failed alike
        found = {} if "P" in self.combined else {"P": (0.0, float(np.median(p)))}
        for name in self.combined:
            values = SIGNALS[name] * np.array([signals[name] for signals in earlier[:n] if _known(signals, name)])
            if name != "P" and len(values) > 1 and _spread(values) > 0.0:
                found[name] = (_spread(p) / _spread(values), float(np.median(values)))
        return found

    def papers_sum(self, earlier: Sequence[Signals] | None) -> bool:
        """Whether the value is P + alpha TG: in the paper's mode, and where trials do not see each other."""
        return self.mode == "paper" or earlier is None

    def _rank(self, signals: Signals, earlier: Sequence[Signals]) -> float:
        shares = []
        for name in self.combined:
            if not _known(signals, name):
                continue
            mine, sign = SIGNALS[name] * signals[name], SIGNALS[name]
            others = np.array([sign * before[name] for before in earlier if _known(before, name)])
            shares.append(((others < mine).sum() + (others == mine).sum() / 2 + 0.5) / (len(others) + 1))
        return float(np.mean(shares)) if shares else 0.5

    def reported(self, merit: float) -> float:
        """Return what is reported as ``default``, in the direction and units of the experiment."""
        return merit if self.larger_reported else -merit * self.scale


def _spread(values: npt.NDArray[np.float64]) -> float:
    """Return the deviation that the middle half of normal values would have; of all where these are one."""
    spread = _middle(values) / 1.349 or float(values.std())
    return spread if spread > 1e-9 else 0.0


def _middle(values: npt.NDArray[np.float64]) -> float:
    low, high = np.quantile(values, [0.25, 0.75])
    return float(high - low) if high - low > 1e-9 else 0.0


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _known(signals: Signals, name: str) -> bool:
    return math.isfinite(signals.get(name, math.nan))
