"""Costs of what reaches an output: by hand on NAS-Bench-201's cell, as a property of any, as a search's guarantee."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.config import NATConfig
from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import Evaluated
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.learner_config import LearnerConfig
from nni_strategies.nat.moves_of_space import moves_of_space
from nni_strategies.nat.operation_classes import classes_by_name
from nni_strategies.nat.rules import RULES, Rule
from nni_strategies.nat.transform import transform
from nni_strategies.nat.transitions import Transitions
from tests.nat.edge_spaces import NASBENCH201, NASBENCH201_COSTS, nasbench201, transitions, two_input_cells

NONE, SKIP, CONV1, CONV3, POOL = range(5)  # places in NASBENCH201
MADDS1, MADDS3 = NASBENCH201_COSTS["nor_conv_1x1"][0], NASBENCH201_COSTS["nor_conv_3x3"][0]

NOMINAL = transitions(nasbench201(), NASBENCH201_COSTS)
LIVE = transitions(nasbench201(), NASBENCH201_COSTS, cost_mode="live")


def cell(*operations: int) -> Architectures:
    """Of the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3."""
    view = LIVE.view
    return view.encode([{edge.label: NASBENCH201[v] for edge, v in zip(view.edges, operations, strict=True)}])


# nothing reads the 3x3 convolution, until 1-3 carries something
IDLE = cell(CONV3, NONE, NONE, CONV1, NONE, NONE)


@pytest.mark.parametrize(
    ("operations", "madds"),
    [
        ((CONV3, NONE, NONE, CONV1, NONE, NONE), MADDS1),
        ((CONV3, NONE, NONE, CONV1, SKIP, NONE), MADDS1 + MADDS3),
        ((CONV3, CONV1, SKIP, NONE, NONE, CONV1), MADDS3 + 2 * MADDS1),
        ((NONE, NONE, CONV3, SKIP, NONE, CONV1), 0),  # no input reaches either
    ],
)
def test_what_reaches_no_output_costs_nothing(operations: tuple[int, ...], madds: int):
    assert LIVE.live_costs(cell(*operations))[0, 0] == madds


def test_a_null_that_brings_a_convolution_to_life_is_no_move():
    livened, harmless = IDLE.replaced(IDLE.operations.copy()), IDLE.replaced(IDLE.operations.copy())
    livened.operations[0, 4], harmless.operations[0, 2] = SKIP, SKIP
    assert NOMINAL.valid(IDLE, livened).all()
    assert not LIVE.valid(IDLE, livened).any()
    assert LIVE.valid(IDLE, harmless).all()
    reachable = LIVE.reachable(IDLE)
    assert harmless.operations.tolist()[0] in reachable.tolist()
    assert livened.operations.tolist()[0] not in reachable.tolist()


def test_links_that_cost_most_are_given_back_first():
    parent = cell(CONV3, CONV1, NONE, CONV3, NONE, NONE)  # live: the second 3x3
    child = np.array([[CONV3, CONV1, NONE, SKIP, SKIP, SKIP]])  # live: all, for what the parent's one costs and a 1x1
    assert LIVE.repaired(parent, child).tolist() == [[CONV3, CONV1, NONE, SKIP, NONE, SKIP]]


def test_where_a_child_lives_by_its_new_link_alone_it_gets_a_path_of_its_parent_back():
    child = np.array([[CONV3, NONE, NONE, NONE, SKIP, NONE]])
    assert LIVE.repaired(IDLE, child).tolist() == IDLE.operations.tolist()


@pytest.mark.parametrize("rule", RULES)
def test_all_outputs_are_what_the_definition_says(rule: Rule):
    made = transitions(nasbench201(), NASBENCH201_COSTS, rule, cost_mode="live")
    other = transitions(nasbench201(), NASBENCH201_COSTS, rule)
    parents = made.inputs(np.random.default_rng(3), 40)
    fewer = 0
    for row in range(40):
        parent = parents[[row]]
        nominal = parent[np.zeros(len(found := other.reachable(parent)), dtype=np.int64)].replaced(found)
        kept = (made.live_costs(nominal) <= made.live_costs(parent)).all(axis=1)
        assert made.reachable(parent).tolist() == found[kept].tolist()
        fewer += int((~kept).sum())
    assert fewer


def test_known_outputs_are_found_by_both_ways():
    made = transitions(nasbench201(), NASBENCH201_COSTS, cost_mode="live")
    inputs = made.inputs(np.random.default_rng(0), 60)
    known = Evaluated(made)
    known.add(NOMINAL.random_children(inputs, 3, np.random.default_rng(1)), np.zeros(180))
    found = known.reachable(inputs)
    n = len(known)
    pairs = [made.valid(inputs[[i] * n], known.architectures) for i in range(60)]
    assert (found == np.stack(pairs)).all()
    nominal = Evaluated(NOMINAL)
    nominal.add(known.architectures, known.values)
    assert (nominal.reachable(inputs) & ~found).any()


OPERATIONS = ("none", "skip_connect", "max_pool_3x3", "sep_conv_3x3", "conv_3x3", "conv_1x1")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_nodes=st.integers(1, 4),
    n_prices=st.integers(1, 6),
    rule=st.sampled_from(RULES),
    loose=st.booleans(),
)
def test_whatever_operations_cost(seed: int, n_nodes: int, n_prices: int, rule: Rule, loose: bool):
    rng = np.random.default_rng(seed)
    view = two_input_cells(OPERATIONS, n_nodes, concat="loose_end" if loose else "all")
    prices = rng.integers(n_prices, size=(view.n_edges, 2 + n_nodes, len(OPERATIONS), 2))
    made = Transitions(view, classes_by_name(view), CostTable(view, prices), rule, cost_mode="live")
    parents = made.inputs(rng, 20)
    nulled = np.where(rng.random(parents.operations.shape) < 0.5, 0, parents.operations)  # nulls that can be skips
    parents = parents.replaced(np.where(made.alive(parents.replaced(nulled))[:, None], nulled, parents.operations))
    allowed = made.allowed(parents)
    drawn = np.where(allowed, rng.random(allowed.shape), -1.0).argmax(axis=2)
    for children in (parents.replaced(made.repaired(parents, drawn)), made.random_children(parents, 1, rng)):
        assert made.valid(parents, children).all()
        assert (made.live_costs(children) <= made.live_costs(parents)).all()
        assert (made.costs.chosen(children) <= made.costs.chosen(parents)).all()


def test_every_query_of_a_learner_keeps_to_it():
    config = LearnerConfig(queries=40, n_start=20, policy_steps=1, final_steps=1)
    inputs = LIVE.inputs(np.random.default_rng(5), 15)
    learner = Learner(LIVE, config, 0, inputs)
    while not learner.done:
        query = learner.ask()
        assert LIVE.valid(query.parent, query.child).all()
        learner.tell(query.child, float(query.child.operations.sum()))


@pytest.mark.parametrize(("mode", "edge"), [("nominal", "skip_connect"), ("live", "none")])
def test_a_transformation_by_both_modes(mode: Any, edge: str):
    space = LIVE.view.space
    (before,) = LIVE.view.decode(IDLE)

    def score(one: dict[str, Any]) -> float:
        """1 where the idle convolution is read."""
        return float(one["cell.edge_1_3"] == "skip_connect" and one["cell.edge_0_1"] == "nor_conv_3x3")

    found = transform(before, space, score, costs=NASBENCH201_COSTS, cost_mode=mode, queries=100, k=10)
    assert found.after["cell.edge_1_3"] == edge
    assert found.cost_after.madds <= found.cost_before.madds
    assert found.live_before.madds == MADDS1
    assert (found.live_after.madds > MADDS1) == (mode == "nominal")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"cost_mode": "alive"}, "cost_mode = \"alive\": one of nominal, live"),
        ({"cost_mode": "live", "cost_rule": "paper", "rule": "nat"}, "cost_mode = \"live\": nominal beside cost_rule"),
    ],
)
def test_a_mode_that_cannot_be_is_refused(given: dict[str, Any], told: str):
    with pytest.raises(InvalidArgument, match=told):
        NATConfig(**given)
    with pytest.raises(InvalidArgument, match=told):
        moves_of_space(LIVE.view.space, **{"rule": "cost", **given}, costs=NASBENCH201_COSTS)
