"""NAT for `nnictl`: ``className: nni_strategies.nat.tuner.NATTuner``, or ``name: NAT`` once registered."""

from __future__ import annotations

from typing import ClassVar

from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.nat.searcher import NATSearcher
from nni_strategies.search.searcher import Searcher


class NATTuner(StudyTuner):
    """NAT as an NNI tuner.

    ``classArgs`` are ``optimize_mode``, ``seed``, ``prior`` and the fields of
    :class:`~nni_strategies.nat.config.NATConfig`. A tuner sees labels alone: what operations cost, ``costs`` says.
    """

    searcher_class: ClassVar[type[Searcher]] = NATSearcher
