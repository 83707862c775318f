"""TeacherGuidedEvaluator: any evaluator of ``nni.nas``, its candidates judged half-trained by a teacher too.

::

    evaluator = TeacherGuidedEvaluator(
        evaluator=Classification(..., max_epochs=10), teacher="/data/teacher.json", proxy_epochs=2
    )
    NasExperiment(space, evaluator, LaNAS()).run()

Arguments are by keyword, and the inner evaluator may have mutable ones. One-shot strategies train the evaluator itself
and refuse a wrapped one; they take :class:`~nni_strategies.rsa.lightning.TeacherCallback`.
"""

from __future__ import annotations

import copy
import functools
import json
import logging
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
from nni.nas.evaluator import Evaluator, MutableEvaluator

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.judge import Judge
from nni_strategies.rsa.teacher import LARGEST
from nni_strategies.rsa.trial import Guide

_logger = logging.getLogger(__name__)

_kept: set[type] = set()  # of which it was said that they cannot be copied


@nni.trace
class TeacherGuidedEvaluator(MutableEvaluator):  # type: ignore[misc]  # NNI has no types
    """Wraps an evaluator.

    Parameters
    ----------
    evaluator
        What trains and reports: ``FunctionalEvaluator``, ``Lightning``, ``Classification``, or your own. Lightning's
        trainer is made anew for each candidate, with copies of its callbacks: NNI's goes on where the last one ended.
        A callback that cannot be copied, as it holds a lock or an open file, is shared by all; a warning says so once.
    teacher
        The JSON file of ``nni_strategies teacher build``, as an absolute path that the trials' machines have too, or
        what is in it.
    options
        Of :class:`~nni_strategies.rsa.trial.Guide`: `alpha`, `proxy_epochs`, `mode`, `stop`, `layers`, …
        ``stop_mode="flag"`` ends Lightning's training by its own ``should_stop``, so that all of its hooks run; by
        default they end with ``on_exception``.

    Raises
    ------
    InvalidArgument
        A teacher, an option or an evaluator that cannot be used; before any trial.
    """

    def __init__(self, evaluator: Any = None, teacher: Path | str | Mapping[str, Any] = "", **options: Any) -> None:
        if not isinstance(evaluator, Evaluator):
            raise InvalidArgument("evaluator", repr(evaluator), "an evaluator of nni.nas, such as FunctionalEvaluator")
        size = len(json.dumps(teacher, default=str)) if isinstance(teacher, Mapping) else 0
        if size > LARGEST:  # it is part of every trial's parameters
            raise InvalidArgument("teacher", f"{size} bytes", f"at most {LARGEST} bytes, or the path of a file")
        self.evaluator = evaluator
        self.teacher = str(teacher) if isinstance(teacher, Path) else teacher
        self.options = options
        self.guide = Guide(self.teacher, **options)
        if self.guide.stop_mode == "flag" and not hasattr(evaluator, "trainer"):
            raise InvalidArgument("stop_mode", "flag", "raise: only Lightning's evaluators have a trainer to tell")
        _make_one_shot_strategies_clear()

    def evaluate(self, model: Any) -> Any:
        """Train a candidate until it is judged."""
        outcome = None
        _renew_trainer(self.evaluator)
        losses = _watch_losses(self.evaluator, self.guide.judge)
        with self.guide.attach(model, self._stop_trainer, losses):
            outcome = self.evaluator.evaluate(model)
        return outcome

    def extra_repr(self) -> str:
        return f"{self.evaluator!r}, teacher={self.teacher!r}, {self.options!r}"

    def _stop_trainer(self) -> None:
        self.evaluator.trainer.should_stop = True


def _renew_trainer(evaluator: Any) -> None:
    """Give a Lightning evaluator a trainer as new: one that trained a candidate goes on counting its epochs."""
    trainer = getattr(evaluator, "trainer", None)
    if trainer is None or not hasattr(trainer, "trace_copy"):
        return
    made = trainer.trace_copy()
    given = made.trace_kwargs.get("callbacks")
    if given is not None:  # they may count too
        made.trace_kwargs["callbacks"] = _copied(given)
    evaluator.trainer = made.get()
    if given is not None:
        evaluator.trainer.trace_kwargs["callbacks"] = given


def _copied(callbacks: Any) -> Any:
    """Return copies of a callback or of a list of them; those that cannot be copied themselves."""
    try:
        return copy.deepcopy(callbacks)  # together: they may know each other
    except Exception as error:  # whatever a user's class raises
        if isinstance(callbacks, (list, tuple)):
            return [_copied(callback) for callback in callbacks]
        if type(callbacks) not in _kept:
            name = type(callbacks).__name__
            _logger.warning("%s cannot be copied (%s): all candidates have the same, with its memory", name, error)
        _kept.add(type(callbacks))
        return callbacks


def _watch_losses(evaluator: Any, judge: Judge) -> Callable[[], dict[str, float]]:
    """Return what tells a Lightning trainer's losses, by the judge's keys: NNI's modules report their metrics only."""
    trainer: Any = getattr(evaluator, "trainer", None)
    if not isinstance(getattr(trainer, "callbacks", None), list):
        return dict
    from nni_strategies.rsa.lightning import EpochLosses  # Lightning is imported already, by the evaluator

    training = EpochLosses()
    trainer.callbacks.append(training)

    def losses() -> dict[str, float]:
        validation = float(trainer.callback_metrics.get("val_loss", math.nan))
        return {judge.loss_key: training.take(), judge.ce_key: validation}

    return losses


def _make_one_shot_strategies_clear() -> None:
    """Let them say what they take: NNI's only say that this evaluator is no Lightning one, which its inner one is."""
    loaded = sys.modules.get("nni.nas.oneshot.pytorch.strategy")
    if loaded is None or hasattr(loaded.OneShotStrategy.mutate_evaluator, "__wrapped__"):
        return
    stock = loaded.OneShotStrategy.mutate_evaluator

    @functools.wraps(stock)
    def mutate_evaluator(self: Any, evaluator: Any) -> Any:
        if isinstance(evaluator, TeacherGuidedEvaluator):
            allowed = "the inner evaluator, with nni_strategies.rsa.lightning.TeacherCallback among its callbacks"
            raise InvalidArgument("evaluator", "TeacherGuidedEvaluator", f"for a one-shot strategy {allowed}")
        return stock(self, evaluator)

    loaded.OneShotStrategy.mutate_evaluator = mutate_evaluator
