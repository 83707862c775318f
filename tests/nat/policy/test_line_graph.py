"""The line-graph policy against the formulas, edge by edge, and what it sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nni_strategies.nat.edges import ABSENT, EdgeView
from nni_strategies.nat.policy.line_graph import LineGraphPolicy
from tests.nat.edge_spaces import nasbench201, two_input_cells
from tests.nat.policy.draws import drawn, moved

OPERATIONS = ("sep_conv_3x3", "dil_conv_3x3", "max_pool_3x3", "skip_connect", "none")


def neighbours(view: EdgeView, sources: list[int], e: int) -> list[int]:
    """Return the edges whose features reach edge `e`, itself among them."""
    mine, found = view.edges[e], [e]
    for other, edge in enumerate(view.edges):
        if other != e and edge.cell == mine.cell and (sources[e] == edge.node or sources[other] == mine.node):
            found.append(other)
    return found


def by_formula(policy: LineGraphPolicy, view: EdgeView, operations: list[int], sources: list[int]) -> np.ndarray:
    """Return logits ``[n_edges, n_operations]``, in loops over edges."""
    w = {name: value.detach().numpy().astype(float) for name, value in policy.named_parameters()}
    cells = [cell.name for cell in view.cells]
    x = [
        w["features.operation.weight"][1 + operations[e]]
        + w["features.cell.weight"][cells.index(edge.cell)]
        + w["features.source.weight"][sources[e]]
        + w["features.node.weight"][edge.node]
        + w["features.slot.weight"][edge.slot]
        for e, edge in enumerate(view.edges)
    ]

    def layer(values: list[np.ndarray], name: str) -> list[np.ndarray]:
        means = [np.mean([values[other] for other in neighbours(view, sources, e)], axis=0) for e in range(len(values))]
        return [w[f"{name}.weight"] @ mean + w[f"{name}.bias"] for mean in means]

    second = layer([np.maximum(h, 0) for h in layer(x, "first")], "second")
    return np.stack([w["head.weight"] @ h + w["head.bias"] for h in second])


@pytest.mark.parametrize(
    "view",
    [nasbench201(), nasbench201("a", "b"), two_input_cells(OPERATIONS)],
    ids=["nasbench201", "two of them", "darts"],
)
def test_logits_are_those_of_the_formulas(view):
    policy = LineGraphPolicy(view, hidden=16, seed=1)
    operations, sources = drawn(view, 10)
    found = policy(operations, sources).detach().numpy()
    assert found.shape == (10, view.n_edges, len(view.operations))
    for row in range(10):
        expected = by_formula(policy, view, operations[row].tolist(), sources[row].tolist())
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_adjacency_of_nasbench201():
    view = nasbench201()
    operations, sources = drawn(view, 1)
    adjacency = LineGraphPolicy(view).adjacency(operations, sources)[0]
    places = {(int(edge.source or 0), edge.node): e for e, edge in enumerate(view.edges)}
    linked = {pair: {other for other in places if adjacency[places[pair], places[other]] > 0} for pair in places}
    assert linked == {
        (0, 1): {(0, 1), (1, 2), (1, 3)},
        (0, 2): {(0, 2), (2, 3)},
        (1, 2): {(1, 2), (0, 1), (2, 3)},
        (0, 3): {(0, 3)},
        (1, 3): {(1, 3), (0, 1)},
        (2, 3): {(2, 3), (0, 2), (1, 2)},
    }
    assert adjacency[places[0, 1], places[1, 2]] == pytest.approx(1 / 3)


def test_sources_of_an_architecture_make_its_graph():
    view = two_input_cells(("conv", "none"), n_nodes=2, cells=("cell",))
    operations = torch.zeros(2, 4, dtype=torch.int64)
    sources = torch.tensor([[0, 1, 2, 0], [0, 1, 1, 0]])
    with_link, without = LineGraphPolicy(view).adjacency(operations, sources)
    assert with_link[2].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert torch.equal(without, torch.eye(4))


def test_an_edge_sees_its_own_operation_and_none_of_another_cell():
    view = two_input_cells(OPERATIONS)
    policy = LineGraphPolicy(view)
    operations, sources = drawn(view, 5)
    for row in range(5):
        seen = moved(policy, view, operations[row], sources[row])
        assert seen.diagonal().all()
        assert not seen[:8, 8:].any()
        assert not seen[8:, :8].any()


def test_kinds_of_cells_are_told_apart():
    view = nasbench201("a", "b")
    operations, sources = drawn(nasbench201(), 1)
    logits = LineGraphPolicy(view)(operations.repeat(1, 2), sources.repeat(1, 2))[0]
    assert not torch.allclose(logits[:6], logits[6:])


def test_an_edge_not_in_use_reaches_no_other():
    view = nasbench201()
    operations, sources = drawn(view, 1)
    operations[0, 0] = ABSENT
    adjacency = LineGraphPolicy(view).adjacency(operations, sources)[0]
    assert adjacency[0].tolist() == [1, 0, 0, 0, 0, 0]
    assert adjacency[1:, 0].tolist() == [0] * 5
    assert torch.isfinite(LineGraphPolicy(view)(operations, sources)).all()
