"""A cell before and after its operations were changed, drawn alike: data flows downwards, boxes are operations.

Both drawings have one layout, since edges stay where they are. What was changed has a heavy frame and says what it was
or becomes. Whatever carries nothing, a null or what only nulls feed or read, is dashed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from nni_strategies.report.drawing import family, tidy
from nni_strategies.topology.cells import Loose, cells_of
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.layout import Edge, Layout, Point, layered_layout
from nni_strategies.topology.operations import ADD, CONCAT, INPUT, OUTPUT, is_zero

_LAYER, _GAP, _MARGIN = 52, 8, 10
_BOX, _TALL = 26, 38  # heights; a changed box has two lines
_DOT = 20
_LEAST = 0.72  # of its size: a smaller drawing cannot be read, so it is scrolled


@dataclass(frozen=True)
class CellPair:
    """A cell before and after.

    Parameters
    ----------
    name
        Of the cell.
    graph
        Its operations named by their labels: the same before and after.
    before, after
        Label -> operation.
    """

    name: str
    graph: TopologyGraph
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def changed(self) -> list[str]:
        """The labels whose operations differ."""
        return [label for label in self.graph.labels if self.before.get(label) != self.after.get(label)]


def cell_pairs(before: Mapping[str, Any], after: Mapping[str, Any], concat: Loose = "loose_end") -> list[CellPair]:
    """Return the cells of two configurations that differ in operations; empty where labels make no graph."""
    changed = {label for label in before if before[label] != after.get(label)}
    named = {label: label if isinstance(v, str) or label in changed else v for label, v in before.items()}
    return [CellPair(name, graph, before, after) for name, graph in cells_of(named, concat=concat).items()]


def draw_pair(pair: CellPair) -> tuple[str, str, float]:
    """Return both drawings as ``<svg>`` elements, and their width in pixels."""
    place = _Places(pair)
    first = _draw(pair, place, pair.before, {label: f"→ {_name(pair.after[label])}" for label in pair.changed})
    second = _draw(pair, place, pair.after, {label: _was(pair.before[label]) for label in pair.changed})
    return first, second, place.width


class _Places:
    """Where the nodes of both drawings are."""

    def __init__(self, pair: CellPair) -> None:
        layout: Layout = layered_layout(pair.graph)
        self.edges = layout.edges
        named = [label for label in pair.graph.labels if label in pair.before]
        texts = [_name(side[label]) for label in named for side in (pair.before, pair.after)]
        notes = [_was(pair.before[label]) for label in pair.changed]
        self.box = max([46.0, *(7.0 * len(text) + 16 for text in texts), *(5.6 * len(text) + 14 for text in notes)])
        slots = [*layout.positions, *(point for edge in layout.edges for point in edge.points)]
        self._left = min(row for _, row in slots)
        self.width = (max(row for _, row in slots) - self._left) * (self.box + _GAP) + self.box + 2 * _MARGIN
        self.height = max(layer for layer, _ in slots) * _LAYER + _TALL + 2 * _MARGIN
        self.nodes = [self.at(point) for point in layout.positions]

    def at(self, point: Point) -> Point:
        layer, row = point
        x = _MARGIN + self.box / 2 + (row - self._left) * (self.box + _GAP)
        return x, _MARGIN + _TALL / 2 + layer * _LAYER


def _draw(pair: CellPair, place: _Places, operations: Mapping[str, Any], notes: Mapping[str, str]) -> str:
    live = live_nodes(pair.graph, operations)
    parts = [_draw_edge(edge, pair, place, live[edge.source] and live[edge.target]) for edge in place.edges]
    for node, label in enumerate(pair.graph.labels):
        parts.append(_draw_node(label, operations, notes.get(label), live[node], place, node))
    said = f"cell {pair.name}: " + ", ".join(f"{label} {_name(operations[label])}" for label in notes)
    return (
        f'<svg class="cell" role="img" aria-label="{escape(said, quote=True)}" '
        f'viewBox="0 0 {place.width:.0f} {place.height:.0f}" width="{place.width:.0f}" height="{place.height:.0f}" '
        f'style="max-width:max(100%,{_LEAST * place.width:.0f}px)">'
        f"{''.join(parts)}</svg>"
    )


def live_nodes(graph: TopologyGraph, operations: Mapping[str, Any]) -> list[bool]:
    """Return which nodes lie on a way from the input to the output without a null."""
    zero = [label in operations and is_zero(str(operations[label])) for label in graph.labels]
    fed = [False] * len(zero)
    read = [False] * len(zero)
    fed[0] = read[-1] = True
    for node, reads in enumerate(graph.predecessors):
        fed[node] = fed[node] or (not zero[node] and any(fed[p] for p in reads))
    for node in reversed(range(len(zero))):
        for p in graph.predecessors[node] if read[node] and not zero[node] else ():
            read[p] = True
    return [fed[i] and read[i] and not zero[i] for i in range(len(zero))]


def _draw_node(
    label: str, operations: Mapping[str, Any], note: str | None, live: bool, place: _Places, node: int
) -> str:
    x, y = place.nodes[node]
    operation = str(operations.get(label, label))
    kinds = ["op", family(operation), *([] if live else ["dead"]), *(["changed"] if note else [])]
    title = f"<title>{escape(f'{label}: {operation}' if label in operations else label)}</title>"
    if label in (ADD, CONCAT):
        text = "+" if label == ADD else "‖"
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_DOT / 2}"/><text x="{x:.1f}" y="{y + 4.5:.1f}">{text}</text>'
        return f'<g class="{" ".join(kinds)}">{title}{shape}</g>'
    height, joint = _height(note), label in (INPUT, OUTPUT)
    width, radius = (46.0, height / 2) if joint else (place.box, 6)
    shape = (
        f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height}" rx="{radius}"/>'
    )
    text = {INPUT: "in", OUTPUT: "out"}.get(label, _name(operation))
    lines = f'<text x="{x:.1f}" y="{y + (-2.5 if note else 4.5):.1f}">{escape(text)}</text>'
    if note:
        lines += f'<text class="note" x="{x:.1f}" y="{y + 11.5:.1f}">{escape(note)}</text>'
    return f'<g class="{" ".join(kinds)}">{title}{shape}{lines}</g>'


def _draw_edge(edge: Edge, pair: CellPair, place: _Places, live: bool) -> str:
    stops = [place.at(point) for point in edge.points]
    (x0, y0), (x1, y1) = stops[0], stops[-1]
    start, end = _half(pair, edge.source), _half(pair, edge.target)
    passing = [(x, y + side * _TALL / 2) for x, y in stops[1:-1] for side in (-1, 1)]
    way = [(x0, y0 + start), *passing, (x1, y1 - end - 5)]
    path = f"M{way[0][0]:.1f},{way[0][1]:.1f}"
    for (ax, ay), (bx, by) in itertools.pairwise(way):
        path += f" C{ax:.1f},{(ay + by) / 2:.1f} {bx:.1f},{(ay + by) / 2:.1f} {bx:.1f},{by:.1f}"
    dead = "" if live else " dead"
    tip = f'<path class="tip{dead}" d="M{x1:.1f},{y1 - end:.1f} l-3.5,-7 h7 z"/>'
    return f'<path class="flow{dead}" d="{path}"/>{tip}'


def _half(pair: CellPair, node: int) -> float:
    label = pair.graph.labels[node]
    return _DOT / 2 if label in (ADD, CONCAT) else _height(label if label in pair.changed else None) / 2


def _height(note: str | None) -> int:
    return _TALL if note else _BOX


def _was(operation: Any) -> str:
    return f"was {_name(operation)}"


def _name(operation: Any) -> str:
    return tidy(str(operation))
