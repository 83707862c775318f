"""The tables of NAT and NAT++, operation by operation."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.operation_classes import classes_by_name
from nni_strategies.nat.rules import RULES, Rule, allowed_by_rule
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace

NAMES = {
    "conv5": "conv_5x5", "conv3": "conv_3x3", "conv1": "conv_1x1", "sep5": "sep_conv_5x5", "sep3": "sep_conv_3x3",
    "dil5": "dil_conv_5x5", "dil3": "dil_conv_3x3", "max5": "max_pool_5x5", "max3": "max_pool_3x3",
    "avg5": "avg_pool_5x5", "avg3": "avg_pool_3x3", "skip": "skip_connect", "null": "none",
}  # fmt: skip

# the published table of NAT++; itself, skip and null always
NAT_PLUS_PLUS = {
    "conv5": "conv3 conv1 sep5 sep3 dil5 dil3 max5 max3 avg5 avg3",
    "conv3": "conv1 sep3 dil3 max3 avg3",
    "conv1": "",
    "sep5": "sep3 dil5 dil3 max5 max3 avg5 avg3",
    "sep3": "dil3 max3 avg3",
    "dil5": "dil3 max5 max3 avg5 avg3",
    "dil3": "max3 avg3",
    "max5": "avg5 max3 avg3",
    "avg5": "max5 max3 avg3",
    "max3": "avg3",
    "avg3": "max3",
    "skip": "",
    "null": "",
}


def one_edge(*names: str) -> SearchSpace:
    return SearchSpace((Categorical("cell/0_1", names),))


def targets(rule: Rule, *names: str) -> dict[str, set[str]]:
    view = edge_view(one_edge(*names))
    allowed = allowed_by_rule(rule, classes_by_name(view))
    assert allowed.shape == (1, len(names), len(names))
    return {u: {v for b, v in enumerate(view.operations) if allowed[0, a, b]} for a, u in enumerate(view.operations)}


@pytest.mark.parametrize("short", NAMES)
def test_nat_plus_plus_is_the_published_table(short: str):
    found = targets("nat++", *NAMES.values())[NAMES[short]]
    assert found == {NAMES[to] for to in (short, "skip", "null", *NAT_PLUS_PLUS[short].split())}


@pytest.mark.parametrize("short", NAMES)
def test_nat_keeps_skips_or_cuts(short: str):
    assert targets("nat", *NAMES.values())[NAMES[short]] == {NAMES[short], "skip_connect", "none"}


def test_the_cost_rule_leaves_all_to_the_costs():
    assert all(found == set(NAMES.values()) for found in targets("cost", *NAMES.values()).values())


@pytest.mark.parametrize("rule", RULES)
def test_what_an_edge_cannot_carry_is_never_reached(rule: Rule):
    space = SearchSpace((Categorical("cell/0_1", ("conv_3x3", "none")), Categorical("cell/1_2", ("conv_1x1", "skip"))))
    view = edge_view(space)
    allowed = allowed_by_rule(rule, classes_by_name(view))
    assert not allowed[0][:, ~view.present[0]].any()
    assert not allowed[1][~view.present[1]].any()
    assert allowed[0, view.operations.index("conv_3x3"), view.operations.index("none")]


def test_an_edge_without_null_is_never_cut():
    assert targets("nat", "conv_3x3", "skip_connect") == {
        "conv_3x3": {"conv_3x3", "skip_connect"},
        "skip_connect": {"skip_connect"},
    }


@pytest.mark.parametrize("rule", RULES[:2])
def test_nothing_becomes_an_operation_of_no_known_type(rule: Rule):
    found = targets(rule, "attention", "conv_3x3", "skip_connect", "none")
    assert found["attention"] == {"attention", "skip_connect", "none"}
    assert "attention" not in found["conv_3x3"]


def test_of_one_type_and_kernel_neither_becomes_the_other():
    # costs differ in a way that type and kernel do not show
    found = targets("nat++", "conv_7x1_1x7", "conv_7x7", "conv_3x3")
    assert found["conv_7x7"] == {"conv_7x7", "conv_3x3"}
    assert "conv_7x7" not in found["conv_7x1_1x7"]


def test_the_users_word_decides_what_is_a_skip():
    view = edge_view(one_edge("attention", "conv_3x3", "none"))
    allowed = allowed_by_rule("nat", classes_by_name(view, {"attention": "S"}))[0]
    at = {name: i for i, name in enumerate(view.operations)}
    assert allowed[at["conv_3x3"], at["attention"]]
    assert allowed[at["none"], at["attention"]]
    assert np.flatnonzero(allowed[at["attention"]]).tolist() == sorted((at["attention"], at["none"]))


def test_an_unknown_rule_is_refused():
    view = edge_view(one_edge("conv_3x3", "none"))
    with pytest.raises(InvalidArgument, match=r"did you mean 'nat\+\+'"):
        allowed_by_rule("nat+", classes_by_name(view))  # type: ignore[arg-type]
