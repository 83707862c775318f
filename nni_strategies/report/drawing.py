"""A cell as inline SVG: data flows from left to right, colours tell families of operations."""

from __future__ import annotations

import itertools
import re
from html import escape

from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.layout import Edge, layered_layout
from nni_strategies.topology.operations import ADD, CONCAT, INPUT, OUTPUT

_GAP = 40
_ROW = 46
_BOX = 30
_MARGIN = 14
_DOT = 24

#: A name of :mod:`nni_strategies.topology.vocabulary` with a window.
_STANDARD = re.compile(r"(?P<kind>[a-z]*conv|maxpool|avgpool)(?P<k>\d+)(?:x(?P<l>\d+))?(?:d(?P<d>\d+))?")

_FAMILIES = (
    (re.compile(r"^(input|output|previous.*)$"), "io"),
    (re.compile(r"^(add|concat|mul)$"), "join"),
    (re.compile(r"pool"), "pool"),
    (re.compile(r"conv|linear|^k\d"), "conv"),
)


def tidy(label: str) -> str:
    """Return an operation's name as people read it: ``nor_conv_3x3`` and ``conv3`` become ``conv 3×3``."""
    found = _STANDARD.fullmatch(label)
    if found:
        dilation = f" dilated {found['d']}" if found["d"] else ""
        return f"{found['kind']} {found['k']}×{found['l'] or found['k']}{dilation}"
    spaced = re.sub(r"^nor_", "", label).replace("_", " ")
    return re.sub(r"(?<=\d)x(?=\d)", "×", spaced)


def draw(graph: TopologyGraph, description: str = "") -> str:
    """Return the drawing of `graph` as an ``<svg>`` element, styled by the page's style sheet."""
    if not graph.predecessors[-1]:
        return '<p class="note">Nothing arrives at the output of this cell.</p>'
    layout = layered_layout(graph)
    texts = [_text(label) for label in graph.labels]
    widths = [_width(label, text) for label, text in zip(graph.labels, texts, strict=True)]
    n_layers = 1 + int(max(layer for layer, _ in layout.positions))
    columns = [
        max([w for w, (layer, _) in zip(widths, layout.positions, strict=True) if layer == i], default=10)
        for i in range(n_layers)
    ]
    centres, x = [], float(_MARGIN)
    for width in columns:
        centres.append(x + width / 2)
        x += width + _GAP
    rows = [row for edge in layout.edges for _, row in edge.points] + [row for _, row in layout.positions]
    top = min(rows)
    width, height = x - _GAP + _MARGIN, (max(rows) - top) * _ROW + _BOX + 2 * _MARGIN

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return centres[int(point[0])], _MARGIN + _BOX / 2 + (point[1] - top) * _ROW

    parts = []
    for edge in layout.edges:
        ends = place(edge.points[0]), place(edge.points[-1])
        passing = [
            (x + side * columns[int(layer)] / 2, y)  # straight past the boxes of the layer
            for layer, row in edge.points[1:-1]
            for x, y in [place((layer, row))]
            for side in (-1, 1)
        ]
        parts.append(_draw_edge(edge, [ends[0], *passing, ends[1]], widths))
    for node, (label, text) in enumerate(zip(graph.labels, texts, strict=True)):
        parts.append(_draw_node(label, text, *place(layout.positions[node]), widths[node]))
    name = escape(description or "cell", quote=True)
    return (
        f'<svg class="cell" role="img" aria-label="{name}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}">{"".join(parts)}</svg>'
    )


def _text(label: str) -> str:
    return {INPUT: "in", OUTPUT: "out", ADD: "+", CONCAT: "‖"}.get(label, tidy(label))


def _width(label: str, text: str) -> float:
    return float(_DOT) if label in (ADD, CONCAT) else max(40.0, 7.2 * len(text) + 20)


def family(label: str) -> str:
    """Return the kind of an operation, which the style sheet has a colour for."""
    return next((kind for pattern, kind in _FAMILIES if pattern.search(label)), "other")


def _draw_node(label: str, text: str, x: float, y: float, width: float) -> str:
    title = f"<title>{escape(label)}</title>"
    if label in (ADD, CONCAT):
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_DOT / 2}"/>'
    else:
        radius = _BOX / 2 if label in (INPUT, OUTPUT) else 6
        shape = (
            f'<rect x="{x - width / 2:.1f}" y="{y - _BOX / 2:.1f}" width="{width:.1f}" height="{_BOX}" rx="{radius}"/>'
        )
    return f'<g class="op {family(label)}">{title}{shape}<text x="{x:.1f}" y="{y + 4.5:.1f}">{escape(text)}</text></g>'


def _draw_edge(edge: Edge, points: list[tuple[float, float]], widths: list[float]) -> str:
    (x0, y0), (x1, y1) = points[0], points[-1]
    stops = [(x0 + widths[edge.source] / 2, y0), *points[1:-1], (x1 - widths[edge.target] / 2 - 5, y1)]
    path = f"M{stops[0][0]:.1f},{stops[0][1]:.1f}"
    for (ax, ay), (bx, by) in itertools.pairwise(stops):
        middle = (ax + bx) / 2
        path += f" C{middle:.1f},{ay:.1f} {middle:.1f},{by:.1f} {bx:.1f},{by:.1f}"
    tip = f"M{stops[-1][0] + 5:.1f},{y1:.1f} l-7,-3.5 v7 z"
    times = ""
    if edge.count > 1:
        (ax, ay), (bx, by) = stops[0], stops[1]
        times = f'<text class="times" x="{(ax + bx) / 2:.1f}" y="{(ay + by) / 2 - 4:.1f}">{edge.count}×</text>'
    return f'<path class="flow" d="{path}"/><path class="tip" d="{tip}"/>{times}'
