"""Transitions of labels: costs are given, or not needed, or the space is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.moves_of_space import moves_of_space
from nni_strategies.search.testing_spaces import SPACES as ANY_SPACES
from nni_strategies.search.testing_spaces import AtMost
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace
from tests.nat.edge_spaces import NASBENCH201_COSTS
from tests.nat.searcher_spaces import COSTS, SPACES, edges

FLAT = SPACES["flat"]


def test_given_costs_are_the_costs() -> None:
    transitions = moves_of_space(FLAT, costs=COSTS).transitions
    assert (transitions.rule, transitions.cost_rule) == ("cost", "strict")
    given = transitions.inputs(np.random.default_rng(0), 50)
    each = np.array([NASBENCH201_COSTS.get(name, (0, 0)) for name in transitions.view.operations])
    assert (transitions.costs.total(given) == each[given.operations].sum(axis=1)).all()


def test_the_paper_s_rule_needs_none() -> None:
    transitions = moves_of_space(FLAT, "nat", "paper").transitions
    assert transitions.cost_rule == "paper"


@pytest.mark.parametrize(
    ("space", "fields", "message"),
    [
        (FLAT, {}, "of nor_conv_1x1, nor_conv_3x3 too.*rule nat"),
        (FLAT, {"costs": {"nor_conv_3x3": [9, 9]}}, "of nor_conv_1x1 too"),
        (FLAT, {"costs": COSTS | {"nor_conv_5x5": [9, 9]}}, "did you mean 'nor_conv_3x3'"),
        (FLAT, {"costs": COSTS, "op_classes": {"nne": "N"}}, "did you mean 'none'"),
        (FLAT, {"costs": COSTS, "op_classes": {"none": "Z"}}, "O .operation."),
        (ANY_SPACES["numbers"], {"costs": COSTS}, "edges to carry operations"),
        (SearchSpace(tuple(edges("cell")), (AtMost("none", 2),)), {"costs": COSTS}, "constraints"),
        (
            SearchSpace((Categorical("cell/edge_0_1", ("mine", "yours")),)),
            {"rule": "nat", "cost_rule": "paper"},
            "op_classes",
        ),
    ],
)
def test_what_cannot_be_transformed_is_refused(space: SearchSpace, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        moves_of_space(space, **fields)
