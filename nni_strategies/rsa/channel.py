"""Between a trial and NNI: adds the teacher's judgement to what the trial reports, whatever reports it.

All of NNI's reports go through a trial command channel that can be replaced, so one channel serves functional
evaluators, Lightning ones and plain ``nni.report_…`` calls alike.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nni.runtime.trial_command_channel import TrialCommandChannel
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


class StopProxyTraining(BaseException):
    """The candidate was judged: training need not go on. No error; handlers of exceptions let it pass."""


def layer_key(layer: str) -> str:
    """Return the key of a teacher layer's likeness; NNI's web UI shows of a name what precedes its first slash."""
    return f"TG:{layer}"


def leave() -> None:
    """End the training from within its report."""
    raise StopProxyTraining


class TeacherChannel(TrialCommandChannel):  # type: ignore[misc]  # NNI has no types
    """Passes everything on, and puts P, TG and a value a teacher layer beside each metric.

    Parameters
    ----------
    inner
        The channel to NNI.
    scorer, judge, stop, history
        How a candidate is judged.
    model
        Returns the candidate as it is now.
    end
        Ends the training once the candidate is judged.
    losses
        Returns what is known of losses beside what the trial reports, by the judge's keys.
    """

    def __init__(
        self,
        inner: Any,
        scorer: TeacherScorer,
        judge: Judge,
        stop: StopRule | None,
        history: History,
        model: Callable[[], nn.Module],
        end: Callable[[], None] = leave,
        losses: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self._inner = inner
        self._scorer, self._judge, self._stop, self._history, self._model = scorer, judge, stop, history, model
        self._end = end
        self._free, self._losses = FreeSignals(judge), losses
        self._trial = history.name_trial()
        self._step = 0
        self._last: ScoreResult | None = None
        self._failed = False
        self._without_key = False
        self.ended = False

    def receive_parameter(self) -> Any:
        return self._inner.receive_parameter()

    def send_metric(self, type: str, parameter_id: Any, trial_job_id: str, sequence: int, value: Any) -> None:
        if self.ended:  # a second final result, or what training that was told to stop still says
            return
        judge = self._judge
        final = type == "FINAL"
        if not final:
            self._step += 1
        at_end = final or self._step == judge.proxy_epochs
        stop_here = self._stop is not None and not final and self._step == self._stop.at
        if at_end or stop_here or (judge.every and self._step % judge.every == 0):
            self._score()
        losses = dict(self._losses()) | (dict(value) if isinstance(value, Mapping) else {})
        self._free.see(losses, final)
        signals, earlier = self._signals(value, losses), self._history.judged()
        merit = judge.merit(signals, earlier)
        metric = self._metric(value, signals, merit, earlier)
        if not final:
            self._inner.send_metric("PERIODICAL", parameter_id, trial_job_id, sequence, metric)
            if stop_here and self._stop is not None:
                at_end = at_end or self._stop.stops(self._step, merit, self._others(earlier))
        if math.isfinite(merit):
            self._history.add(Outcome(self._trial, self._step, signals, merit, at_end))
        if at_end:
            self.ended = True
            if self._last is not None:
                write_details(self._trial, self._scorer.teacher, self._last)
            self._inner.send_metric("FINAL", parameter_id, trial_job_id, 0, metric)
            if not final:
                self._end()

    def _others(self, earlier: Sequence[Signals] | None) -> list[float]:
        """Return what other trials had at this step is worth, by today's scale as the candidate is."""
        outcomes = [o for o in self._history.read() if o.step == self._step and o.trial != self._trial]
        return [self._judge.merit(outcome.signals, earlier) for outcome in outcomes]

    def _score(self) -> None:
        try:
            self._last = self._scorer.score(self._model())
            self._failed = not math.isfinite(self._last.tg)
        except Exception:
            if self._judge.strict:
                raise
            if not self._failed:
                _logger.warning("the teacher could not judge this candidate; the trial goes on", exc_info=True)
            self._failed = True
        if self._failed and self._judge.strict:
            raise RuntimeError("no layer of the candidate says anything about the stimuli")

    def _signals(self, value: Any, losses: Mapping[str, Any]) -> dict[str, float]:
        known = {"P": self._performance(value)}
        if self._last is not None or self._failed:
            known["TG"] = self._judge.tg_floor if self._last is None or self._failed else round(self._last.tg, DIGITS)
        score = None if self._failed else self._last
        return known | self._free.known(losses, score, self._model())

    def _performance(self, value: Any) -> float:
        try:
            return self._judge.performance(value)
        except InvalidArgument as error:
            if self._judge.strict:
                raise
            if not self._without_key:
                _logger.warning("a metric is passed on as it is: %s", error)
            self._without_key = True
            return math.nan

    def _metric(self, value: Any, signals: Signals, merit: float, earlier: Sequence[Signals] | None) -> Any:
        judge = self._judge
        if not math.isfinite(signals["P"]):  # whoever reads NaN elsewhere is to see it here too
            return value
        default = judge.reported(merit)
        if judge.report == "scalar":
            return default
        own = {key: entry for key, entry in value.items() if key != "default"} if isinstance(value, dict) else {}
        found = self._last.per_layer if self._last is not None else {}
        layers = {name: found.get(name, judge.tg_floor) for name in self._scorer.teacher.spec.layers}
        seconds = self._last.seconds if self._last is not None else 0.0
        return {
            **own,
            "default": default,
            "P": signals["P"],
            "TG": signals.get("TG", judge.tg_floor),
            "alpha": judge.shares(earlier).get("TG", (0.0, 0.0))[0],
            "tg_ok": int(self._last is not None and not self._failed),
            "tg_seconds": round(seconds, 4),
            **{layer_key(name): round(likeness, DIGITS) for name, likeness in layers.items()},
            **{key: round(signals[name], DIGITS) for name, key in SHOWN.items() if name in signals},
        }
