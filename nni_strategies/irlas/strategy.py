"""IRLAS for `nni.nas`: the exploration strategy of a ``NasExperiment``."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.irlas.given_experts import names_of, read_experts
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS, blocks_function
from nni_strategies.irlas.searcher import IRLASConfig, IRLASSearcher
from nni_strategies.search.searcher import Searcher
from nni_strategies.space.search_space import SearchSpace


class IRLAS(StudyStrategy):
    """IRLAS as an NNI exploration strategy.

    Keyword arguments are ``seed``, ``journal``, ``prior`` and the fields of
    :class:`~nni_strategies.irlas.searcher.IRLASConfig`. It guides itself: no ``MirrorStimuli`` is chained around it.

    Parameters
    ----------
    experts
        Names of built-in experts, files, graphs, networks, stimuli: see :func:`~.given_experts.read_experts`.

    Raises
    ------
    InvalidArgument
        An unknown name, a bad value, or an expert that cannot be read.
    """

    searcher_class: ClassVar[type[Searcher]] = IRLASSearcher
    shapes_itself: ClassVar[bool] = True

    def __init__(self, *, experts: Any = DEFAULT_EXPERTS, **arguments: Any) -> None:
        self._experts = read_experts(experts)
        super().__init__(experts=names_of(experts, self._experts), **arguments)

    def make_searcher(self, space: SearchSpace) -> Searcher:
        """Build the agent; its blocks are read as those of the model space's class."""
        config = cast(IRLASConfig, self._args.config)
        blocks_of = blocks_function(config.topology, self._module)
        prior = self.make_prior(space)
        return IRLASSearcher(space, config, prior=prior, blocks_of=blocks_of, experts=self._experts)
