"""Weisfeiler-Lehman histograms: how much a graph is made of the same neighbourhoods as an expert's.

Round 0 labels a node with its operation; round r+1 labels it with its own label, those it reads and those that read
it, all of round r, each sorted (directed Weisfeiler-Lehman; Shervashidze et al., JMLR 2011). x_r(g) counts the labels
of round r among n(g) nodes of g. Two similarities in [0, 1], 1 exactly for equal histograms:

    cosine    mean over r of  sum_j sqrt(x_j(g) x_j(E)) / sqrt(n(g) n(E))          (Bhattacharyya; rounds 0 and 1)
    jaccard   sum over r of c_r (sum_j min(x_j(g), x_j(E))) / (sum_j max(...))     (rounds 0 to 2; c = .25, .35, .40)

The Jaccard similarity is that of whole graphs. The cosine compares what the operations do: sums are no nodes, an
operation reads what the sum would; a shortcut (an operand of a sum that others read too, or the input) is a node
``skip``; input and output are seen as neighbours only.

Only labels experts have can match, so only those are numbered: what else there is counts by its number alone, and a
search of any length needs no more memory. Labels are compared as wholes: no hash, the same result in every process.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.operations import ADD

Histogram = npt.NDArray[np.int64]

SKIP = "skip"

_OTHER = -1
_Label = tuple[int, tuple[int, ...], tuple[int, ...]]


class Nodes(NamedTuple):
    """Labels and predecessors in topological order, and how many nodes at either end are not counted."""

    labels: Sequence[str]
    predecessors: Sequence[Sequence[int]]
    margin: int

    @property
    def size(self) -> int:
        """Number of the nodes that are counted."""
        return len(self.labels) - 2 * self.margin


def whole(graph: TopologyGraph) -> Nodes:
    """Return a graph as it is, all nodes counted."""
    return Nodes(graph.labels, graph.predecessors, 0)


def by_operations(graph: TopologyGraph) -> Nodes:
    """Return what the operations of a canonical graph do: sums implicit, shortcuts explicit."""
    n_readers = [0] * len(graph.labels)
    for read in graph.predecessors:
        for p in read:
            n_readers[p] += 1
    labels: list[str] = []
    predecessors: list[list[int]] = []
    stands_for: list[list[int]] = []  # for each node of the graph: the nodes that bring its value

    def append(label: str, reads: list[int]) -> int:
        labels.append(label)
        predecessors.append(reads)
        return len(labels) - 1

    for label, read in zip(graph.labels, graph.predecessors, strict=True):
        if label != ADD:
            stands_for.append([append(label, [q for p in read for q in stands_for[p]])])
            continue
        operands: list[int] = []
        for p in read:
            shortcut = p == 0 or n_readers[p] > 1
            operands += [append(SKIP, stands_for[p])] if shortcut else stands_for[p]
        stands_for.append(operands)
    return Nodes(labels, predecessors, 1)


class Numbering:
    """Numbers for the labels of experts: nodes are labelled once for all of them.

    Parameters
    ----------
    rounds
        The highest round, 0 or more.
    """

    def __init__(self, rounds: int) -> None:
        self._names: dict[str, int] = {}
        self._deeper: list[dict[_Label, int]] = [{} for _ in range(rounds)]

    def add(self, expert: Nodes) -> list[list[int]]:
        """Return the labels of an expert's nodes, one list a round; those that are new are numbered."""
        labels = [self._names.setdefault(label, len(self._names)) for label in expert.labels]
        rounds, readers = [labels], _readers(expert)
        for known in self._deeper:
            labels = [known.setdefault(one, len(known)) for one in _refined(expert, labels, readers)]
            rounds.append(labels)
        return rounds

    def labels(self, nodes: Nodes) -> list[list[int]]:
        """Return the labels of nodes, one list a round; -1 for what no expert has."""
        labels = [self._names.get(label, _OTHER) for label in nodes.labels]
        rounds, readers = [labels], _readers(nodes) if self._deeper else []
        for known in self._deeper:
            labels = [known.get(one, _OTHER) for one in _refined(nodes, labels, readers)]
            rounds.append(labels)
        return rounds


class Neighbourhoods:
    """The labels of an expert.

    Parameters
    ----------
    expert
        Its nodes.
    rounds
        The highest round, 0 or more.
    numbering
        Shared with other experts; one of its own when None.

    Attributes
    ----------
    histograms
        The expert's own, one a round, each ``[n_labels]``.
    size
        Number of the expert's nodes that are counted.
    """

    def __init__(self, expert: Nodes, rounds: int, numbering: Numbering | None = None) -> None:
        self.size = expert.size
        self._numbering = Numbering(rounds) if numbering is None else numbering
        labels = self._numbering.add(expert)
        self._own = [np.array(list(dict.fromkeys(one))) for one in labels]
        self.histograms = self.counted(labels, expert.margin)

    def count(self, nodes: Nodes) -> list[Histogram]:
        """Return how often each of the expert's labels occurs, one ``[n_labels]`` a round."""
        return self.counted(self._numbering.labels(nodes), nodes.margin)

    def counted(self, labels: Sequence[Sequence[int]], margin: int) -> list[Histogram]:
        """Return the same of nodes that were labelled by the numbering."""
        counts = []
        for one, own in zip(labels, self._own, strict=True):
            known = [label for label in one[margin : len(one) - margin] if label != _OTHER]
            counts.append(np.bincount(known, minlength=int(own.max()) + 1)[own])
        return counts


def _readers(nodes: Nodes) -> list[list[int]]:
    readers: list[list[int]] = [[] for _ in nodes.labels]
    for node, read in enumerate(nodes.predecessors):
        for p in read:
            readers[p].append(node)
    return readers


def _refined(nodes: Nodes, labels: list[int], readers: list[list[int]]) -> list[_Label]:
    return [
        (own, tuple(sorted([labels[p] for p in read])), tuple(sorted([labels[r] for r in reads_it])))
        for own, read, reads_it in zip(labels, nodes.predecessors, readers, strict=True)
    ]


def cosine(counts: Sequence[Histogram], size: int, expert: Neighbourhoods) -> float:
    """Return the mean over the rounds of the cosine of square roots of histograms.

    Parameters
    ----------
    counts
        ``expert.count(nodes)``.
    size
        ``nodes.size``.
    """
    if not size or not expert.size:
        return 0.0
    total = sum(float(np.sqrt(x * e).sum()) for x, e in zip(counts, expert.histograms, strict=True))
    return total / len(counts) / math.sqrt(size * expert.size)


def jaccard(counts: Sequence[Histogram], size: int, expert: Neighbourhoods, weights: Sequence[float]) -> float:
    """Return the weighted Jaccard similarity of histograms, see :func:`cosine`; `weights` has one number a round."""
    total = 0.0
    for x, e, weight in zip(counts, expert.histograms, weights, strict=True):
        shared = int(np.minimum(x, e).sum())
        total += weight * shared / (size + expert.size - shared)
    return total
