"""From a search space and expert networks to the similarity of any configuration, computed once each."""

from __future__ import annotations

import hashlib
import importlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.experts import Projected, projected
from nni_strategies.irlas.given_experts import Experts
from nni_strategies.irlas.stimuli import Measure, Reduce, Stimuli, check_features
from nni_strategies.space.parameters import Codes
from nni_strategies.space.search_space import Configuration, SearchSpace
from nni_strategies.topology.declared import declared
from nni_strategies.topology.graph_json import graph_to_json
from nni_strategies.topology.topology import Block

_logger = logging.getLogger(__name__)

BlocksOf = Callable[[Configuration], Sequence[Block]]

DEFAULT_EXPERTS = ("resnext", "resnet_basic", "densenet")

_MEMBERS = 2000
_LEAST_READ = 0.25
_SEED = 0  # of the reference: no part of a search's own seed
_KEPT = 50_000


def blocks_function(path: str | None, space: Any = None) -> BlocksOf:
    """Return what reads the blocks of a configuration.

    Parameters
    ----------
    path
        ``module:function``; None for the labels of the configuration.
    space
        A model space (or its class's name) whose topology is registered, for when labels do not say all.

    Raises
    ------
    InvalidArgument
        There is no such function.
    """
    if path is None:
        return lambda configuration: declared(configuration, space).blocks
    module, _, name = path.partition(":")
    try:
        namespace = importlib.import_module(module)
    except Exception as error:
        raise InvalidArgument("topology", path, f"module:function, importable: {error!r}") from error
    found = getattr(namespace, name, None)
    if not callable(found):
        names = [known for known, value in vars(namespace).items() if callable(value)]
        raise InvalidArgument("topology", path, f"a function of {module}", names)
    return cast("BlocksOf", found)


class ConfigurationScores:
    """Similarity and stimuli score of configurations of one space.

    Parameters
    ----------
    space
        What is searched.
    blocks_of
        The blocks of a configuration, canonical and in standard operations; it may raise for one it cannot read.
    experts
        Name -> canonical graph; or stimuli that were learned elsewhere, which are taken as they are.
    measure, reduce, features, irl
        See :meth:`~nni_strategies.irlas.stimuli.Stimuli.fit`; not asked of stimuli that were learned.

    Attributes
    ----------
    stimuli
        Frozen on 2,000 uniform members of the space, seed 0, unless they were learned elsewhere.
    projections
        How each expert was translated into the operations of the space.
    unreadable
        Configurations no topology could be read of; they count as a random member of the space.

    Raises
    ------
    InvalidArgument
        An unknown expert, an expert of which no operation occurs in the space, or a space of which no member's
        topology can be read.
    """

    def __init__(
        self,
        space: SearchSpace,
        blocks_of: BlocksOf,
        experts: Experts,
        *,
        measure: Measure = "cosine",
        reduce: Reduce = "mean",
        features: str = "wl",
        irl: str = "none",
    ) -> None:
        check_features(features, irl)
        self.space = space
        self.unreadable = 0
        self._blocks_of = blocks_of
        self._kept: OrderedDict[bytes, float] = OrderedDict()
        members = self._members()
        vocabulary = {label for blocks in members for block in blocks for label in block.graph.labels}
        self._learned = isinstance(experts, Stimuli)
        graphs = experts.experts if isinstance(experts, Stimuli) else experts
        self.projections: dict[str, Projected] = {name: projected(g, vocabulary) for name, g in graphs.items()}
        for name, one in self.projections.items():
            if one.unmapped >= 1:
                operations = ", ".join(sorted(vocabulary - {"input", "output"}))
                raise InvalidArgument("expert", name, f"made of operations of the space, which has {operations}")
        if isinstance(experts, Stimuli):
            if not experts.reference.size:
                raise InvalidArgument("stimuli", list(graphs), "fitted: their scale is that of members of a space")
            self.projections = {name: replace(p, graph=graphs[name]) for name, p in self.projections.items()}
            self.stimuli = experts
            return
        own = {name: one.graph for name, one in self.projections.items()}
        self.stimuli = Stimuli.fit(own, members, measure=measure, reduce=reduce, features=features, irl=irl)

    def _members(self) -> list[Sequence[Block]]:
        drawn = self.space.decode(self.space.sample_codes(np.random.default_rng(_SEED), _MEMBERS))
        members: list[Sequence[Block]] = []
        problem: Exception | None = None
        for configuration in drawn:
            try:
                blocks = tuple(self._blocks_of(configuration))
                if not blocks or not all(isinstance(block, Block) for block in blocks):
                    raise TypeError(f"{blocks!r} is no list of blocks")
                members.append(blocks)
            except Exception as error:  # a topology function may be somebody else's
                problem = error
        if len(members) < max(len(drawn) * _LEAST_READ, 1):
            allowed = f"one whose topology can be read, of a quarter of its members at least: {problem!r}"
            raise InvalidArgument("search_space", list(self.space.labels), allowed)
        if problem is not None:
            told = "the topology of %d of %d random members cannot be read, so they are left out: %r"
            _logger.warning(told, len(drawn) - len(members), len(drawn), problem)
        return members

    def similarities(self, codes: Codes) -> npt.NDArray[np.float64]:
        """Return F of points of the space, ``[n]``."""
        found = self._found(codes)
        return np.where(np.isnan(found), self.stimuli.mean, found)

    def _found(self, codes: Codes) -> npt.NDArray[np.float64]:
        """Return F of points of the space, ``[n]``, NaN where no topology can be read."""
        keys = [row.tobytes() for row in codes]
        fresh = {key: row for row, key in enumerate(keys) if key not in self._kept}
        for key, configuration in zip(fresh, self.space.decode(codes[list(fresh.values())]), strict=True):
            self._kept[key] = self._similarity(configuration)
        found = np.array([self._kept[key] for key in keys])
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found

    def _similarity(self, configuration: Configuration) -> float:
        try:
            return self.stimuli.similarity_of(self._blocks_of(configuration))
        except Exception as error:
            self.unreadable += 1
            if self.unreadable == 1:
                _logger.warning("no topology could be read, so it scores 0: %r", error)
            return float("nan")

    def score(self, configuration: Configuration) -> float:
        """Return S of one configuration, in [-1, 1]."""
        return self.stimuli.scaled(float(self.similarities(self.space.encode([configuration]))[0]))

    # -- for reports ------------------------------------------------------------------------------

    def remarks(self, configuration: Configuration) -> dict[str, Any]:
        """Return S and z of one configuration; S is 0 where no topology can be read, and that is said."""
        codes = self.space.encode([configuration])
        similarity = self.similarities(codes)[0]
        z = float(self.stimuli.normal_score(similarity))
        said = {"stimuli": round(self.stimuli.scaled(float(similarity)), 6), "z": round(z, 6)}
        return said | {"unreadable": True} if np.isnan(self._found(codes)[0]) else said

    def describe(self) -> dict[str, Any]:
        """Return what defines the scores, as JSON types: the experts as they were translated into the space."""
        experts = {
            name: {
                **graph_to_json(one.graph),
                "replaced": dict(one.replaced),
                "unmapped": round(one.unmapped, 4),
                "stimuli": round(self.stimuli.score(one.graph), 4),
            }
            for name, one in self.projections.items()
        }
        described = self.stimuli.describe() | {"experts": experts}
        if self._learned:  # the space does not tell their scale
            described["reference"] = hashlib.blake2b(self.stimuli.reference.tobytes(), digest_size=8).hexdigest()
        return described
