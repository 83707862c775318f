"""Standard names against known answers; standardising twice changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nni_strategies.topology.cells import cells_of
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.vocabulary import standard, standardized, windowed

STANDARD = (
    *("conv1", "conv3", "conv1x7", "conv3d2", "conv3x1d2", "gconv3", "dwconv5", "sepconv3", "sepconv1x7", "sepconv3d2"),
    *("maxpool3", "avgpool5", "globalpool", "linear", "attention", "add", "mul", "concat", "other:lstm", "zero"),
)


@pytest.mark.parametrize("label", STANDARD)
def test_standard_names_stand_for_themselves(label: str) -> None:
    assert standard(label) == (label,)


@pytest.mark.parametrize(
    ("label", "chain"),
    [
        ("nor_conv_3x3", ("conv3",)),
        ("conv3x3-bn-relu", ("conv3",)),
        ("conv_1x1", ("conv1",)),
        ("group_conv_3x3", ("gconv3",)),
        ("dw_conv_5x5", ("dwconv5",)),
        ("sep_conv_3x3", ("sepconv3", "sepconv3")),
        ("dil_conv_5x5", ("sepconv5d2",)),
        ("dil_sep_conv_3x3", ("sepconv3d2", "sepconv3d2")),
        ("conv_3x1_1x3", ("conv1x3", "conv3x1")),
        ("conv_1x7_7x1", ("conv1x7", "conv7x1")),
        ("max_pool_5x5", ("maxpool5",)),
        ("avg_pool_3x3", ("avgpool3",)),
        ("maxpool3x3", ("maxpool3",)),
        ("global_avg_pool", ("globalpool",)),
        ("self_attention", ("attention",)),
        ("fc", ("linear",)),
        ("skip_connect", ()),
        ("BatchNorm2d", ()),
        ("previous-2", ()),
        ("none", ("zero",)),
        ("max_pool", ("other:max_pool",)),
        ("Mystery", ("other:mystery",)),
    ],
)
def test_names_of_spaces(label: str, chain: tuple[str, ...]) -> None:
    assert standard(label) == chain
    assert tuple(name for part in chain for name in standard(part)) == chain


def test_window_sizes() -> None:
    assert windowed("conv", (3, 3), (1, 1)) == "conv3"
    assert windowed("conv", (1, 7)) == "conv1x7"
    assert windowed("dwconv", (5, 5), (2, 2)) == "dwconv5d2"
    assert windowed("conv", (1, 1), (2, 2)) == "conv1"  # one pixel has nothing to be dilated
    assert windowed("maxpool", (2,)) == "maxpool2"


def test_an_operation_becomes_its_chain() -> None:
    graph = TopologyGraph.from_edges([(0, 1, "sep_conv_5x5"), (0, 1, "skip_connect"), (0, 1, "none")])
    assert standardized(graph).labels == ("input", "sepconv5", "sepconv5", "add", "output")


def test_the_cells_that_a_cell_reads_are_its_input() -> None:
    one = {"op_2_0": "conv_3x3", "input_2_0": [0], "op_2_1": "max_pool_3x3", "input_2_1": [1]}
    (cell,) = cells_of(one).values()
    assert "previous-2" in cell.labels
    assert standardized(cell) == TopologyGraph.from_edges([(0, 1, "conv3"), (0, 1, "maxpool3")]).canonical()


def test_depthwise_and_its_only_reader_are_one() -> None:
    assert standardized(TopologyGraph.chain(["conv1", "dwconv3", "BatchNorm2d", "relu", "conv1", "conv1"])).labels == (
        *("input", "conv1", "sepconv3", "conv1", "output"),
    )
    assert standardized(TopologyGraph.chain(["dwconv3d2", "conv1"])).labels[1:-1] == ("sepconv3d2",)
    assert standardized(TopologyGraph.chain(["dwconv3", "conv3"])).labels[1:-1] == ("dwconv3", "conv3")
    assert standardized(TopologyGraph.chain(["gconv3", "conv1"])).labels[1:-1] == ("gconv3", "conv1")


def test_depthwise_with_two_readers_stays() -> None:
    nodes = {"d": ("dwconv3", ["input"]), "c": ("conv1", ["d"])}
    assert "dwconv3" in standardized(TopologyGraph.from_nodes(nodes, ["c", "d"])).labels


def test_product_with_zero_is_zero() -> None:
    nodes = {"z": ("none", ["input"]), "c": ("conv3", ["input"]), "m": ("mul", ["z", "c"])}
    assert standardized(TopologyGraph.from_nodes(nodes, ["m"])) == TopologyGraph(("input", "output"), ((), ()))
    assert standardized(TopologyGraph.from_nodes(nodes, ["m", "c"])) == TopologyGraph.chain(["conv3"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from([(i, j) for j in range(1, 5) for i in range(j)]),
            st.sampled_from([*STANDARD, "none", "skip_connect", "sep_conv_3x3", "mystery"]),
        ),
        min_size=1,
    )
)
def test_standardised_twice_is_standardised_once(choices: list[tuple[tuple[int, int], str]]) -> None:
    once = standardized(TopologyGraph.from_edges([(i, j, op) for (i, j), op in choices]))
    again = standardized(once)
    assert (again.labels, again.predecessors) == (once.labels, once.predecessors)
