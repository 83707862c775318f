"""The table has, to the last integer, what full networks cost; where it cannot, it says so."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.counter import Cost
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.model_space import MeasuredCosts, edges_of_model_space
from nni_strategies.nat.moves_of_space import moves_of_space
from tests.hub_spaces import build, hub
from tests.nat.model_space.spaces import (
    Again,
    Deep,
    SharedCells,
    SharedLabel,
    SharedWeights,
    Strided,
    Uneven,
    UnevenCell,
)

# isort: split
from nni.nas.hub.pytorch.nasnet import NDS


def costs_of(model_space: object, input_shape: tuple[int, ...] = (3, 8, 8)) -> MeasuredCosts:
    return MeasuredCosts(edges_of_model_space(model_space), input_shape)


def drawn(costs: MeasuredCosts, n: int, seed: int = 0) -> Architectures:
    rng = np.random.default_rng(seed)
    return costs.view.encode([costs.view.space.sample(rng) for _ in range(n)])


def test_a_plain_net_by_hand():
    costs = costs_of(Strided())
    first, second, third = costs.edge_costs[[0, 1, 2], [0, 1, 2]]
    at = {name: place for place, name in enumerate(costs.view.operations)}
    assert first[at["conv_3x3"]].tolist() == [64 * 8 * 8 * 9, 8 * 8 * 9 + 16]
    assert first[at["skip"]].tolist() == [0, 0]
    assert second[at["0"]].tolist() == [16 * 8 * 8 * 9, 8 * 8 * 9 + 16]
    assert second[at["1"]].tolist() == [16 * 8 * 8, 8 * 8 + 16]
    assert second[[at["2"], at["3"]]].tolist() == [[0, 0], [0, 0]]
    assert third[at["conv_1x1"]].tolist() == [16 * 8 * 8, 8 * 8 + 16]
    stem, head = Cost(64 * 8 * 3 * 9, 8 * 3 * 9 + 8), Cost(80, 90)
    assert costs.base(drawn(costs, 1).rest[0]).tolist() == [stem.madds + head.madds, stem.params + head.params]


@pytest.mark.parametrize("model_space", [Strided, SharedCells, UnevenCell, Deep])
def test_the_table_agrees_with_full_networks(model_space: type):
    costs = costs_of(model_space())
    assert costs.agrees(drawn(costs, 20)).all()


def test_a_cell_costs_by_what_its_edges_leave():
    costs = costs_of(UnevenCell())
    widths = UnevenCell.WIDTHS
    at = costs.view.operations.index("conv_3x3")
    for edge, table in zip(costs.view.edges, costs.edge_costs, strict=True):
        expected = [(64 * 9 * widths[s] * widths[edge.node], (9 * widths[s] + 1) * widths[edge.node]) for s in range(4)]
        assert table[: edge.node, at].tolist() == [list(cost) for cost in expected[: edge.node]]
        assert not table[edge.node :, at].any()


def test_the_base_is_that_of_the_nodes_that_nobody_reads():
    costs = costs_of(UnevenCell())
    configuration = drawn(costs, 1).rest[0]
    for reads, ends in (([0, 0, 0], [1, 2, 3]), ([0, 0, 1], [2, 3]), ([0, 0, 2], [1, 3]), ([0, 1, 2], [3])):
        sources = {f"cell/input_{node}_0": [read] for node, read in enumerate(reads, start=1)}
        n_in = sum(UnevenCell.WIDTHS[node] for node in ends)
        assert costs.base({**configuration, **sources}).tolist() == [64 * n_in * 5, (n_in + 1) * 5]


def test_depth_and_width_are_measured_as_they_come_up():
    costs = costs_of(Deep())
    assert len({(c["depth"], c["width"]) for c in drawn(costs, 20).rest}) == 6
    for depth, uses in ((1, 0), (2, 1), (3, 2)):
        one = {"width": 8, "depth": depth, "block_0": "skip", "block_1": "conv_3x3"}
        present = {label: value for label, value in one.items() if label != "block_1" or depth > 1}
        assert costs.chosen(costs.view.encode([present]))[0].tolist() == [uses * 64 * 64 * 9, uses * (64 * 9 + 8)]


def test_operations_that_give_other_shapes_are_refused():
    """What the second choice costs depends on the first: a sum of falling costs may rise."""
    with pytest.raises(InvalidArgument, match=r"first = .*conv_3x3 and halving give different ones"):
        _ = costs_of(Uneven()).edge_costs


@pytest.mark.parametrize(
    ("model_space", "first", "second"),
    [
        (Again, {"first": "conv_3x3"}, {"first": "conv_1x1"}),
        (SharedWeights, {"first": "shared", "second": "shared"}, {"first": "shared", "second": "own"}),
        (SharedLabel, {"first": "dear", "second": "block"}, {"first": "cheap", "second": "block"}),
    ],
)
def test_costs_that_do_not_add_up_are_noticed(model_space: type, first: dict[str, str], second: dict[str, str]):
    costs = costs_of(model_space())
    pair = costs.view.encode([first, second])
    assert costs.agrees(pair).tolist() == [True, False]
    with pytest.raises(InvalidArgument, match=r"add up: their sum is \[.*the whole network costs \["):
        costs.refuse_uneven(pair)
    with pytest.raises(InvalidArgument, match="add up"):
        moves_of_space(model_space(), input_shape=(3, 8, 8))


def test_of_several_rows_in_several_contexts_each_gets_its_own_costs():
    costs = costs_of(Deep())
    batch = drawn(costs, 12)
    alone = [costs.total(batch[[row]])[0].tolist() for row in range(len(batch))]
    assert costs.total(batch).tolist() == alone == (costs.chosen(batch) + costs.bases(batch)).tolist()


def test_an_input_that_does_not_fit_is_refused():
    with pytest.raises(InvalidArgument, match=r"input_shape = \[4, 8, 8\]: the shape of one input .* channel"):
        _ = costs_of(Strided(), (4, 8, 8)).edge_costs


def test_nothing_of_a_batch_of_none():
    costs = costs_of(Strided())
    none = drawn(costs, 3)[[False] * 3]
    assert costs.total(none).shape == costs.chosen(none).shape == (0, 2)
    assert costs.of(none).shape == (0, 3, 7, 2)


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["DARTS", "ENAS", "NasBench201", "eight cells"])
def test_hub_spaces_agree(name: str):
    if name == "eight cells":
        ops = [*hub.DARTS.DARTS_OPS, "none"]
        costs = costs_of(NDS(ops, num_nodes_per_cell=4, width=16, num_cells=8, dataset="cifar"), (3, 32, 32))
    else:
        costs = costs_of(build(name)[0], (3, 32, 32))
    assert costs.agrees(drawn(costs, 20)).all()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_skip_that_halves_costs_more_than_the_pool_it_stands_for():
    costs = costs_of(build("DARTS")[0], (3, 32, 32))
    at = {name: place for place, name in enumerate(costs.view.operations)}
    labels = [edge.label for edge in costs.view.edges]
    normal, reduction = labels.index("normal/op_3_0"), labels.index("reduce/op_3_0")
    skip, pool = costs.edge_costs[:, :, at["skip_connect"]], costs.edge_costs[:, :, at["max_pool_3x3"]]
    assert skip[normal, :3].tolist() == [[0, 0]] * 3
    # two reductions, of 8 and 16 channels to 16x16 and 8x8
    madds, params = 8 * 8 * 256 + 16 * 16 * 64, 8 * 8 + 16 + 16 * 16 + 32
    assert skip[reduction, :3].tolist() == [[madds, params]] * 2 + [[0, 0]]
    assert (pool == 0).all()
