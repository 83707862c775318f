"""A cell as text, for the terminal: data flows from left to right, lines branch after and join before an operation.

::

    in ─┬─▶ conv 3×3 ─▶ + ─▶ out
        └───────────────▶┘
"""

from __future__ import annotations

from collections.abc import Sequence

from nni_strategies.report.drawing import tidy
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.layout import layered_layout
from nni_strategies.topology.operations import ADD, CONCAT, INPUT, OUTPUT

_NORTH, _SOUTH, _WEST, _EAST = 1, 2, 4, 8
_LINES = " │││─┘┐┤─└┌├─┴┬┼"  # indexed by the sum of the directions a line leaves its cell in
_NAMES = {INPUT: "in", OUTPUT: "out", ADD: "+", CONCAT: "‖"}
_LINE_SPACING = 2


class _Canvas:
    """Characters and lines by (x, y); lines that meet are joined."""

    def __init__(self) -> None:
        self.lines: dict[tuple[int, int], int] = {}
        self.text: dict[tuple[int, int], str] = {}

    def horizontal(self, y: int, x0: int, x1: int) -> None:
        for x in range(x0, x1):
            self._join((x, y), _EAST)
            self._join((x + 1, y), _WEST)

    def vertical(self, x: int, y0: int, y1: int) -> None:
        for y in range(min(y0, y1), max(y0, y1)):
            self._join((x, y), _SOUTH)
            self._join((x, y + 1), _NORTH)

    def write(self, x: int, y: int, text: str) -> None:
        self.text.update({(x + i, y): character for i, character in enumerate(text)})

    def _join(self, place: tuple[int, int], direction: int) -> None:
        self.lines[place] = self.lines.get(place, 0) | direction

    def render(self) -> str:
        drawn = {**{place: _LINES[directions] for place, directions in self.lines.items()}, **self.text}
        left, top = min(x for x, _ in drawn), min(y for _, y in drawn)
        right, bottom = max(x for x, _ in drawn), max(y for _, y in drawn)
        rows = ("".join(drawn.get((x, y), " ") for x in range(left, right + 1)) for y in range(top, bottom + 1))
        return "\n".join(row.rstrip() for row in rows)


def draw_text(graph: TopologyGraph) -> str:
    """Return the drawing of `graph` as lines of text; an edge that is read twice is marked ``2×``."""
    if not graph.predecessors[-1]:
        return "(nothing arrives at the output)"
    layout = layered_layout(graph)
    names = [_NAMES.get(label, tidy(label)) for label in graph.labels]
    layers = [int(layer) for layer, _ in layout.positions]
    lanes = _lanes([edge.points for edge in layout.edges])
    starts, widths = _columns(names, layers, lanes)

    def line(row: float) -> int:
        return round(row * _LINE_SPACING)

    canvas = _Canvas()
    for edge in layout.edges:
        last = len(edge.points) - 2
        for step, ((layer, row), (_, next_row)) in enumerate(zip(edge.points, edge.points[1:], strict=False)):
            here, there = int(layer), int(layer) + 1
            begin = starts[here] + (len(names[edge.source]) + 1 if step == 0 else 0)
            end = starts[there] - 2
            lane = starts[here] + widths[here] + 2 + lanes[here].index(row)
            canvas.horizontal(line(row), begin, lane)
            canvas.vertical(lane, line(row), line(next_row))
            canvas.horizontal(line(next_row), lane, end if step == last else starts[there])
            if step == last:
                canvas.write(end, line(next_row), "▶")
                if edge.count > 1:
                    canvas.write(end - 2, line(next_row), f"{edge.count}×")
    for node, name in enumerate(names):
        canvas.write(starts[layers[node]], line(layout.positions[node][1]), name)
    return canvas.render()


def _lanes(paths: Sequence[Sequence[tuple[float, float]]]) -> dict[int, list[float]]:
    """Return the rows that lines leave each layer from; each row gets a vertical lane of its own to its right."""
    lanes: dict[int, set[float]] = {}
    for points in paths:
        for layer, row in points[:-1]:
            lanes.setdefault(int(layer), set()).add(row)
    return {layer: sorted(rows) for layer, rows in lanes.items()}


def _columns(
    names: Sequence[str], layers: Sequence[int], lanes: dict[int, list[float]]
) -> tuple[dict[int, int], dict[int, int]]:
    """Return where each layer's names start, and how wide they are."""
    starts, widths, x = {}, {}, 0
    for layer in range(max(layers) + 1):
        starts[layer] = x
        widths[layer] = max([len(name) for name, at in zip(names, layers, strict=True) if at == layer], default=0)
        x += widths[layer] + len(lanes.get(layer, ())) + 6
    return starts, widths
