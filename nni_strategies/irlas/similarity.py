"""How much a block resembles the experts, F: what mirror stimuli are made of.

``wl`` compares Weisfeiler-Lehman histograms (:mod:`.wl`), with label weights learned by :mod:`.irl.kernel` or all 1.
The ``nsc_*`` features are the paper's form: a linear reward on discounted counts of a block's code, its weights learned
from one expert by inverse reinforcement learning (:mod:`.irl`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas import wl
from nni_strategies.irlas.irl.kernel import Histograms, KernelScore, fit_kernel
from nni_strategies.irlas.irl.report import IRLReport
from nni_strategies.topology.graph import TopologyGraph

Measure = Literal["cosine", "jaccard"]
Reduce = Literal["mean", "max"]

MEASURES: tuple[Measure, ...] = ("cosine", "jaccard")
REDUCES: tuple[Reduce, ...] = ("mean", "max")
ROUNDS = {"cosine": 1, "jaccard": 2}
WEIGHTS = (0.25, 0.35, 0.40)


class Similarity(Protocol):
    """From a canonical block to F, by expert; the higher the more alike."""

    def by_expert(self, graph: TopologyGraph) -> list[float]:
        """Return F to each expert."""

    def to_json(self) -> dict[str, Any]:
        """Return what defines it beside the experts' graphs, as JSON types."""


class WLSimilarity:
    """Similarity of Weisfeiler-Lehman histograms.

    Parameters
    ----------
    experts
        Name -> canonical graph.
    measure
        ``cosine`` or ``jaccard``.
    theta
        Label weights by expert, one list a round, of the Jaccard similarity; all 1 when None.

    Raises
    ------
    InvalidArgument
        An unknown measure, label weights for the cosine, or not one for each label.
    """

    def __init__(
        self,
        experts: Mapping[str, TopologyGraph],
        measure: Measure = "cosine",
        theta: Mapping[str, Sequence[Sequence[float]]] | None = None,
    ) -> None:
        if measure not in MEASURES:
            raise InvalidArgument("measure", measure, f"one of {', '.join(MEASURES)}", MEASURES)
        if theta is not None and measure != "jaccard":
            raise InvalidArgument("measure", measure, "jaccard, where label weights are learned")
        self.measure = measure
        self._view = wl.by_operations if measure == "cosine" else wl.whole
        rounds = ROUNDS[measure]
        self._numbering = wl.Numbering(rounds)
        self.neighbourhoods = {
            name: wl.Neighbourhoods(self._view(graph), rounds, self._numbering) for name, graph in experts.items()
        }
        self._theta = theta
        if theta is not None:
            self._check(theta)
        self._kernels = {
            name: KernelScore(tuple(own.histograms), tuple(np.array(row) for row in theta[name]), WEIGHTS)
            for name, own in self.neighbourhoods.items()
            if theta is not None
        }

    def _check(self, theta: Mapping[str, Sequence[Sequence[float]]]) -> None:
        for name, own in self.neighbourhoods.items():
            rows = theta.get(name, ())
            if len(rows) != len(own.histograms):
                allowed = f"{len(own.histograms)} lists of label weights, one a round"
                raise InvalidArgument(f"theta[{name!r}]", f"{len(rows)} lists", allowed)
            for number, (row, counts) in enumerate(zip(rows, own.histograms, strict=True)):
                if len(row) != len(counts):
                    allowed = f"{len(counts)} weights, one for each label of the expert in round {number}"
                    raise InvalidArgument(f"theta[{name!r}][{number}]", f"{len(row)} weights", allowed)

    def by_expert(self, graph: TopologyGraph) -> list[float]:
        """Return F to each expert, in [0, 1]."""
        nodes = self._view(graph)
        labels = self._numbering.labels(nodes)
        counts = {name: own.counted(labels, nodes.margin) for name, own in self.neighbourhoods.items()}
        return [self._to(name, counted, nodes.size) for name, counted in counts.items()]

    def _to(self, name: str, counts: Sequence[wl.Histogram], size: int) -> float:
        expert = self.neighbourhoods[name]
        if self.measure == "cosine":
            return wl.cosine(counts, size, expert)
        if name in self._kernels:
            return float(self._kernels[name].scores(_histograms([counts], [size]))[0])
        return wl.jaccard(counts, size, expert, WEIGHTS)

    def histograms(self, name: str, graphs: Sequence[TopologyGraph]) -> Histograms:
        """Return the counts of an expert's labels in many canonical blocks."""
        nodes = [self._view(graph) for graph in graphs]
        return _histograms([self.neighbourhoods[name].count(one) for one in nodes], [one.size for one in nodes])

    def to_json(self) -> dict[str, Any]:
        """Return measure and label weights."""
        theta = self._theta and {name: [list(map(float, row)) for row in rows] for name, rows in self._theta.items()}
        return {"features": "wl", "measure": self.measure, **({"theta": theta} if theta else {})}


def _histograms(counts: Sequence[Sequence[npt.NDArray[np.int64]]], sizes: Sequence[int]) -> Histograms:
    rounds = tuple(np.stack(rows) for rows in zip(*counts, strict=True))
    return Histograms(rounds, np.array(sizes))


def learned_wl(
    experts: Mapping[str, TopologyGraph], graphs: Sequence[TopologyGraph]
) -> tuple[WLSimilarity, dict[str, IRLReport]]:
    """Return the Jaccard similarity with label weights learned from random blocks, and a report for each expert."""
    plain = WLSimilarity(experts, "jaccard")
    theta, reports = {}, {}
    for name, own in plain.neighbourhoods.items():
        score, reports[name] = fit_kernel(own.histograms, plain.histograms(name, graphs), round_weights=WEIGHTS)
        theta[name] = [part.tolist() for part in score.theta]
    return WLSimilarity(experts, "jaccard", theta), reports
