"""LaNAS for `nni.nas`: the exploration strategy of a ``NasExperiment``."""

from __future__ import annotations

from typing import ClassVar

from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.searcher import Searcher


class LaNAS(StudyStrategy):
    """LaNAS as an NNI exploration strategy.

    Keyword arguments are ``seed``, ``journal``, ``prior`` and the fields of
    :class:`~nni_strategies.lanas.config.LaNASConfig`.
    """

    searcher_class: ClassVar[type[Searcher]] = LaNASSearcher
