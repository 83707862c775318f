"""What a candidate is worth at each of its reports: its score, its signals, its value beside earlier trials'."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.details import write_details
from nni_strategies.rsa.history import History, Outcome
from nni_strategies.rsa.judge import Judge, Signals
from nni_strategies.rsa.score import ScoreResult, TeacherScorer
from nni_strategies.rsa.signals import SHOWN, FreeSignals
from nni_strategies.rsa.stopping import StopRule

_logger = logging.getLogger(__name__)

DIGITS = 7  # of likenesses and losses, after the point: what the web UI's columns can show
_GROWS = "TSE"  # with the number of epochs: it compares at the same step only


@dataclass(frozen=True)
class Verdict:
    """A report, judged.

    Parameters
    ----------
    metric
        What NNI is told.
    signals
        What is known, by name.
    merit
        What that is worth, higher is better; NaN where it cannot be said.
    stop
        Whether the candidate is among the worst at this step.
    has_p
        Whether the report has the performance at all.
    """

    metric: Any
    signals: Mapping[str, float]
    merit: float
    stop: bool = False
    has_p: bool = True


def layer_key(layer: str) -> str:
    """Return the key of a teacher layer's likeness; NNI's web UI shows of a name what precedes its first slash."""
    return f"TG:{layer}"


class Appraisal:
    """Of one trial.

    Parameters
    ----------
    scorer, judge, stop, history
        How a candidate is judged.
    model
        Returns the candidate as it is now.
    losses
        Returns what is known of losses beside what the trial reports, by the judge's keys.
    """

    def __init__(
        self,
        scorer: TeacherScorer,
        judge: Judge,
        stop: StopRule | None,
        history: History,
        model: Callable[[], nn.Module],
        losses: Callable[[], Mapping[str, float]],
    ) -> None:
        self._scorer, self._judge, self._stop, self._history = scorer, judge, stop, history
        self._model, self._losses = model, losses
        self._teacher = scorer.teacher.spec.sha256[:12]
        self._trial = history.name_trial()
        self._free = FreeSignals(judge)
        self._score: ScoreResult | None = None  # None, too, where the last one failed
        self._failed = False
        self._told: set[str] = set()

    def look(self) -> None:
        """Score the candidate.

        Raises
        ------
        Exception
            With ``strict``, what the scorer raises, and where no layer says anything.
        """
        try:
            self._score = self._scorer.score(self._model())
            if not math.isfinite(self._score.tg):
                raise RuntimeError("no layer of the candidate says anything about the stimuli")
            self._failed = False
        except Exception:
            self._score, self._failed = None, True
            if self._judge.strict:
                raise
            self._warn("the teacher could not judge this candidate; the trial goes on")

    def verdict(self, value: Any, step: int, final: bool) -> Verdict:
        """Judge a report; one that cannot be judged is passed on as it is.

        Parameters
        ----------
        value
            What the trial reports.
        step
            Number of the last intermediate result, from 1.
        final
            Whether this is none.

        Raises
        ------
        Exception
            With ``strict``, what goes wrong.
        """
        try:
            return self._judged(value, step, final)
        except InvalidArgument:  # the key of the performance is not in it
            if self._judge.strict:
                raise
            self._warn("a metric is passed on as it is")
            return Verdict(value, {}, math.nan, has_p=False)
        except Exception:
            if self._judge.strict:
                raise
            self._warn("a report could not be judged and is passed on as it is")
            return Verdict(value, {}, math.nan)

    def keep(self, verdict: Verdict, step: int, judged: bool) -> None:
        """Let later trials know of it, and at the end the report too."""
        if math.isfinite(verdict.merit):
            outcome = Outcome(self._trial, step, verdict.signals, verdict.merit, judged, self._teacher)
            self._history.add(outcome)
        if judged and self._score is not None:
            write_details(self._trial, self._scorer.teacher, self._score)

    def _judged(self, value: Any, step: int, final: bool) -> Verdict:
        judge = self._judge
        losses = dict(self._losses()) | (dict(value) if isinstance(value, Mapping) else {})
        self._free.see(losses, final)
        p = judge.performance(value)
        if not math.isfinite(p):  # whoever reads NaN elsewhere is to see it here too
            return Verdict(value, {}, math.nan)
        signals = {"P": p, **self._free.known(losses, self._score, self._model())}
        if self._score is not None:
            signals["TG"] = round(self._score.tg, DIGITS)
        judged = None if judge.mode == "paper" else self._history.judged(self._teacher)
        usual = usual_step(judged or ())
        earlier = None if judged is None else [outcome.signals for outcome in judged if outcome.step == usual]
        compared: dict[str, float] = dict(signals)
        if usual not in (None, step):
            compared.pop(_GROWS, None)
        if self._failed and judge.papers_sum(earlier):
            compared["TG"] = judge.tg_floor
        merit = judge.merit(compared, earlier)
        stop = self._stop is not None and not final and self._stops(self._stop, signals, step, earlier)
        return Verdict(self._metric(value, signals, merit, earlier), signals, merit, stop)

    def _stops(self, rule: StopRule, signals: Signals, step: int, earlier: Sequence[Signals] | None) -> bool:
        """Compare with others at this step, all valued by today's scale: the first of them had none."""
        if step != rule.at:
            return False
        others = [o for o in self._history.read() if o.step == step and o.trial != self._trial]
        values = [self._judge.merit(o.signals, earlier) for o in others if o.teacher in ("", self._teacher)]
        return rule.stops(step, self._judge.merit(signals, earlier), values)

    def _metric(self, value: Any, signals: Signals, merit: float, earlier: Sequence[Signals] | None) -> Any:
        judge, score = self._judge, self._score
        default = judge.reported(merit)
        if judge.report == "scalar":
            return default
        own = {key: entry for key, entry in value.items() if key != "default"} if isinstance(value, Mapping) else {}
        free = {key: round(signals[name], DIGITS) for name, key in SHOWN.items() if name in signals}
        found = score.per_layer if score is not None else {}
        layers = {name: found.get(name, judge.tg_floor) for name in self._scorer.teacher.spec.layers}
        weight = judge.shares(earlier).get("TG", (0.0, 0.0))[0]
        summed = judge.mode != "rank" or earlier is None
        return {
            **free,  # a trial may have these of its own
            **own,
            "default": default,
            "P": signals["P"],
            "TG": signals.get("TG", judge.tg_floor),
            **({"alpha": weight} if summed else {}),
            "tg_ok": int(score is not None),
            "tg_seconds": round(score.seconds, 4) if score is not None else 0.0,
            **{layer_key(name): round(likeness, DIGITS) for name, likeness in layers.items()},
        }

    def _warn(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            _logger.warning(message, exc_info=True)


def usual_step(judged: Sequence[Outcome]) -> int | None:
    """Return at which step most trials were judged, the later where as many; None of none."""
    counts = Counter(outcome.step for outcome in judged)
    return max(counts, key=lambda step: (counts[step], step)) if counts else None
