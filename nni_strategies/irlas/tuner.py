"""IRLAS for `nnictl`: ``className: nni_strategies.irlas.tuner.IRLASTuner``, or ``name: IRLAS`` once registered."""

from __future__ import annotations

from typing import ClassVar

from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.irlas.searcher import IRLASSearcher
from nni_strategies.search.searcher import Searcher


class IRLASTuner(StudyTuner):
    """IRLAS as an NNI tuner.

    ``classArgs`` are ``optimize_mode``, ``seed`` and the fields of :class:`~nni_strategies.irlas.searcher.IRLASConfig`.
    """

    searcher_class: ClassVar[type[Searcher]] = IRLASSearcher
