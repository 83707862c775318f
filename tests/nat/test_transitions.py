"""What may become what on each edge, what it costs, and that no cell dies of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.edges import ABSENT, Architectures
from nni_strategies.nat.operation_classes import classes_by_name
from nni_strategies.nat.rules import RULES
from nni_strategies.nat.transitions import Transitions
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace
from tests.nat.edge_spaces import NASBENCH201, NASBENCH201_COSTS, nasbench201, transitions, two_input_cells

NONE, SKIP, CONV1, CONV3, POOL = range(5)  # places in NASBENCH201

BENCHMARK = transitions(nasbench201(), NASBENCH201_COSTS, "cost")


def uniform(operation: int, n: int = 1) -> Architectures:
    view = BENCHMARK.view
    return view.encode([{edge.label: NASBENCH201[operation] for edge in view.edges}] * n)


def targets(rule: Any, operation: int, cost_rule: Any = "strict") -> list[int]:
    made = transitions(nasbench201(), NASBENCH201_COSTS, rule, cost_rule)
    found: list[int] = np.flatnonzero(made.allowed(uniform(operation))[0, 0]).tolist()
    return found


@pytest.mark.parametrize(
    ("operation", "nat", "plus_plus", "cost"),
    [
        (NONE, [NONE, SKIP], [NONE, SKIP], [NONE, SKIP]),
        (SKIP, [NONE, SKIP], [NONE, SKIP], [NONE, SKIP]),
        (POOL, [NONE, SKIP, POOL], [NONE, SKIP, POOL], [NONE, SKIP, POOL]),
        (CONV1, [NONE, SKIP, CONV1], [NONE, SKIP, CONV1], [NONE, SKIP, CONV1, POOL]),
        (CONV3, [NONE, SKIP, CONV3], [NONE, SKIP, CONV1, CONV3, POOL], [NONE, SKIP, CONV1, CONV3, POOL]),
    ],
)
def test_moves_in_nas_bench_201(operation: int, nat: list[int], plus_plus: list[int], cost: list[int]):
    assert targets("nat", operation) == nat
    assert targets("nat++", operation) == plus_plus
    assert targets("cost", operation) == cost


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("strided", [False, True])
def test_sets_of_nulls_and_skips_are_idempotent(rule: Any, strided: bool):
    """What a null or a skip may become in two moves is what it may become in one, and nothing dearer."""
    skip = (525_000, 5_310) if strided else (0, 0)
    made = transitions(nasbench201(), {**NASBENCH201_COSTS, "skip_connect": skip}, rule)
    of_links = made.moves(made.costs.edge_costs)[..., [NONE, SKIP], :]
    assert not of_links[..., [CONV1, CONV3]].any()
    assert of_links[..., POOL].any() == (strided and rule == "cost")  # a pool is cheaper than a skip that halves
    once = of_links[..., [NONE, SKIP]]
    assert (once @ once == once).all()
    assert once[0, 0].tolist() == [[True, not strided], [True, True]]


def test_paper_asks_the_rule_alone():
    view = two_input_cells(("none", "skip_connect", "max_pool_3x3"), 1, ("reduce",))
    costs = {"skip_connect": (525_000, 5_310)}  # a skip that is a strided convolution
    start = view.encode([config(view, "max_pool_3x3")])
    at = view.operations.index("skip_connect")
    assert not transitions(view, costs, "nat").allowed(start)[0, :, at].any()
    assert transitions(view, costs, "nat", "paper").allowed(start)[0, :, at].all()


def config(view: Any, operation: str) -> dict[str, Any]:
    return {edge.label: operation for edge in view.edges} | {edge.source_label: [0] for edge in view.edges}


def test_an_edge_is_judged_at_its_own_source():
    view = two_input_cells(("skip_connect", "conv_1x1"), 1, ("normal",))
    skip, conv = view.operations.index("skip_connect"), view.operations.index("conv_1x1")
    costs = np.zeros((2, 3, 2, 2), dtype=np.int64)
    costs[:, 0, skip], costs[:, 0, conv] = (10, 10), (5, 5)  # from node 0 a skip is the dearer one
    costs[:, 1, skip], costs[:, 1, conv] = (0, 0), (5, 5)
    made = Transitions(view, classes_by_name(view), CostTable(view, costs), "nat")
    configuration = config(view, "conv_1x1") | {"normal/input_2_1": [1]}
    assert made.allowed(view.encode([configuration]))[0, :, skip].tolist() == [False, True]


@pytest.mark.parametrize("cheap", [(9, 11), (11, 9)])
def test_neither_cost_may_rise(cheap: tuple[int, int]):
    view = two_input_cells(("conv_3x3", "skip_connect"), 1, ("normal",))
    made = transitions(view, {"conv_3x3": (10, 10), "skip_connect": cheap}, "nat")
    assert not made.allowed(view.encode([config(view, "conv_3x3")]))[..., view.operations.index("skip_connect")].any()


def test_on_a_tie_what_is_not_counted_decides():
    names = ("none", "skip_connect", "max_pool_3x3", "avg_pool_3x3", "max_pool_5x5", "conv_1x1")
    view = two_input_cells(names, 1, ("reduce",))
    # a skip that halves and a 1x1 convolution of the same stride cost the same
    made = transitions(view, {"skip_connect": (7, 7), "conv_1x1": (7, 7)}, "cost")

    def moves(name: str) -> set[str]:
        allowed = made.allowed(view.encode([config(view, name)]))[0, 0]
        return {names[v] for v in np.flatnonzero(allowed)}

    assert moves("conv_1x1") == set(names)
    assert moves("skip_connect") == set(names) - {"conv_1x1"}  # cheaper by what is counted, even as an operation
    assert moves("max_pool_3x3") == {"none", "max_pool_3x3", "avg_pool_3x3"}
    assert moves("max_pool_5x5") == {"none", "max_pool_5x5", "max_pool_3x3", "avg_pool_3x3"}
    assert moves("none") == {"none"}


def test_from_null_to_skip_and_back_is_free():
    made = transitions(nasbench201(), {}, "nat")
    assert made.allowed(uniform(NONE))[0, 0].tolist() == made.allowed(uniform(SKIP))[0, 0].tolist()


@pytest.mark.parametrize("rule", ["nat", "nat++", "cost"])
def test_moves_compose(rule: Any):
    # what is reachable in two moves is reachable in one
    made = transitions(nasbench201(), NASBENCH201_COSTS, rule)
    table = made.moves(made.costs.edge_costs)[0, 0].astype(int)
    assert ((table @ table > 0) == (table > 0)).all()


# the outputs of one architecture


def by_hand(made: Transitions, parent: Architectures) -> set[tuple[int, ...]]:
    """All cells of the space, filtered."""
    places = np.stack(np.meshgrid(*[range(5)] * 6, indexing="ij"), axis=-1).reshape(-1, 6)
    children = parent[np.zeros(len(places), dtype=np.int64)].replaced(places)
    return {tuple(row) for row in places[made.valid(parent[np.zeros(len(places), dtype=np.int64)], children)].tolist()}


@pytest.mark.parametrize("rule", ["nat", "nat++", "cost"])
def test_reachable_is_all_that_is_valid(rule: Any):
    made = transitions(nasbench201(), NASBENCH201_COSTS, rule)
    for parent in (made.inputs(np.random.default_rng(seed), 1) for seed in range(3)):
        found = made.reachable(parent)
        assert len(found) == len({tuple(row) for row in found.tolist()})
        assert {tuple(row) for row in found.tolist()} == by_hand(made, parent)


def test_the_mean_number_of_outputs_of_uniform_cells():
    # per edge (2 + 2 + 3 + 3 + 3) / 5 and (2 + 2 + 3 + 4 + 5) / 5 operations: 2.6^6 = 309 and 3.2^6 = 1,074
    everything = np.stack(np.meshgrid(*[range(5)] * 6, indexing="ij"), axis=-1).reshape(-1, 6)
    parents = uniform(NONE, len(everything)).replaced(everything)
    for rule, mean in (("nat", 2.6**6), ("cost", 3.2**6)):
        made = transitions(nasbench201(), NASBENCH201_COSTS, rule)  # type: ignore[arg-type]
        assert np.mean(made.n_moves(parents)) == pytest.approx(mean)


def test_an_enumeration_that_would_never_end_is_refused():
    view = two_input_cells(NASBENCH201, 5)
    made = transitions(view, NASBENCH201_COSTS)
    parent = view.encode([config(view, "nor_conv_3x3")])
    with pytest.raises(InvalidArgument, match="at most 2,000,000 outputs"):
        made.reachable(parent)
    with pytest.raises(InvalidArgument, match="one architecture"):
        made.reachable(parent[[0, 0]])


# staying alive


def test_a_dead_child_gets_the_cheapest_path_of_its_parent_back():
    # parent: 0-1 conv3, 0-2 conv1, 0-3 conv3, 1-3 skip, 2-3 skip, 1-2 none; all cut but 2-3
    parent = uniform(NONE).replaced(np.array([[CONV3, CONV1, NONE, CONV3, SKIP, SKIP]]))
    child = np.array([[NONE, NONE, NONE, NONE, NONE, SKIP]])
    assert BENCHMARK.repaired(parent, child).tolist() == [[NONE, CONV1, NONE, NONE, NONE, SKIP]]


def test_what_a_child_still_has_costs_nothing_to_use():
    # 0-1 still carries conv3 in the child, so its path is free but for the skip of 1-3
    parent = uniform(NONE).replaced(np.array([[CONV3, CONV1, NONE, CONV3, SKIP, SKIP]]))
    child = np.array([[CONV3, NONE, NONE, NONE, NONE, NONE]])
    assert BENCHMARK.repaired(parent, child).tolist() == [[CONV3, NONE, NONE, NONE, SKIP, NONE]]


def test_only_dead_cells_are_touched():
    view = nasbench201("a", "b")
    made = transitions(view, NASBENCH201_COSTS)
    parent = view.encode([{edge.label: "nor_conv_1x1" for edge in view.edges}])
    child = np.full((1, 12), NONE)
    child[0, 3] = SKIP  # a: 0-3 is a path of its own
    repaired = made.repaired(parent, child)
    assert repaired[0, :6].tolist() == child[0, :6].tolist()
    assert repaired[0, 6:].tolist() == [NONE, NONE, NONE, CONV1, NONE, NONE]


@pytest.mark.parametrize("concat", ["all", "loose_end"])
def test_every_repaired_child_is_valid(concat: Any):
    view = two_input_cells(("none", "skip_connect", "conv_3x3", "conv_1x1"), concat=concat)
    made = transitions(view, {"conv_3x3": (9, 9), "conv_1x1": (1, 1)})
    rng = np.random.default_rng(0)
    parents = made.inputs(rng, 500)
    allowed = made.allowed(parents)
    none = view.operations.index("none")
    cut = np.where(rng.random(parents.operations.shape) < 0.8, none, parents.operations)
    assert np.take_along_axis(allowed, cut[..., None], axis=2).all()
    assert 0 < made.alive(parents.replaced(cut)).sum() < 500
    assert made.valid(parents, parents.replaced(made.repaired(parents, cut))).all()


def test_a_dead_input_is_refused():
    dead = uniform(NONE)
    rng = np.random.default_rng(0)
    for call in (
        lambda: BENCHMARK.random_children(dead, 1, rng),
        lambda: BENCHMARK.reachable(dead),
        lambda: BENCHMARK.repaired(dead, dead.operations),
    ):
        with pytest.raises(InvalidArgument, match=r"cell cell = .*the cell is dead"):
            call()


# children


def test_children_are_valid_and_uniform_where_nothing_can_die():
    space = SearchSpace((Categorical("cell/0_1", ("conv_3x3", "conv_1x1", "skip_connect")),))
    view = edge_view(space)
    made = transitions(view, {"conv_3x3": (9, 9), "conv_1x1": (1, 1)})
    parent = view.encode([{"cell/0_1": "conv_3x3"}])
    children = made.random_children(parent, 30_000, np.random.default_rng(0))
    assert made.valid(parent[np.zeros(30_000, dtype=np.int64)], children).all()
    assert np.bincount(children.operations[:, 0]) / 30_000 == pytest.approx([1 / 3] * 3, abs=0.01)


def test_children_are_uniform_among_the_valid_ones():
    # dead children are drawn again rather than repaired, which would favour what repairs lead to
    made = transitions(nasbench201(), NASBENCH201_COSTS, "nat")
    parent = uniform(SKIP)
    valid = [tuple(row) for row in made.reachable(parent).tolist()]
    assert len(valid) < made.n_moves(parent)[0]
    drawn = made.random_children(parent, 40_000, np.random.default_rng(0)).operations.tolist()
    counts = Counter(map(tuple, drawn))
    assert set(counts) == set(valid)
    expected = 40_000 / len(valid)
    assert max(abs(counts[row] - expected) for row in valid) < 5 * expected**0.5


def test_children_stay_with_their_parents():
    rng = np.random.default_rng(0)
    parents = BENCHMARK.inputs(rng, 20)
    children = BENCHMARK.random_children(parents, 7, rng)
    assert BENCHMARK.valid(parents[np.repeat(np.arange(20), 7)], children).all()


def test_children_are_a_function_of_the_generator():
    parents = BENCHMARK.inputs(np.random.default_rng(1), 20)
    draws = [BENCHMARK.random_children(parents, 3, np.random.default_rng(2)).operations for _ in range(2)]
    assert (draws[0] == draws[1]).all()


def test_an_edge_that_is_not_in_use_stays_so():
    view = nasbench201("a", "b")
    made = transitions(view, NASBENCH201_COSTS)
    parent = view.encode([{edge.label: "nor_conv_3x3" for edge in view.edges if edge.cell == "a"}])
    assert not made.allowed(parent)[0, 6:].any()
    children = made.random_children(parent, 50, np.random.default_rng(0))
    assert (children.operations[:, 6:] == ABSENT).all()
    assert made.valid(parent[np.zeros(50, dtype=np.int64)], children).all()
    assert (made.reachable(parent)[:, 6:] == ABSENT).all()
    used = children.operations.copy()
    used[:, 6] = SKIP
    assert not made.valid(parent[np.zeros(50, dtype=np.int64)], children.replaced(used)).any()


def test_another_source_is_no_transformation():
    view = two_input_cells(("none", "skip_connect"), 1, ("normal",))
    made = transitions(view, {}, "nat")
    parent = view.encode([config(view, "skip_connect")])
    moved = view.encode([config(view, "skip_connect") | {"normal/input_2_0": [1]}])
    assert made.valid(parent, parent).all()
    assert not made.valid(parent, moved).any()


# inputs


def test_inputs_are_uniform_over_cells_that_are_alive():
    made = transitions(nasbench201(), NASBENCH201_COSTS)
    drawn = made.inputs(np.random.default_rng(0), 20_000)
    assert len(drawn) == 20_000
    assert made.alive(drawn).all()
    # the operations of an edge are uniform among all cells that are alive: counted over the whole space
    everything = np.stack(np.meshgrid(*[range(5)] * 6, indexing="ij"), axis=-1).reshape(-1, 6)
    living = everything[made.alive(uniform(NONE, len(everything)).replaced(everything))]
    for e in range(6):
        expected = np.bincount(living[:, e], minlength=5) / len(living)
        assert np.bincount(drawn.operations[:, e], minlength=5) / 20_000 == pytest.approx(expected, abs=0.015)


def test_nulls_at_the_rate_asked_for():
    view = two_input_cells(("none", "skip_connect", "conv_3x3"), concat="all")
    made = transitions(view, {"conv_3x3": (1, 1)})
    none = view.operations.index("none")
    without = made.inputs(np.random.default_rng(0), 500, null_probability=0.0)
    assert not (without.operations == none).any()
    half = made.inputs(np.random.default_rng(0), 5_000, null_probability=0.5)
    last = [e for e, edge in enumerate(view.edges) if edge.node == 5]  # of little weight for life
    assert (half.operations[:, last] == none).mean() == pytest.approx(0.5, abs=0.02)
    counts = np.bincount(half.operations[half.operations != none], minlength=3)
    assert counts[1] / counts[2] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("probability", [-0.1, 1.0, float("nan")])
def test_a_rate_of_nulls_that_is_none_is_refused(probability: float):
    with pytest.raises(InvalidArgument, match="null_probability"):
        BENCHMARK.inputs(np.random.default_rng(0), 1, null_probability=probability)


def test_a_rate_that_kills_all_is_refused_rather_than_waited_for():
    view = edge_view(SearchSpace(tuple(Categorical(f"c/{i}_{i + 1}", ("none", "conv_3x3")) for i in range(60))))
    made = transitions(view, {"conv_3x3": (1, 1)})
    with pytest.raises(InvalidArgument, match="null_probability"):
        made.inputs(np.random.default_rng(0), 10, null_probability=0.9)


def test_of_many_cells_the_dead_ones_are_drawn_again():
    # a draw of all twelve at once would be alive once in thousands
    view = nasbench201(*"abcdefghijkl")
    made = transitions(view, NASBENCH201_COSTS)
    drawn = made.inputs(np.random.default_rng(0), 200, null_probability=0.6)
    assert made.alive(drawn).all()
    one = transitions(nasbench201(), NASBENCH201_COSTS).inputs(np.random.default_rng(1), 5_000, null_probability=0.6)
    nulls = (one.operations == NONE).mean(axis=0)
    assert (drawn.operations.reshape(-1, 6) == NONE).mean(axis=0) == pytest.approx(nulls, abs=0.04)


def test_sources_are_redrawn_with_their_cell():
    view = two_input_cells(("none", "skip_connect"), concat="loose_end")
    made = transitions(view, {})
    drawn = made.inputs(np.random.default_rng(0), 300, null_probability=0.7)
    again = view.encode(view.decode(drawn))
    assert (again.sources == drawn.sources).all()
    assert (again.operations == drawn.operations).all()


# arguments


def test_unknown_rules_are_refused():
    view = nasbench201()
    with pytest.raises(InvalidArgument, match="did you mean 'strict'"):
        transitions(view, {}, "nat", "strikt")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="did you mean 'nat"):
        transitions(view, {}, "nta")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="allows everything by itself"):
        transitions(view, {}, "cost", "paper")
