"""In real model spaces no child costs more than its parent, whatever it is counted by."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni.nas.hub.pytorch import ENAS, NasBench201
from nni.nas.hub.pytorch.nasnet import NDS

from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.liveness import live_edges
from nni_strategies.nat.model_space import MeasuredCosts, ModelEdges, classes_of_modules, edges_of_model_space
from nni_strategies.nat.operation_classes import classes_by_name
from nni_strategies.nat.rules import RULES, Rule
from nni_strategies.nat.transitions import Transitions
from search_spaces.handcrafted import HandcraftedNet, cell_space
from tests.nat.edge_spaces import two_input_cells
from tests.nat.strided_net import StridedNet

PARENTS, CHILDREN = 450, 2  # for each rule: 2,700 pairs a space
MEASURED = 17  # of these for each rule: 51 pairs a space, 204 in the four spaces of the acceptance checks


def enas() -> NDS:
    return NDS([*ENAS.ENAS_OPS, "none"], "loose_end", 5, width=16, num_cells=8, dataset="cifar")


SPACES: dict[str, Callable[[], Any]] = {
    "NAS-Bench-201": lambda: NasBench201(num_modules_per_stack=1),
    "DARTS": lambda: cell_space("DARTS", width=16, num_cells=8),
    "ENAS": enas,
    "strided": StridedNet,
}
MORE: dict[str, Callable[[], Any]] = {
    "ResNet-20": lambda: HandcraftedNet("resnet20"),
    "ShuffleNetV2": lambda: HandcraftedNet("shufflenetv2"),
    "two widths": lambda: NDS([*ENAS.ENAS_OPS, "none"], "all", 2, width=(4, 8), num_cells=3, dataset="cifar"),
}


@functools.cache
def measured(name: str) -> tuple[ModelEdges, MeasuredCosts]:
    edges = edges_of_model_space({**SPACES, **MORE}[name]())
    return edges, MeasuredCosts(edges, (3, 32, 32))


def made(name: str, rule: Rule) -> Transitions:
    edges, costs = measured(name)
    return Transitions(edges.view, classes_of_modules(edges), costs, rule)


def pairs(transitions: Transitions, n: int, n_each: int) -> tuple[Architectures, Architectures]:
    rng = np.random.default_rng([n, RULES.index(transitions.rule)])
    parents = transitions.inputs(rng, n)
    children = transitions.random_children(parents, n_each, rng)
    return parents[np.repeat(np.arange(n), n_each)], children


def check(transitions: Transitions, n: int) -> None:
    view, costs = transitions.view, transitions.costs
    parents, children = pairs(transitions, n, CHILDREN)
    changed = (children.operations != parents.operations).any(axis=1)
    assert changed.any()
    assert (costs.total(children) <= costs.total(parents)).all()
    assert (costs.chosen(children) <= costs.chosen(parents)).all()
    assert transitions.valid(parents, children).all()
    assert live_edges(view, transitions.classes, children).any(axis=1).all()
    operations = {edge.label for edge in view.edges}
    for parent, child in zip(view.decode(parents), view.decode(children), strict=True):
        assert view.space.contains(child)
        assert {label for label in parent | child if parent.get(label) != child.get(label)} <= operations
    # what a child may become, its parent may become
    assert not (transitions.allowed(children) & ~transitions.allowed(parents)).any()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", [*SPACES, *MORE])
def test_no_child_costs_more(name: str, rule: Rule):
    check(made(name, rule), PARENTS if name in SPACES else 60)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", [*SPACES, *MORE])
def test_networks_that_are_frozen_and_counted_say_the_same(name: str, rule: Rule):
    transitions = made(name, rule)
    _, costs = measured(name)
    parents, children = pairs(transitions, MEASURED if name in SPACES else 3, 1)
    before, after = (
        np.array([costs.measured(each) for each in transitions.view.decode(batch)]) for batch in (parents, children)
    )
    assert (after <= before).all()
    assert (before == costs.total(parents)).all()
    assert (after == costs.total(children)).all()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_where_a_skip_halves_it_has_its_price():
    edges, costs = measured("strided")
    view = edges.view
    parents = view.encode([{f"layer{i}": "max_pool_3x3" for i in range(4)}])
    at = view.operations.index("skip_connect")
    for cost_rule, expected in (("strict", [True, False] * 2), ("paper", [True] * 4)):
        transitions = Transitions(view, classes_of_modules(edges), costs, "nat", cost_rule)  # type: ignore[arg-type]
        assert transitions.allowed(parents)[0, :, at].tolist() == expected
    dearer = parents.replaced(np.full((1, 4), at))
    assert (costs.total(dearer) > costs.total(parents)).all()


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
    check(Transitions(view, classes_by_name(view), CostTable(view, prices), rule), 20)
