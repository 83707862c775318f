"""Between a trial and NNI: adds the teacher's judgement to what the trial reports, whatever reports it.

All of NNI's reports go through a trial command channel that can be replaced, so one channel serves functional
evaluators, Lightning ones and plain ``nni.report_…`` calls alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nni.runtime.trial_command_channel import TrialCommandChannel

from nni_strategies.rsa.appraisal import Appraisal
from nni_strategies.rsa.judge import Judge
from nni_strategies.rsa.stopping import StopRule


class StopProxyTraining(BaseException):
    """The candidate was judged: training need not go on. No error; handlers of exceptions let it pass."""


def leave() -> None:
    """End the training from within its report."""
    raise StopProxyTraining


class TeacherChannel(TrialCommandChannel):  # type: ignore[misc]  # NNI has no types
    """Passes everything on, and puts P, TG and a value a teacher layer beside each metric.

    Parameters
    ----------
    inner
        The channel to NNI.
    appraisal
        Judges the reports.
    judge, stop
        When.
    end
        Ends the training once the candidate is judged.

    Attributes
    ----------
    ended
        Whether it was: later reports are dropped.
    """

    def __init__(
        self,
        inner: Any,
        appraisal: Appraisal,
        judge: Judge,
        stop: StopRule | None = None,
        end: Callable[[], None] = leave,
    ) -> None:
        self._inner, self._appraisal, self._judge, self._stop, self._end = inner, appraisal, judge, stop, end
        self._step = 0
        self.ended = False

    def receive_parameter(self) -> Any:
        return self._inner.receive_parameter()

    def send_metric(self, type: str, parameter_id: Any, trial_job_id: str, sequence: int, value: Any) -> None:
        if self.ended:  # a second final result, or what training that was told to stop still says
            return
        final = type == "FINAL"
        if not final:
            self._step += 1
        proxy = not final and self._step == self._judge.proxy_epochs
        if final or proxy or self._looks():
            self._appraisal.look()
        verdict = self._appraisal.verdict(value, self._step, final)
        if not final:
            self._inner.send_metric("PERIODICAL", parameter_id, trial_job_id, sequence, verdict.metric)
        self.ended = final or (proxy and verdict.has_p) or verdict.stop  # without a performance: when there is one
        self._appraisal.keep(verdict, self._step, self.ended)
        if self.ended:
            self._inner.send_metric("FINAL", parameter_id, trial_job_id, 0, verdict.metric)
            if not final:
                self._end()

    def _looks(self) -> bool:
        at = self._stop is not None and self._step == self._stop.at
        return at or bool(self._judge.every and self._step % self._judge.every == 0)
