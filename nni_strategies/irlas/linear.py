"""The paper's mirror stimuli: F(b) = w . mu(b), linear in discounted counts of a block's network structure code.

Source: Guo et al., IRLAS, 1812.05285; the features and the fit are a reconstruction (:mod:`.irl`). They score blocks of
NSC spaces, and of others as far as their operations have a code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.irl.demonstration import Demonstration
from nni_strategies.irlas.irl.max_entropy import max_entropy
from nni_strategies.irlas.irl.max_margin import max_margin
from nni_strategies.irlas.irl.projection import projection
from nni_strategies.irlas.irl.report import IRLReport
from nni_strategies.irlas.nsc_features import BlockArray, NSCFeatures
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.nsc import Block
from nni_strategies.topology.nsc_graph import CONVOLUTIONS, graph_block

LinearMethod = Literal["projection", "max_margin", "max_entropy"]

METHODS: Mapping[str, Callable[[Demonstration], IRLReport]] = {
    "projection": projection,
    "max_margin": max_margin,
    "max_entropy": max_entropy,
}

_LAYERS = 12


class LinearSimilarity:
    """A linear reward, one for each expert.

    Parameters
    ----------
    reports
        What was learned, by expert.
    conv
        What the convolutions of the space are: ``plain``, ``sep`` or ``grouped``.
    """

    def __init__(self, reports: Mapping[str, IRLReport], conv: str) -> None:
        self.reports, self.conv = dict(reports), conv

    def by_expert(self, graph: TopologyGraph) -> list[float]:
        """Return F by each expert's weights.

        Raises
        ------
        InvalidArgument
            The block has no code.
        """
        block = BlockArray.of([graph_block(graph, self.conv)])
        return [float(report.scores(block)[0]) for report in self.reports.values()]

    def to_json(self) -> dict[str, Any]:
        """Return the reports and the kind of convolution."""
        features = next(iter(self.reports.values())).features
        reports = {name: report.to_json() for name, report in self.reports.items()}
        return {"features": features, "conv": self.conv, "reports": reports}


def learned_linear(
    experts: Mapping[str, TopologyGraph], graphs: Sequence[TopologyGraph], features: str, method: str
) -> LinearSimilarity:
    """Learn the weights of each expert's linear reward.

    Parameters
    ----------
    experts
        Name -> canonical graph.
    graphs
        Canonical blocks of random members of the space.
    features
        One of :data:`~nni_strategies.irlas.nsc_features.FEATURES`.
    method
        ``projection``, ``max_margin`` or ``max_entropy``.

    Raises
    ------
    InvalidArgument
        An unknown method or features, or blocks that have no network structure code.
    """
    if method not in METHODS:
        raise InvalidArgument("irl", method, f"one of {', '.join(METHODS)} with linear features", METHODS)
    phi = NSCFeatures(features)
    conv = _convolutions([*experts.values(), *graphs])
    randoms = [graph_block(graph, conv) for graph in graphs]
    coded = {name: graph_block(graph, conv) for name, graph in experts.items()}
    layers = max(_LAYERS, *(len(block) for block in (*randoms, *coded.values())))
    reports = {name: _fitted(phi, block, randoms, layers, method) for name, block in coded.items()}
    return LinearSimilarity(reports, conv)


def _fitted(features: NSCFeatures, expert: Block, randoms: Sequence[Block], layers: int, method: str) -> IRLReport:
    return METHODS[method](Demonstration(features, expert, randoms, layers))


def _convolutions(graphs: Sequence[TopologyGraph]) -> str:
    """Return the kind of convolution in which all blocks have a code."""
    problems = {}
    for conv in CONVOLUTIONS:
        try:
            for graph in graphs:
                graph_block(graph, conv)
            return conv
        except InvalidArgument as error:
            problems[conv] = str(error)
    allowed = f"wl: not all blocks of this space have a network structure code ({next(iter(problems.values()))})"
    raise InvalidArgument("features", "nsc", allowed)


def from_json(document: Mapping[str, Any]) -> LinearSimilarity:
    """Read what :meth:`LinearSimilarity.to_json` wrote; raises whatever a damaged document gives rise to."""
    reports = {name: IRLReport.from_json(entry) for name, entry in document["reports"].items()}
    for name, report in reports.items():
        wanted, there = NSCFeatures(report.features, report.gamma).size, len(report.weights)
        if there != wanted:
            allowed = f"{wanted} weights, one for each of {report.features}"
            raise InvalidArgument(f"reports[{name!r}].weights", f"{there} weights", allowed)
    return LinearSimilarity(reports, str(document["conv"]))

