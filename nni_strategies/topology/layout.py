"""A layered layout for drawing: layers by longest path, order within a layer by barycentres (Sugiyama et al. 1981)."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

from nni_strategies.topology.graph import TopologyGraph

_SWEEPS = 8

Point = tuple[float, float]


@dataclass(frozen=True)
class Edge:
    """A drawn edge.

    Parameters
    ----------
    source, target
        The nodes.
    points
        Where it passes, in layout coordinates, from the source to the target: one point a layer.
    count
        How often the target reads the source.
    """

    source: int
    target: int
    points: tuple[Point, ...]
    count: int


@dataclass(frozen=True)
class Layout:
    """Where to draw a graph.

    Parameters
    ----------
    positions
        ``(layer, row)`` of each node; layers count from 0 in the direction of the data flow, rows are centred on 0.
    edges
        The edges.
    """

    positions: tuple[Point, ...]
    edges: tuple[Edge, ...]


def layered_layout(graph: TopologyGraph) -> Layout:
    """Lay out `graph`; edges that span several layers get a free slot in each, so that they cross no node."""
    layer = [0] * len(graph.labels)
    for node, reads in enumerate(graph.predecessors):
        layer[node] = 1 + max((layer[p] for p in reads), default=-1)
    layer[-1] = max(1, *layer)
    paths: dict[tuple[int, int], list[int]] = {}  # the chain of slots of each edge
    slot_layer = list(layer)
    for target, reads in enumerate(graph.predecessors):
        for source in dict.fromkeys(reads):
            between = range(layer[source] + 1, layer[target])
            slots = list(range(len(slot_layer), len(slot_layer) + len(between)))
            slot_layer.extend(between)
            paths[source, target] = [source, *slots, target]
    rows = _rows(slot_layer, [pair for path in paths.values() for pair in itertools.pairwise(path)])
    counts = Counter((p, node) for node, reads in enumerate(graph.predecessors) for p in reads)
    return Layout(
        tuple((float(layer[node]), rows[node]) for node in range(len(layer))),
        tuple(
            Edge(source, target, tuple((float(slot_layer[s]), rows[s]) for s in path), counts[source, target])
            for (source, target), path in paths.items()
        ),
    )


def _rows(layers: list[int], links: list[tuple[int, int]]) -> list[float]:
    columns: list[list[int]] = [[] for _ in range(max(layers) + 1)]
    for slot, layer in enumerate(layers):
        columns[layer].append(slot)
    before: list[list[int]] = [[] for _ in layers]
    after: list[list[int]] = [[] for _ in layers]
    for source, target in links:
        before[target].append(source)
        after[source].append(target)
    rows = [0.0] * len(layers)
    best, fewest = list(rows), None
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for column in columns if forward else reversed(columns):
            near = before if forward else after
            wanted = {s: sum(rows[n] for n in near[s]) / len(near[s]) if near[s] else rows[s] for s in column}
            for place, slot in enumerate(sorted(column, key=lambda s: (wanted[s], rows[s], s))):
                rows[slot] = place - (len(column) - 1) / 2
        crossings = _crossings(layers, links, rows)
        if fewest is None or crossings < fewest:
            best, fewest = list(rows), crossings
    return _straightened(columns, [a + b for a, b in zip(before, after, strict=True)], best)


def _straightened(columns: list[list[int]], near: list[list[int]], rows: list[float]) -> list[float]:
    """Move slots towards their neighbours without changing their order or coming closer than one row."""
    rows = list(rows)
    for sweep in range(4 * _SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            ordered = sorted(column, key=lambda s: rows[s])
            wanted = [sum(rows[n] for n in near[s]) / len(near[s]) if near[s] else rows[s] for s in ordered]
            down, up = list(wanted), list(wanted)
            for i in range(1, len(ordered)):
                down[i] = max(down[i], down[i - 1] + 1)
                up[-1 - i] = min(up[-1 - i], up[-i] - 1)
            for slot, low, high in zip(ordered, down, up, strict=True):
                rows[slot] = (low + high) / 2
    middle = (max(rows) + min(rows)) / 2
    return [round(2 * (row - middle)) / 2 for row in rows] if _fits(columns, rows, middle) else rows


def _fits(columns: list[list[int]], rows: list[float], middle: float) -> bool:
    """Whether snapping to half rows keeps slots of a layer a row apart."""
    snapped = [round(2 * (row - middle)) / 2 for row in rows]
    return all(
        b - a >= 1 for column in columns for a, b in itertools.pairwise(sorted(snapped[s] for s in column))
    )


def _crossings(layers: list[int], links: list[tuple[int, int]], rows: list[float]) -> int:
    total = 0
    for i, (a, b) in enumerate(links):
        for c, d in links[:i]:
            if layers[a] == layers[c] and (rows[a] - rows[c]) * (rows[b] - rows[d]) < 0:
                total += 1
    return total
