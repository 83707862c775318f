"""NSC blocks as graphs, and graphs as NSC blocks.

In the graph identities are contracted, and pooling with a kernel of 1 is one; what two or more loose ends are joined
by is a ``concat``, as is a layer that concatenates: the 1x1 convolution behind either is no node. A code of a graph
that joins a node to itself, or that puts out a node that is read as well, needs an identity.

The layers of a graph's code come in an order that follows from its structure, so that isomorphic graphs have one code,
unless some nodes have one hash without being exchangeable.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Any

from nni_strategies.errors import InvalidArgument
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.nsc import (
    AVGPOOL,
    CONCATENATION,
    CONV,
    IDENTITY,
    JOINING,
    KERNELS,
    MAXPOOL,
    TERMINAL,
    TYPES,
    Block,
    Layer,
    loose_ends,
    parse_block,
)
from nni_strategies.topology.operations import CONCAT, INPUT, OUTPUT

#: The kinds of convolution a space may have, and what its graphs call one of each kernel.
CONVOLUTIONS = {
    "plain": {1: "conv1", 3: "conv3", 5: "conv5"},
    "sep": {1: "sepconv1", 3: "sepconv3", 5: "sepconv5"},
    "grouped": {1: "conv1", 3: "gconv3", 5: "gconv5"},  # groups would keep a 1x1 from mixing channels
}


def _labelled(convolutions: dict[int, str]) -> dict[tuple[int, int], str]:
    labels = {(number, 0): name for number, name in enumerate(TYPES, start=1) if number not in KERNELS}
    for pool in (MAXPOOL, AVGPOOL):
        labels |= {(pool, 1): "identity", (pool, 3): f"{TYPES[pool - 1]}3"}
    return labels | {(CONV, kernel): label for kernel, label in convolutions.items()}


_LABELS = {conv: _labelled(convolutions) for conv, convolutions in CONVOLUTIONS.items()}


def _labels(conv: str) -> dict[tuple[int, int], str]:
    if conv not in CONVOLUTIONS:
        raise InvalidArgument("conv", conv, f"one of {list(CONVOLUTIONS)}", CONVOLUTIONS)
    return _LABELS[conv]


def block_graph(block: Iterable[Sequence[Any]], conv: str = "plain") -> TopologyGraph:
    """Return the canonical graph of a block in standard operations.

    Parameters
    ----------
    block
        See :func:`.nsc.parse_block`.
    conv
        What its convolutions are: one of `CONVOLUTIONS`.

    Raises
    ------
    InvalidArgument
        See :func:`.nsc.parse_block`, or another kind of convolution.
    """
    return parsed_graph(parse_block(block), conv)


def parsed_graph(block: Block, conv: str = "plain") -> TopologyGraph:
    """Return the same of a block that was parsed or drawn, which is not checked again."""
    names, labels = _labels(conv), [INPUT]
    reads: list[tuple[int, ...]] = [()]
    for layer in block[:-1]:
        labels.append(names[layer[1], layer[2]])
        reads.append((layer[4], layer[3]) if layer[1] in JOINING else (layer[3],))
    ends = loose_ends(block)
    if len(ends) > 1:
        labels.append(CONCAT)
        reads.append(ends)
        ends = (len(labels) - 1,)
    return TopologyGraph((*labels, OUTPUT), (*reads, ends)).canonical()


def graph_block(graph: TopologyGraph, conv: str = "plain", most: int | None = None) -> Block:
    """Return the code of a graph.

    Parameters
    ----------
    graph
        One whose canonical form has the operations of layers only, and joins two at a time but for sums and the
        output.
    conv
        What its convolutions are: one of `CONVOLUTIONS`.
    most
        Most operations.

    Raises
    ------
    InvalidArgument
        An operation that no layer has, a wide concatenation before the output, an output that reads nothing, too many
        operations.
    """
    layers, graph = _Layers(conv), graph.canonical()
    if not graph.predecessors[-1]:
        raise InvalidArgument("graph", graph.labels, "a graph whose output reads something")
    (last,) = graph.predecessors[-1]
    joined = graph.labels[last] == CONCAT
    ends = graph.predecessors[last] if joined else (last,)
    index = {0: 0}
    for node in _structural_order(graph, last if joined else last + 1):
        reads = sorted((index[p] for p in graph.predecessors[node]), reverse=True)
        index[node] = layers.add(graph.labels[node], reads)
    layers.leave_loose([index[p] for p in ends])
    return parse_block(layers.layers, most)


class _Layers:
    """A code that grows."""

    def __init__(self, conv: str) -> None:
        self.layers: list[Layer] = []
        self._copies: dict[int, int] = {}
        self._types = {label: layer for layer, label in _labels(conv).items() if layer[0] != TERMINAL}
        self._types["identity"] = IDENTITY, 0  # not a pooling of 1

    def add(self, label: str, reads: Sequence[int]) -> int:
        """Append a node that reads others, the latest first, and return its index."""
        if label not in self._types:
            raise InvalidArgument("graph", label, f"operations {sorted(self._types)}", self._types)
        kind, kernel = self._types[label]
        if kind not in JOINING:
            return self._append(kind, kernel, *reads)
        if kind == CONCATENATION and len(reads) > 2:
            raise InvalidArgument("graph", f"concat of {len(reads)}", "concat of 2, but for what the block puts out")
        first, *others = reads
        second = next((other for other in others if other != first), first)
        others.remove(second)
        node = self._append(kind, 0, self._copy(first) if first == second else first, second)
        for other in others:
            node = self._append(kind, 0, node, other)
        return node

    def _copy(self, node: int) -> int:
        if node not in self._copies:
            self._copies[node] = self._append(IDENTITY, 0, node)
        return self._copies[node]

    def leave_loose(self, ends: Sequence[int]) -> None:
        """Append the identities without which these would not be what nobody reads."""
        taken = {0, *(p for layer in self.layers for p in layer.reads)}
        for end in sorted(ends):
            if end in taken or ends.count(end) > 1:
                self._append(IDENTITY, 0, end)

    def _append(self, kind: int, kernel: int, first: int, second: int = 0) -> int:
        self.layers.append(Layer(len(self.layers) + 1, kind, kernel, first, second))
        return len(self.layers)


def _structural_order(graph: TopologyGraph, stop: int) -> list[int]:
    """Return the nodes from 1 to below `stop`, each after those it reads; the order depends on the structure only."""
    hashes, position = graph._refined, {0: 0}
    waiting = {node: set(graph.predecessors[node]) - {0} for node in range(1, min(stop, len(graph.labels) - 1))}
    readers: dict[int, list[int]] = {}
    for node, reads in waiting.items():
        for p in reads:
            readers.setdefault(p, []).append(node)

    def entry(node: int) -> tuple[list[int], str, int]:
        return sorted((position[p] for p in graph.predecessors[node]), reverse=True), hashes[node], node

    ready = [entry(node) for node, reads in waiting.items() if not reads]
    heapq.heapify(ready)
    while ready:
        node = heapq.heappop(ready)[-1]
        position[node] = len(position)
        for reader in readers.get(node, ()):
            waiting[reader].discard(node)
            if not waiting[reader]:
                heapq.heappush(ready, entry(reader))
    return list(position)[1:]
