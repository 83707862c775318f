"""The released encoder against a dense oracle, and its blindness.

The oracle is written from the formulas of the specification, in loops over nodes and edges. It is independent of the
code under test and of the released code, which was not run.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nni_strategies.nat.edges import ABSENT, EdgeView
from nni_strategies.nat.policy.official import OfficialPolicy
from tests.nat.edge_spaces import nasbench201, two_input_cells
from tests.nat.policy.draws import drawn, moved

THIRTEEN = tuple(f"operation_{i}" for i in range(13))


def oracle(policy: OfficialPolicy, view: EdgeView, operations: list[int], sources: list[int]) -> np.ndarray:
    """Return logits ``[n_edges, n_operations]``."""
    w = {name: value.detach().numpy().astype(float) for name, value in policy.named_parameters()}
    n_slots = 1 + max(edge.slot for edge in view.edges)
    logits = np.zeros((view.n_edges, len(view.operations)))
    for cell in view.cells:
        mine = [e for e, edge in enumerate(view.edges) if edge.cell == cell.name]
        a = np.zeros((cell.n_nodes, cell.n_nodes))
        features = np.zeros((cell.n_nodes, n_slots * 100))
        for node in range(cell.n_inputs):
            features[node] = w["input.weight"][node]
        for e in mine:
            edge = view.edges[e]
            if operations[e] != ABSENT:
                a[edge.node, sources[e]] += 1
                features[edge.node, edge.slot * 100 : (edge.slot + 1) * 100] = w["operation.weight"][operations[e]]
        x = features @ w["lift.weight"].T + w["lift.bias"]
        h1 = np.maximum(a @ x @ w["first.weight"].T + w["first.bias"], 0)
        h2 = a @ h1 @ w["second.weight"].T + w["second.bias"]
        for e in mine:
            node, slot = view.edges[e].node, view.edges[e].slot
            rows = slice(slot * len(view.operations), (slot + 1) * len(view.operations))
            logits[e] = w["head.weight"][rows] @ h2[node] + w["head.bias"][rows]
    return logits


@pytest.mark.parametrize(
    "view",
    [two_input_cells(THIRTEEN), two_input_cells(THIRTEEN, n_nodes=5, cells=("cell",)), nasbench201()],
    ids=["darts", "enas", "nasbench201"],
)
def test_logits_are_those_of_the_oracle(view):
    policy = OfficialPolicy(view, seed=3)
    operations, sources = drawn(view, 100)
    operations[0, 1] = ABSENT
    with torch.no_grad():
        found = policy(operations, sources).numpy()
    for row in range(100):
        np.testing.assert_allclose(
            found[row], oracle(policy, view, operations[row].tolist(), sources[row].tolist()), atol=1e-5
        )


def test_duplicate_edges_count_twice():
    view = two_input_cells(("conv", "none"), n_nodes=1, cells=("cell",))
    policy = OfficialPolicy(view)
    operations, sources = torch.tensor([[0, 1]]), torch.tensor([[1, 1]])
    assert policy.adjacency(operations, sources)[0].tolist() == [[0, 0, 0], [0, 0, 0], [0, 2, 0]]
    found = policy(operations, sources)[0].detach().numpy()
    np.testing.assert_allclose(found, oracle(policy, view, [0, 1], [1, 1]), atol=1e-5)


def test_it_has_as_many_weights_as_the_released_one():
    policy = OfficialPolicy(two_input_cells(THIRTEEN))
    assert sum(weight.numel() for weight in policy.parameters()) == 322_750


def test_it_is_blind_to_the_operation_it_edits():
    """A node sees the operations that enter nodes two edges before it, and no others."""
    view = two_input_cells(THIRTEEN, cells=("cell",))
    # each node adds the two before it
    sources = torch.tensor([edge.node - 2 + edge.slot for edge in view.edges])
    operations, _ = drawn(view, 1)
    seen = moved(OfficialPolicy(view), view, operations[0], sources)
    nodes = [{view.edges[int(e)].node for e in row.nonzero()} for row in seen]
    assert nodes == [{4, 5}, {4, 5}, {5}, {5}, set(), set(), set(), set()]


def test_it_is_not_told_which_cell_it_edits():
    view = two_input_cells(THIRTEEN)
    operations, sources = drawn(two_input_cells(THIRTEEN, cells=("cell",)), 4)
    logits = OfficialPolicy(view)(operations.repeat(1, 2), sources.repeat(1, 2))
    assert torch.allclose(logits[:, :8], logits[:, 8:], atol=1e-6)
