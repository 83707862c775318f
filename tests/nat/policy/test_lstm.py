"""The LSTM policy reads edges in their order."""

from __future__ import annotations

import torch

from nni_strategies.nat.policy.lstm import LSTMPolicy
from tests.nat.edge_spaces import nasbench201, two_input_cells
from tests.nat.policy.draws import drawn, moved


def test_an_edge_sees_itself_and_all_before_it():
    view = nasbench201()
    operations, sources = drawn(view, 1)
    seen = moved(LSTMPolicy(view), view, operations[0], sources[0])
    assert torch.equal(seen, torch.ones(6, 6, dtype=torch.bool).triu())


def test_it_sees_where_an_edge_comes_from():
    view = two_input_cells(("conv", "none"), n_nodes=1, cells=("cell",))
    operations = torch.zeros(2, 2, dtype=torch.int64)
    first, second = LSTMPolicy(view)(operations, torch.tensor([[0, 0], [0, 1]]))
    assert torch.equal(first[0], second[0])
    assert not torch.allclose(first[1], second[1])


def test_a_batch_is_its_rows():
    view = two_input_cells(("conv", "skip", "none"))
    operations, sources = drawn(view, 4)
    policy = LSTMPolicy(view)
    assert torch.allclose(policy(operations, sources)[2], policy(operations[2:3], sources[2:3])[0], atol=1e-6)
