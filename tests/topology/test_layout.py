"""The layout draws every node apart and every edge forward."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.layout import layered_layout

PAIRS = [(i, j) for j in range(1, 6) for i in range(j)]


@given(st.lists(st.tuples(st.sampled_from(PAIRS), st.sampled_from(["conv", "pool", "skip"])), min_size=1, max_size=12))
def test_layers_follow_the_data(choices: list[tuple[tuple[int, int], str]]) -> None:
    edges = [(i, j, operation) for (i, j), operation in choices]
    graph = TopologyGraph.from_edges(edges).canonical()
    layout = layered_layout(graph)
    passing = [point for edge in layout.edges for point in edge.points[1:-1]]
    drawn = [*layout.positions, *passing]
    assert len(set(drawn)) == len(drawn)
    for edge in layout.edges:
        steps = [layer for layer, _ in edge.points]
        assert steps == list(range(int(steps[0]), int(steps[-1]) + 1))
        assert len(steps) >= 2
        assert (edge.points[0], edge.points[-1]) == (layout.positions[edge.source], layout.positions[edge.target])
    assert sum(edge.count for edge in layout.edges) == sum(map(len, graph.predecessors))


def test_parallel_branches_do_not_cross() -> None:
    edges = [(0, 1, "a"), (0, 2, "b"), (0, 3, "c"), (1, 4, "d"), (2, 4, "e"), (3, 4, "f")]
    graph = TopologyGraph.from_edges(edges).canonical()
    row = {label: layered_layout(graph).positions[i][1] for i, label in enumerate(graph.labels)}
    assert (row["a"], row["b"], row["c"]) == (row["d"], row["e"], row["f"])
    assert row["input"] == row["output"] == row["b"] == 0
