r"""One-hop features of a topology, and how near they are to those of experts.

The features are two normalised histograms: how often each operation occurs, and how often one reads another (the
graph's ends ``input`` and ``output`` are read and read too). Of a supernet they are expectations under the choices'
probabilities. With an expert's histograms q,

    F(p, q) = 1/2 sum over operations of sqrt(p q) + 1/2 sum over edges of sqrt(p q),

the cosine between square roots, in [0, 1] and 1 only for the expert's own histograms; of several experts the mean.
These are rounds 0 and 1 of a Weisfeiler-Lehman kernel, with edges in the place of whole neighbourhoods: an edge's
expectation is a product of probabilities, a neighbourhood's is not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, Union

from nni_strategies.errors import InvalidArgument
from nni_strategies.topology.graph import TopologyGraph

if TYPE_CHECKING:
    from torch import Tensor

Scalar = Union[float, "Tensor"]
Edge = tuple[str, str]
_Key = TypeVar("_Key", str, Edge)

_TINY = 1e-12  # the slope of a square root at zero would be infinite; where all is zero there is no share


@dataclass(frozen=True)
class OneHop:
    """Normalised one-hop histograms of an expert.

    Parameters
    ----------
    ops
        Standard operation -> share.
    edges
        (operation, operation that reads it) -> share; ``input`` and ``output`` are the graph's ends.

    Raises
    ------
    InvalidArgument
        Shares that are negative or do not sum to one.
    """

    ops: Mapping[str, float]
    edges: Mapping[Edge, float]

    def __post_init__(self) -> None:
        for field, shares in (("ops", self.ops.values()), ("edges", self.edges.values())):
            fine = all(share >= 0 for share in shares) and math.isclose(sum(shares), 1.0, abs_tol=1e-6)
            if not fine:
                raise InvalidArgument(field, sum(shares), "shares from 0 that sum to 1")

    @classmethod
    def of(cls, graph: TopologyGraph) -> OneHop:
        """Return the features of a graph of standard operations, which is made canonical first.

        Raises
        ------
        InvalidArgument
            A graph without operations.
        """
        canonical = graph.canonical()
        labels = canonical.labels
        ops = Counter(labels[1:-1])
        reads = enumerate(canonical.predecessors)
        edges = Counter((labels[source], labels[node]) for node, sources in reads for source in sources)
        if not ops:
            raise InvalidArgument("graph", list(graph.labels), "a graph with an operation")
        return cls(_shares(ops), _shares(edges))


def _shares(counts: Counter[_Key]) -> dict[_Key, float]:
    total = sum(counts.values())
    return {key: count / total for key, count in counts.items()}


def similarity(ops: Mapping[str, Scalar], edges: Mapping[Edge, Scalar], expert: OneHop) -> Scalar:
    """Return F of expected counts, not yet normalised, with an expert, in [0, 1]."""
    return 0.5 * _cosine(ops, expert.ops) + 0.5 * _cosine(edges, expert.edges)


def _cosine(counts: Mapping[_Key, Scalar], shares: Mapping[_Key, float]) -> Scalar:
    whole = sum(counts.values()) + _TINY
    common = counts.keys() & shares.keys()
    return sum((shares[key] * (counts[key] / whole + _TINY)) ** 0.5 for key in sorted(common))
