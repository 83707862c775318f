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

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
from nni.nas.evaluator import Evaluator, MutableEvaluator

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.trial import Guide


@nni.trace
class TeacherGuidedEvaluator(MutableEvaluator):  # type: ignore[misc]  # NNI has no types
    """Wraps an evaluator.

    Parameters
    ----------
    evaluator
        What trains and reports: ``FunctionalEvaluator``, ``Lightning``, ``Classification``, or your own.
    teacher
        The JSON file of ``nni_strategies teacher build``, as an absolute path that the trials' machines have too, or
        what is in it.
    options
        Of :class:`~nni_strategies.rsa.trial.Guide`: `alpha`, `proxy_epochs`, `mode`, `stop`, `layers`, …

    Raises
    ------
    InvalidArgument
        A teacher, an option or an evaluator that cannot be used; before any trial.
    """

    def __init__(self, evaluator: Any = None, teacher: Path | str | Mapping[str, Any] = "", **options: Any) -> None:
        if not isinstance(evaluator, Evaluator):
            raise InvalidArgument("evaluator", repr(evaluator), "an evaluator of nni.nas, such as FunctionalEvaluator")
        self.evaluator = evaluator
        self.teacher = str(teacher) if isinstance(teacher, Path) else teacher
        self.options = options
        self.guide = Guide(self.teacher, **options)

    def evaluate(self, model: Any) -> Any:
        """Train a candidate until it is judged."""
        outcome = None
        with self.guide.attach(model):
            outcome = self.evaluator.evaluate(model)
        return outcome

    def extra_repr(self) -> str:
        return f"{self.evaluator!r}, teacher={self.teacher!r}, {self.options!r}"
