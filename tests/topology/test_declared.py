"""Blocks from configurations alone, against known answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nni_strategies.errors import TopologyUnreadable
from nni_strategies.space.from_json import space_from_json
from nni_strategies.topology import adapters
from nni_strategies.topology.declared import declared
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.nsc_space import nsc_space
from nni_strategies.topology.topology import Block, grouped

CELL = {
    "op_2_0": "sep_conv_3x3",
    "op_2_1": "skip_connect",
    "op_3_0": "max_pool_3x3",
    "op_3_1": "dil_conv_5x5",
    "input_2_0": [1],
    "input_2_1": [0],
    "input_3_0": [2],
    "input_3_1": [0],
}
CELLS = {f"{name}/{label}": value for name in ("normal", "reduce") for label, value in CELL.items()}


def of(outputs: list[str], merge: str = "add", **nodes: tuple[str, list[str]]) -> TopologyGraph:
    return TopologyGraph.from_nodes(dict(nodes), outputs, merge=merge)


PARTS = {
    "a": ("sepconv3", ["input"]),
    "b": ("sepconv3", ["a"]),
    "c": ("add", ["b", "input"]),
    "d": ("maxpool3", ["c"]),
    "e": ("sepconv5d2", ["input"]),
    "f": ("add", ["d", "e"]),
}
LOOSE, ALL = of(["f"], **PARTS), of(["c", "f"], "concat", **PARTS)


def test_cells_of_darts_and_enas() -> None:
    # both cells are alike here, so they are one block: six of eight cells are normal ones, two reductions
    assert declared({**CELLS, "depth": 8}, "DARTS").blocks == (Block("normal", ALL, 8),)
    assert declared({**CELLS, "depth": 8}, "ENAS").blocks == (Block("normal", LOOSE, 8),)
    different = {**CELLS, "reduce/op_2_0": "conv_3x3"}
    assert [(b.name, b.count) for b in declared({**different, "depth": 8}, "PNAS").blocks] == [
        ("normal", 6),
        ("reduce", 2),
    ]
    assert [b.count for b in declared(different, "PNAS").blocks] == [1, 1]  # labels do not say how many


def test_arguments_of_the_space_are_asked() -> None:
    class DARTS:
        merge_op, num_cells = "loose_end", 5

    class Mine(DARTS):
        pass

    assert declared(CELLS, Mine()).blocks == (Block("normal", LOOSE, 5),)


def test_nasbench101_adds_its_input_to_what_it_concatenates() -> None:
    configuration: dict[str, Any] = {"cell/num_nodes": 4, "cell/op1": "conv3x3-bn-relu", "cell/op2": "maxpool3x3"}
    configuration |= {"cell/input1": [0], "cell/input2": [0, 1], "cell/input3": [0, 1, 2]}
    expected = of(
        ["j", "input"],
        a=("conv3", ["input"]),
        s=("add", ["input", "a"]),
        b=("maxpool3", ["s"]),
        j=("concat", ["a", "b"]),
    )
    assert declared(configuration, "NasBench101").blocks == (Block("cell", expected, 1),)
    assert declared({"cell/num_nodes": 2, "cell/input1": [0]}, "NasBench101").blocks[0].graph == of(["input"])


def test_nasbench201() -> None:
    edges = dict(zip(("0_1", "0_2", "1_2", "0_3", "1_3", "2_3"), ["conv_3x3", "none", "avg_pool_3x3"] * 2, strict=True))
    (block,) = declared({f"cell/{edge}": operation for edge, operation in edges.items()}, "NasBench201").blocks
    # 0 -> 1 conv, 1 -> 2 pool, 0 -> 3 conv, 2 -> 3 pool
    nodes = {"a": ("conv3", ["input"]), "b": ("avgpool3", ["a"]), "c": ("avgpool3", ["b"]), "d": ("conv3", ["input"])}
    assert block.graph == of(["c", "d"], **nodes)


def test_mobilenet_v3() -> None:
    configuration = {"stem_ks": 5, "s0_i0_ks": 7, "s1_depth": 2, "s1_i0_ks": 3, "s1_i0_exp": 6.0, "s1_i1_ks": 5}
    configuration |= {"s1_i1_exp": 3.0, "s1_i2_ks": 7, "s2_depth": 2, "s2_i0_ks": 3, "s2_i1_ks": 3}
    blocks = declared({**configuration, "s2_i0_se": "identity", "s2_i1_se": "se"}, "MobileNetV3Space").blocks
    squeezed = {"b": ("dwconv3", ["a"]), "p": ("globalpool", ["b"]), "q": ("conv1", ["p"]), "r": ("conv1", ["q"])}
    assert blocks == (
        Block("s0_i0", TopologyGraph.chain(["sepconv7"]), 1),
        Block("s1_i0", TopologyGraph.chain(["conv1", "sepconv3"]), 2),  # s2_i0 is the same
        Block("s1_i1", of(["b", "input"], a=("conv1", ["input"]), b=("sepconv5", ["a"])), 1),
        Block(
            "s2_i1",
            of(["c", "input"], a=("conv1", ["input"]), **squeezed, m=("mul", ["b", "r"]), c=("conv1", ["m"])),
            1,
        ),
    )


def test_proxylessnas() -> None:
    blocks = declared({"s2_depth": 1, "s2_i0": "k5e3", "s2_i1": "k7e6", "s7_i0": "k5e6"}, "ProxylessNAS").blocks
    assert blocks == (
        Block("first", TopologyGraph.chain(["sepconv3"]), 1),
        Block("s2_i0", TopologyGraph.chain(["conv1", "sepconv5"]), 2),
    )


def test_shufflenet() -> None:
    configuration = {f"layer_{i}": "xcep" if i == 1 else "k5" for i in range(1, 21)}
    halving, passing = {"s": ("sepconv5", ["input"])}, {"a": ("conv1", ["input"]), "b": ("sepconv5", ["a"])}
    thrice = {"a": ("sepconv3", ["input"]), "b": ("sepconv3", ["a"]), "c": ("sepconv3", ["b"])}
    assert declared(configuration, "ShuffleNetSpace").blocks == (
        Block("layer_1", of(["c", "s"], "concat", **thrice, s=("sepconv3", ["input"])), 1),
        Block("layer_2", of(["b", "input"], "concat", **passing), 16),
        Block("layer_5", of(["b", "s"], "concat", **passing, **halving), 3),
    )


def test_autoformer() -> None:
    (block,) = declared({"depth": 13, "embed_dim": 192}, "AutoFormer").blocks
    assert block.count == 13
    assert block.graph.labels == ("input", "attention", "add", "linear", "linear", "add", "output")


def test_labels_say_it_without_a_space() -> None:
    edges = {"cell.edge_0_1": "nor_conv_3x3", "cell.edge_0_2": "skip_connect", "cell.edge_1_2": "nor_conv_1x1"}
    residual = of(["b", "input"], a=("conv3", ["input"]), b=("conv1", ["a"]))
    assert declared(edges).blocks == (Block("cell", residual, 1),)
    assert declared({"op_1": "conv3", "p1_1": 0, "op_2": "add", "p1_2": 1, "p2_2": 0}).blocks == (
        Block("block", of(["a", "input"], a=("conv3", ["input"])), 1),
    )


def test_a_user_registers_a_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "_ADAPTERS", dict(adapters._ADAPTERS))

    class Ladder:
        rungs = 3

    @adapters.register_topology("Ladder")
    def ladder(configuration: Any, space: Any) -> Iterator[Block]:
        for i in range(space.rungs):
            yield Block(f"rung {i}", TopologyGraph.chain([configuration["op"]]), 1)

    assert declared({"op": "conv3"}, Ladder()).blocks == (Block("rung 0", TopologyGraph.chain(["conv3"]), 3),)
    with pytest.raises(TopologyUnreadable, match="configuration other: KeyError: 'op'"):
        declared({"other": 1}, Ladder())


@pytest.mark.parametrize(
    ("configuration", "space", "message"),
    [
        ({"lr": 0.1}, None, "labels lr are of no known family, and no space was given"),
        ({"lr": 0.1}, "MySpace", "no topology is registered for MySpace"),
        ({"layer_1": "k3"}, "ShuffleNetSpace", "KeyError: 'layer_2'"),
        ({"s2_i0": 3}, "ProxylessNAS", "AttributeError"),
        ({"op_1": "conv9", "p1_1": 0}, None, "InvalidArgument: op_1"),
    ],
)
def test_what_cannot_be_read_is_named(configuration: dict[str, Any], space: Any, message: str) -> None:
    with pytest.raises(TopologyUnreadable, match=message):
        declared(configuration, space)


def test_equal_blocks_are_counted_together() -> None:
    one = TopologyGraph.from_nodes({"a": ("x", ["input"]), "b": ("y", ["input"])}, ["a", "b"])
    same = TopologyGraph.from_nodes({"b": ("y", ["input"]), "a": ("x", ["input"])}, ["b", "a"])
    other = TopologyGraph.chain(["a", "b"])
    assert grouped([Block("x", one, 2), Block("y", other, 1), Block("z", same, 3)]) == (
        Block("x", one, 5),
        Block("y", other, 1),
    )


def test_declared_extraction_needs_neither_torch_nor_nni(checkout: Path) -> None:
    program = "import sys, nni_strategies.topology.extract\nprint([m for m in ('torch', 'nni') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=checkout, check=False)
    assert ran.stdout.strip() == "[]", ran.stderr


def test_flat_draws_of_the_code_are_read_as_the_blocks_they_stand_for():
    """NNI's flat space draws each label on its own: joined predecessors may be equal, unused labels are there."""
    space = nsc_space(5)
    flat = space_from_json(space.nni_search_space())
    for configuration in flat.decode(flat.sample_codes(np.random.default_rng(0), 100)):
        (block,) = declared(configuration).blocks
        assert block.graph == declared(space.normal_form(configuration)).blocks[0].graph
