"""Policies without context."""

from __future__ import annotations

import torch

from nni_strategies.nat.edges import ABSENT
from nni_strategies.nat.policy.table import SCALE, RandomPolicy, TablePolicy
from tests.nat.edge_spaces import nasbench201
from tests.nat.policy.draws import drawn, moved


def test_a_table_has_an_entry_for_each_edge_and_operation():
    view = nasbench201()
    policy = TablePolicy(view)
    with torch.no_grad():
        policy.weights.copy_(torch.arange(policy.weights.numel()).view_as(policy.weights))
    operations, sources = drawn(view, 3)
    found = policy(operations, sources)
    assert found.shape == (3, 6, 5)
    assert torch.equal(found[2, 4], SCALE * policy.weights[4, 1 + operations[2, 4]])
    assert torch.equal(moved(policy, view, operations[0], sources[0]), torch.eye(6, dtype=torch.bool))
    assert torch.equal(policy(torch.full((1, 6), ABSENT), sources[:1])[0, 3], SCALE * policy.weights[3, 0])


def test_random_is_indifferent():
    view = nasbench201()
    assert torch.equal(RandomPolicy(view)(*drawn(view, 3)), torch.zeros(3, 6, 5))
