"""Cells read off the labels of NNI's hub spaces."""

from __future__ import annotations

from typing import Any

import pytest

from nni_strategies.topology.cells import cells_of
from nni_strategies.topology.graph import TopologyGraph


@pytest.mark.parametrize("template", ["cell/{}_{}", "cell.edge_{}_{}", "edge_{}_{}", "{}_{}", "cell_{}_{}"])
def test_operations_on_edges(template: str) -> None:
    edges = [(0, 1, "conv"), (0, 2, "skip_connect"), (1, 2, "pool"), (0, 3, "none"), (1, 3, "conv"), (2, 3, "conv")]
    (cell,) = cells_of({template.format(i, j): op for i, j, op in edges}).values()
    assert cell == TopologyGraph.from_edges(edges)


def test_nodes_that_no_edge_enters_are_earlier_blocks() -> None:
    edges = {"block_1/0_2": "none", "block_1/1_2": "conv", "block_1/0_3": "skip_connect", "block_1/2_3": "pool"}
    (block,) = cells_of(edges).values()
    alike = TopologyGraph.from_nodes(
        {
            "far": ("previous-2", ["input"]), "near": ("previous", ["input"]), "conv": ("conv", ["near"]),
            "pool": ("pool", ["conv"]), "skip": ("skip_connect", ["far"]), "sum": ("add", ["pool", "skip"]),
        },
        ["sum"],
    )  # fmt: skip
    assert block.canonical() == alike.canonical()


def test_nni_cell() -> None:
    # node 2 = conv(previous) + pool(previous-2), node 3 = skip(node 2) + conv(node 2)
    configuration = {
        "normal/op_2_0": "conv",
        "normal/op_2_1": "pool",
        "normal/op_3_0": "skip_connect",
        "normal/op_3_1": "conv",
        "normal/input_2_0": [1],
        "normal/input_2_1": [0],
        "normal/input_3_0": [2],
        "normal/input_3_1": [2],
    }
    loose = cells_of(configuration)["normal"].canonical()
    assert sorted(loose.labels[1:-1]) == ["add", "add", "conv", "conv", "pool", "previous", "previous-2"]
    assert loose.labels[-2] == "add"
    everything = cells_of(configuration, concat="all")["normal"].canonical()
    assert everything.labels[-2] == "concat"
    assert len(everything.predecessors[-2]) == 2


def test_reduction_cell_is_another_cell() -> None:
    one = {"op_1_0": "conv", "input_1_0": [0]}
    cells = cells_of({f"{name}/{label}": value for name in ("normal", "reduce") for label, value in one.items()})
    assert list(cells) == ["normal", "reduce"]
    assert cells["normal"] == cells["reduce"]


def test_nasbench101_cell() -> None:
    configuration: dict[str, Any] = {
        "cell/num_nodes": 4,
        "cell/op1": "conv3x3-bn-relu",
        "cell/op2": "maxpool3x3",
        "cell/input1": [0],
        "cell/input2": [0, 1],
        "cell/input3": [1, 2],
    }
    cell = cells_of(configuration)["cell"]
    assert cell.labels == ("input", "conv3x3-bn-relu", "add", "maxpool3x3", "concat", "output")
    assert cell.predecessors == ((), (0,), (0, 1), (2,), (1, 3), (4,))


def test_layers_up_to_the_depth() -> None:
    configuration = {"s2_depth": 2, "s10_i0": "k7", "s2_i0": "k3", "s2_i1": "k5", "s2_i2": "unused", "s2_width": 1.5}
    assert cells_of(configuration) == {"layers": TopologyGraph.chain(["k3", "k5", "k7"])}


@pytest.mark.parametrize(
    "configuration",
    [
        {"lr": 0.1, "units": 32},
        {"0_1": 3, "0_2": 4},
        {"1_0": "conv"},
        {"op_2_0": "conv", "input_2_0": [5]},
        {"op_2_0": "conv"},
        {"cell/num_nodes": 3, "cell/op1": "conv", "cell/input1": [0]},
        {},
    ],
)
def test_other_labels_make_no_cell(configuration: dict[str, Any]) -> None:
    assert cells_of(configuration) == {}
