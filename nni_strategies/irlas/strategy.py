"""IRLAS for `nni.nas`: the exploration strategy of a ``NasExperiment``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.scoring import blocks_function
from nni_strategies.irlas.searcher import IRLASConfig, IRLASSearcher
from nni_strategies.search.searcher import Searcher
from nni_strategies.space.search_space import SearchSpace
from nni_strategies.topology.graph import TopologyGraph


class IRLAS(StudyStrategy):
    """IRLAS as an NNI exploration strategy.

    Keyword arguments are ``seed``, ``journal``, ``prior`` and the fields of
    :class:`~nni_strategies.irlas.searcher.IRLASConfig`. It guides itself: no ``MirrorStimuli`` is chained around it.

    Parameters
    ----------
    expert_blocks
        Name -> block, in place of ``experts``: canonical graphs, such as the blocks' that
        :func:`~nni_strategies.topology.extract.to_graph` reads of any network.
    """

    searcher_class: ClassVar[type[Searcher]] = IRLASSearcher
    shapes_itself: ClassVar[bool] = True

    def __init__(self, *, expert_blocks: Mapping[str, TopologyGraph] | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        given = expert_blocks.values() if isinstance(expert_blocks, Mapping) else ()
        if expert_blocks is not None and not (given and all(isinstance(g, TopologyGraph) for g in given)):
            raise InvalidArgument("expert_blocks", repr(expert_blocks), "a dictionary name -> TopologyGraph")
        self._expert_blocks = expert_blocks

    def make_searcher(self, space: SearchSpace) -> Searcher:
        """Build the agent; its blocks are read as those of the model space's class."""
        config = cast(IRLASConfig, self._args.config)
        blocks_of = blocks_function(config.topology, self._module)
        return IRLASSearcher(
            space, config, prior=self.make_prior(space), blocks_of=blocks_of, experts=self._expert_blocks
        )
