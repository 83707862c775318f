"""Cells drawn as text: lines end where the data goes, in every cell of the digits space's kind."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nni_strategies.report.terminal import draw_text
from nni_strategies.topology.graph import TopologyGraph

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
PAIRS = list(itertools.combinations(range(4), 2))

# the directions a character's line leaves it in
ENDS = {
    "─": "we",
    "│": "ns",
    "┌": "es",
    "┐": "ws",
    "└": "en",
    "┘": "wn",
    "├": "ens",
    "┤": "wns",
    "┬": "wes",
    "┴": "wen",
    "┼": "nswe",
}
STEPS = {"n": (0, -1), "s": (0, 1), "w": (-1, 0), "e": (1, 0)}
OPPOSITE = {"n": "s", "s": "n", "w": "e", "e": "w"}


def test_a_branch_is_drawn_as_expected():
    edges = [(0, 1, "avg_pool_3x3"), (1, 2, "skip_connect"), (0, 2, "skip_connect")]
    expected = [
        "    ┌──▶ avg pool 3×3 ─┐",
        "in ─┤                  └┬──▶ + ────▶ out",
        "    └───────────────────┘",
    ]
    assert draw_text(TopologyGraph.from_edges(edges).canonical()).splitlines() == expected


def test_a_chain_is_one_line():
    assert draw_text(TopologyGraph.chain(["nor_conv_1x1"])).split() == ["in", "────▶", "conv", "1×1", "────▶", "out"]


def test_what_is_read_twice_is_marked():
    graph = TopologyGraph(("input", "conv_3x3", "add", "output"), ((), (0,), (1, 1), (2,)))
    assert "2×▶ +" in draw_text(graph)


def test_a_dead_cell_says_so():
    graph = TopologyGraph.from_edges([(0, 1, "none")]).canonical()
    assert "nothing arrives" in draw_text(graph)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(OPERATIONS), min_size=6, max_size=6))
def test_no_line_ends_in_the_open(operations: list[str]):
    graph = TopologyGraph.from_edges([(i, j, name) for (i, j), name in zip(PAIRS, operations, strict=True)]).canonical()
    if not graph.predecessors[-1]:
        return
    drawn = {(x, y): c for y, row in enumerate(draw_text(graph).splitlines()) for x, c in enumerate(row)}
    arrows = sum(character == "▶" for character in drawn.values())
    targets = sum(bool(reads) for reads in graph.predecessors)
    assert arrows == targets  # all that a node reads arrives at its one arrow
    for (x, y), character in drawn.items():
        for direction in ENDS.get(character, ""):
            dx, dy = STEPS[direction]
            neighbour = drawn.get((x + dx, y + dy), " ")
            meets = OPPOSITE[direction] in ENDS.get(neighbour, "") or neighbour == "▶" or neighbour.isdigit()
            leaves_a_name = direction == "w" and neighbour == " " and drawn.get((x - 2, y), " ") != " "
            assert meets or leaves_a_name, draw_text(graph)


@pytest.mark.parametrize("operations", [["nor_conv_3x3"] * 6])
def test_every_operation_is_named(operations: list[str]):
    graph = TopologyGraph.from_edges([(i, j, name) for (i, j), name in zip(PAIRS, operations, strict=True)])
    assert draw_text(graph.canonical()).count("conv 3×3") == 6
