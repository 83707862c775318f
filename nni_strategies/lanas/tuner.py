"""LaNAS for `nnictl`: ``className: nni_strategies.lanas.tuner.LaNASTuner``, or ``name: LaNAS`` once registered."""

from __future__ import annotations

from typing import ClassVar

from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.searcher import Searcher


class LaNASTuner(StudyTuner):
    """LaNAS as an NNI tuner.

    ``classArgs`` are ``optimize_mode``, ``seed`` and the fields of :class:`~nni_strategies.lanas.config.LaNASConfig`.
    """

    searcher_class: ClassVar[type[Searcher]] = LaNASSearcher
