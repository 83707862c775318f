"""IRLAS for `nnictl`: ``className: nni_strategies.irlas.tuner.IRLASTuner``, or ``name: IRLAS`` once registered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nni_strategies.bridge.class_args import ClassArgs
from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.irlas.given_experts import names_of, read_experts
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS
from nni_strategies.irlas.searcher import IRLASSearcher
from nni_strategies.search.searcher import Searcher
from nni_strategies.space.search_space import SearchSpace


class IRLASTuner(StudyTuner):
    """IRLAS as an NNI tuner.

    ``classArgs`` are ``optimize_mode``, ``seed``, ``prior`` and the fields of
    :class:`~nni_strategies.irlas.searcher.IRLASConfig`; ``experts`` may be whatever
    :func:`~nni_strategies.irlas.given_experts.read_experts` reads, also ``{name: layers of a code}``.
    """

    searcher_class: ClassVar[type[Searcher]] = IRLASSearcher

    def read_args(self, optimize_mode: Any, seed: Any, class_args: Mapping[str, Any]) -> ClassArgs:
        """Read the experts too."""
        given = class_args.get("experts", DEFAULT_EXPERTS)
        self._experts = read_experts(given)
        named = {**class_args, "experts": names_of(given, self._experts)}
        return super().read_args(optimize_mode, seed, named)

    def make_searcher(self, space: SearchSpace) -> Searcher:
        """Build the agent."""
        prior = None if self._make_prior is None else self._make_prior(space)
        return IRLASSearcher(space, self._args.config if self._args else None, prior=prior, experts=self._experts)
