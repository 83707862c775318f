"""What a teacher said of the trials: P and TG of each, and what they reached in the end.

A guided trial reports ``P`` (performance, higher is better), ``TG`` (likeness to the teacher), ``tg_ok`` (0 where TG
could not be computed and is a stand-in) and ``default``, which combines them and what else the judge was told to, such
as training losses, on the way and in the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nni_strategies.report.correlation import Correlation, spearman
from nni_strategies.report.records import ExperimentRecord, TrialRecord
from nni_strategies.search.metrics import is_plain_number

_TEST = re.compile(r"(test|final)([ _./-]?(acc|accuracy|top-?1))?|(acc|accuracy)[ _./-]?test", re.IGNORECASE)
_HIGHER = re.compile(r"acc|top", re.IGNORECASE)


@dataclass(frozen=True)
class Guided:
    """The trials that a teacher judged.

    Parameters
    ----------
    trials
        Those with P and TG in the end, in the order their results came.
    unscored
        Finished trials with P whose TG could not be computed.
    outcome
        The reported metric that was not searched by and tells how good a trial is, such as ``test``; None without.
    sign
        1, or -1 where a lower ``default`` is better.
    """

    trials: tuple[TrialRecord, ...]
    unscored: int
    outcome: str | None
    sign: float

    def direction(self, name: str) -> float:
        """Return 1 where higher is better, -1 where lower is: a bare ``test`` is as ``default`` is."""
        if name in ("P", "TG"):
            return 1.0
        return 1.0 if name == self.outcome and _HIGHER.search(name) else self.sign

    def reached(self, trial: TrialRecord) -> float | None:
        """Return what a trial reached in the end, higher is better: the outcome, or P where no trial reports one."""
        name = self.outcome or "P"
        value = value_of(trial.metrics, name)
        return None if value is None else self.direction(name) * value


def guided(experiment: ExperimentRecord) -> Guided | None:
    """Return the judged trials; None in an experiment without a teacher."""
    claimed = [t for t in experiment.finished if None not in (value_of(t.metrics, "P"), value_of(t.metrics, "TG"))]
    if not claimed:
        return None
    judged = tuple(trial for trial in claimed if tg_of(trial.metrics) is not None)
    return Guided(judged, len(claimed) - len(judged), outcome_name(judged), 1.0 if experiment.maximize else -1.0)


def value_of(metrics: Mapping[str, Any], name: str) -> float | None:
    """Return a number that was reported; None where there is none."""
    value: Any = metrics.get(name)
    return float(value) if is_plain_number(value) else None


def tg_of(metrics: Mapping[str, Any]) -> float | None:
    """Return TG; None where it could not be computed."""
    return value_of(metrics, "TG") if metrics.get("tg_ok", 1) else None


def outcome_name(trials: Sequence[TrialRecord]) -> str | None:
    """Return the name of a test result that at least half of the trials report; None without one."""
    for name in dict.fromkeys(name for trial in trials for name in trial.metrics if _TEST.fullmatch(name)):
        if 2 * sum(value_of(trial.metrics, name) is not None for trial in trials) >= len(trials):
            return name
    return None


@dataclass(frozen=True)
class RankCurve:
    """How the ranks at each step agree with those in the end.

    Parameters
    ----------
    lines
        For ``P``, ``TG`` and ``default`` a correlation a step, from the first; None where it is not known of every
        trial.
    n
        Trials with all of these steps.
    left_out
        Judged trials with fewer, or with a step that lacks what the others have.
    longest
        The most steps that one of the `n` trials has.
    """

    lines: Mapping[str, tuple[Correlation | None, ...]]
    n: int
    left_out: int
    longest: int

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.lines["P"])


def rank_curve(judged: Guided) -> RankCurve | None:
    """Correlate P, TG and ``default`` at each step with the end, over trials that have all of the steps.

    There are as many steps as at least half of the trials have; a step has TG where at least half of them do.
    None when there are no steps, or fewer than 3 such trials.
    """
    known = [trial for trial in judged.trials if judged.reached(trial) is not None]
    lengths = sorted((len(trial.steps) for trial in known), reverse=True)
    n_steps = lengths[(len(lengths) - 1) // 2] if lengths else 0
    long = [trial for trial in known if len(trial.steps) >= n_steps]
    scored = [2 * sum(tg_of(trial.steps[i]) is not None for trial in long) >= len(long) for i in range(n_steps)]

    def whole(trial: TrialRecord) -> bool:
        steps = trial.steps[:n_steps]
        return all(
            None not in (value_of(step, "P"), value_of(step, "default")) and (tg_of(step) is not None or not has_tg)
            for step, has_tg in zip(steps, scored, strict=True)
        )

    used = [trial for trial in long if whole(trial)]
    if not n_steps or len(used) < 3:
        return None
    end = [judged.reached(trial) or 0.0 for trial in used]
    lines: dict[str, list[Correlation | None]] = {"P": [], "TG": [], "default": []}
    for i in range(n_steps):
        at = [trial.steps[i] for trial in used]
        lines["P"].append(spearman([value_of(step, "P") or 0.0 for step in at], end))
        lines["TG"].append(spearman([tg_of(step) or 0.0 for step in at], end) if scored[i] else None)
        values = [judged.sign * (value_of(step, "default") or 0.0) for step in at]
        lines["default"].append(spearman(values, end))
    longest = max(len(trial.steps) for trial in used)
    return RankCurve({k: tuple(v) for k, v in lines.items()}, len(used), len(judged.trials) - len(used), longest)
