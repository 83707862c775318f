"""The trial hook: two lines make a trial's own training teacher-guided.

::

    guide = Guide.from_file("teacher.json")
    with guide.attach(model):
        train(model)  # with its own nni.report_intermediate_result and nni.report_final_result
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from nni.runtime.trial_command_channel import get_default_trial_command_channel, set_default_trial_command_channel
from torch import nn

from nni_strategies.errors import InvalidArgument, refuse_unknown
from nni_strategies.rsa.appraisal import Appraisal
from nni_strategies.rsa.channel import StopProxyTraining, TeacherChannel, leave
from nni_strategies.rsa.history import History, trial_history
from nni_strategies.rsa.judge import Judge
from nni_strategies.rsa.score import ScoreOptions, TeacherScorer
from nni_strategies.rsa.stopping import StopRule
from nni_strategies.rsa.teacher import Teacher, TeacherSpec, load_teacher, read_spec

STOP_MODES = ("raise", "flag")

_teachers: dict[str, Teacher] = {}  # by specification: a process scores many candidates


class Guide:
    """A teacher, and how it judges.

    Parameters
    ----------
    teacher
        The JSON file, what is in it, or its specification.
    stop
        See :class:`~nni_strategies.rsa.stopping.StopRule`, as a dictionary too; None never stops below a quantile.
    stop_mode
        How training ends once a candidate is judged. ``raise``: its report does not return, which leaves the attached
        block. ``flag``: it is told to (`end` of :meth:`attach`), and what it reports until then is dropped.
    history
        Where earlier trials are looked up; that of this trial's experiment when None.
    options
        Fields of :class:`~nni_strategies.rsa.judge.Judge` and of :class:`~nni_strategies.rsa.score.ScoreOptions`.

    Raises
    ------
    InvalidArgument
        An unknown option (the nearest is named), or a teacher that cannot be used.
    """

    def __init__(
        self,
        teacher: Path | str | Mapping[str, Any] | TeacherSpec,
        *,
        stop: StopRule | Mapping[str, Any] | None = None,
        stop_mode: str = "raise",
        history: History | None = None,
        **options: Any,
    ) -> None:
        judged, looked = ({f.name for f in fields(kind)} for kind in (Judge, ScoreOptions))
        refuse_unknown("option", options, sorted(judged | looked), "options")
        if stop_mode not in STOP_MODES:
            raise InvalidArgument("stop_mode", stop_mode, f"one of {list(STOP_MODES)}", STOP_MODES)
        self.stop_mode = stop_mode
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in options.items()}
        self.judge = Judge(**{name: value for name, value in given.items() if name in judged})
        options_of_score = {name: value for name, value in given.items() if name in looked}
        self.stop = StopRule.from_json(stop)
        self.scorer = TeacherScorer(_cached(read_spec(teacher)), ScoreOptions(**options_of_score))
        self._history = history
        self._model: nn.Module | None = None

    @classmethod
    def from_file(cls, path: Path | str, **options: Any) -> Guide:
        """Return a guide by the teacher of a JSON file."""
        return cls(path, **options)

    def set_model(self, model: nn.Module) -> None:
        """Score this module from now on, where training goes on with a copy or a wrapper of the attached one."""
        self._model = model

    @contextmanager
    def attach(
        self,
        model: nn.Module,
        end: Callable[[], None] = lambda: None,
        losses: Callable[[], Mapping[str, float]] = dict,
    ) -> Iterator[TeacherChannel]:
        """Judge what is reported within it; at the end of the proxy training the block is left early, without error.

        Parameters
        ----------
        model
            The candidate.
        end
            With ``stop_mode="flag"``, tells the training to stop; one that looks at the channel's `ended` needs none.
        losses
            Returns losses that are known beside those in the reports, by the judge's keys.
        """
        self.set_model(model)
        inner = get_default_trial_command_channel()
        history = self._history if self._history is not None else trial_history(inner)
        ends = end if self.stop_mode == "flag" else leave
        appraisal = Appraisal(self.scorer, self.judge, self.stop, history, self._candidate, losses)
        channel = TeacherChannel(inner, appraisal, self.judge, self.stop, ends)
        set_default_trial_command_channel(channel)
        try:
            yield channel
        except StopProxyTraining:
            pass
        finally:
            if not (channel.ended and _is_trial_process(inner)):  # there, whatever the trial reports later is dropped
                set_default_trial_command_channel(inner)
            self._model = None

    def _candidate(self) -> nn.Module:
        assert self._model is not None, "within attach()"
        return self._model


def _is_trial_process(channel: Any) -> bool:
    """Whether a process is one trial: a second final result would break NNI's tuners."""
    return "NNI_TRIAL_JOB_ID" in os.environ and not hasattr(channel, "engine")


def _cached(spec: TeacherSpec) -> Teacher:
    key = json.dumps(spec.to_json())
    if key not in _teachers:
        _teachers[key] = load_teacher(spec)
    return _teachers[key]
