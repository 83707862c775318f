"""Costs are read by edge, source and operation, and add up."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.edges import ABSENT, EdgeView
from nni_strategies.space.parameters import Categorical, Subset
from nni_strategies.space.search_space import SearchSpace

COSTS = {"conv_1x1": (3_932_160, 4_096), "conv_3x3": (35_389_440, 36_864)}


def two_edges() -> EdgeView:
    parameters = []
    for slot in range(2):
        parameters.append(Categorical(f"cell/op_2_{slot}", ("conv_1x1", "conv_3x3", "skip") if slot else ("skip",)))
        parameters.append(Subset(f"cell/input_2_{slot}", (0, 1), 1))
    return edge_view(SearchSpace(tuple(parameters)))


def configuration(first: int, operation: str, second: int) -> dict[str, object]:
    return {
        "cell/op_2_0": "skip", "cell/input_2_0": [first], "cell/op_2_1": operation, "cell/input_2_1": [second],
    }  # fmt: skip


def test_by_operation_is_the_same_on_every_edge_that_can_carry_it():
    view = two_edges()
    table = CostTable.by_operation(view, COSTS)
    assert table.edge_costs.dtype == np.int64
    assert table.edge_costs.shape == (2, 3, 3, 2)
    at = {name: v for v, name in enumerate(view.operations)}
    assert (table.edge_costs[1, :, at["conv_3x3"]] == COSTS["conv_3x3"]).all()
    assert (table.edge_costs[0] == 0).all()


def test_an_unknown_operation_is_refused():
    with pytest.raises(InvalidArgument, match="did you mean 'conv_1x1'"):
        CostTable.by_operation(two_edges(), {"conv_1": (1, 1)})


def test_costs_are_those_of_the_source():
    view = two_edges()
    costs = np.arange(2 * 3 * 3 * 2, dtype=np.int64).reshape(2, 3, 3, 2)
    table = CostTable(view, costs)
    architectures = view.encode([configuration(0, "conv_3x3", 1), configuration(1, "skip", 0)])
    assert (table.of(architectures)[0, 1] == costs[1, 1]).all()
    assert (table.of(architectures)[1, 0] == costs[0, 1]).all()
    skip, conv = view.operations.index("skip"), view.operations.index("conv_3x3")
    assert table.chosen(architectures).tolist() == [
        (costs[0, 0, skip] + costs[1, 1, conv]).tolist(),
        (costs[0, 1, skip] + costs[1, 0, skip]).tolist(),
    ]
    assert (table.total(architectures) == table.chosen(architectures)).all()


def test_an_edge_that_is_not_in_use_costs_nothing():
    view = two_edges()
    table = CostTable(view, np.ones((2, 3, 3, 2), dtype=np.int64))
    architectures = view.encode([configuration(0, "skip", 0)])
    unused = architectures.replaced(np.array([[architectures.operations[0, 0], ABSENT]]))
    assert table.chosen(unused).tolist() == [[1, 1]]
