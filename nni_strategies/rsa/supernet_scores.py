"""TG of architectures that were never trained alone: the path of a supernet is what the teacher looks at.

The supernet's batch-norm statistics are those of all paths together, so each path is normalised by the batch of
stimuli. Nothing is trained, and the supernet keeps its weights, buffers and modes; the path that is set is the last.

Deviation: the paper scores candidates that were trained alone for some epochs (1808.01405).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nni_strategies.rsa.score import ScoreOptions, ScoreResult, TeacherScorer
from nni_strategies.rsa.teacher import Teacher
from nni_strategies.supernet.network import Supernet


class SupernetTeacherScorer:
    """Scores the architectures of a supernet against one teacher.

    Parameters
    ----------
    supernet
        Trained.
    teacher
        From :func:`~.teacher.load_teacher`.
    options
        How an architecture is looked at; `bn` is always ``batch``.
    stimuli
        As of :class:`~.score.TeacherScorer`.

    Raises
    ------
    InvalidArgument
        See :class:`~.score.TeacherScorer`.
    """

    def __init__(
        self,
        supernet: Supernet,
        teacher: Teacher,
        options: ScoreOptions | None = None,
        *,
        stimuli: torch.Tensor | None = None,
    ) -> None:
        self.supernet = supernet
        self._scorer = TeacherScorer(teacher, replace(options or ScoreOptions(), bn="batch"), stimuli=stimuli)

    def score(self, configuration: Mapping[str, Any]) -> ScoreResult:
        """Return all that is known of one architecture.

        Raises
        ------
        InvalidConfiguration
            It is not of the space.
        InvalidArgument
            See :meth:`.score.TeacherScorer.score`.
        """
        return self._scorer.score(self.supernet.set(configuration))

    def __call__(self, configuration: Mapping[str, Any]) -> float:
        """Return TG of one architecture; NaN when none of its layers says anything."""
        return self.score(configuration).tg

    def scores(self, configurations: Iterable[Mapping[str, Any]]) -> npt.NDArray[np.float64]:
        """Return TG of architectures, ``[n]``."""
        return np.array([self(configuration) for configuration in configurations], dtype=np.float64)
