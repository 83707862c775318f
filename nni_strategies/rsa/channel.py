"""Between a trial and NNI: adds the teacher's judgement to what the trial reports, whatever reports it.

All of NNI's reports go through a trial command channel that can be replaced, so one channel serves functional
evaluators, Lightning ones and plain ``nni.report_…`` calls alike.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nni.runtime.trial_command_channel import TrialCommandChannel
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.history import History, Outcome
from nni_strategies.rsa.judge import Judge
from nni_strategies.rsa.score import ScoreResult, TeacherScorer
from nni_strategies.rsa.stopping import StopRule

_logger = logging.getLogger(__name__)

DETAILS = "rsa.json"  # in $NNI_OUTPUT_DIR: what matched what, for the report


class StopProxyTraining(BaseException):
    """The candidate was judged: training need not go on. No error; handlers of exceptions let it pass."""


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
    """

    def __init__(
        self,
        inner: Any,
        scorer: TeacherScorer,
        judge: Judge,
        stop: StopRule | None,
        history: History,
        model: Callable[[], nn.Module],
    ) -> None:
        self._inner = inner
        self._scorer, self._judge, self._stop, self._history, self._model = scorer, judge, stop, history, model
        self._trial = history.name_trial()
        self._step = 0
        self._last: ScoreResult | None = None
        self._failed = False
        self._without_key = False
        self.ended = False

    def receive_parameter(self) -> Any:
        return self._inner.receive_parameter()

    def send_metric(self, type: str, parameter_id: Any, trial_job_id: str, sequence: int, value: Any) -> None:
        if self.ended:  # a second final result
            return
        judge = self._judge
        final = type == "FINAL"
        if not final:
            self._step += 1
        at_end = final or self._step == judge.proxy_epochs
        stop_here = self._stop is not None and not final and self._step == self._stop.at
        if at_end or stop_here or (judge.every and self._step % judge.every == 0):
            self._score()
        p, tg, weight = self._performance(value), self._tg(), judge.weight(self._history.judged())
        merit = p + weight[0] * (tg - weight[1])
        metric = self._combined(value, p, weight)
        if not final:
            self._inner.send_metric("PERIODICAL", parameter_id, trial_job_id, sequence, metric)
            if stop_here and self._stop is not None:
                at_end = at_end or self._stop.stops(self._trial, self._step, merit, self._history.read())
        if math.isfinite(p):
            self._history.add(Outcome(self._trial, self._step, p, tg, merit, at_end))
        if at_end:
            self.ended = True
            self._write_details()
            self._inner.send_metric("FINAL", parameter_id, trial_job_id, 0, metric)
            if not final:
                raise StopProxyTraining

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

    def _tg(self) -> float:
        return self._judge.tg_floor if self._last is None or self._failed else self._last.tg

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

    def _combined(self, value: Any, p: float, weight: tuple[float, float]) -> Any:
        judge, tg = self._judge, self._tg()
        if not math.isfinite(p):  # whoever reads NaN elsewhere is to see it here too
            return value
        default = judge.value(p, tg, weight)
        if judge.report == "scalar":
            return default
        own = {key: entry for key, entry in value.items() if key != "default"} if isinstance(value, dict) else {}
        layers = self._last.per_layer if self._last is not None else {}
        shown = {f"TG/{name}": layers.get(name, judge.tg_floor) for name in self._scorer.teacher.spec.layers}
        seconds = self._last.seconds if self._last is not None else 0.0
        return {
            **own,
            "default": default,
            "P": p,
            "TG": tg,
            "alpha": weight[0],
            "tg_ok": int(self._last is not None and not self._failed),
            "tg_seconds": round(seconds, 4),
            **shown,
        }

    def _write_details(self) -> None:
        folder = os.environ.get("NNI_OUTPUT_DIR")
        if folder is None or self._last is None:
            return
        last = self._last
        details = {
            "trial": self._trial,
            "teacher_layers": list(self._scorer.teacher.spec.layers),
            "candidate_layers": list(last.candidate_layers),
            "match": last.match,
            "matrix": [[x if math.isfinite(x) else None for x in row] for row in last.matrix.tolist()],
            "approximate": sorted(last.approximate),
        }
        try:
            (Path(folder) / DETAILS).write_text(json.dumps(details))
        except OSError as error:
            _logger.warning("%s is not written: %s", DETAILS, error)
