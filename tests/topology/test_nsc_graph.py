"""NSC blocks and their graphs: known graphs, codes that come back, copies that are relabelled."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.nsc import IRLAS_MOBILE, TERMINAL, Block, parse_block
from nni_strategies.topology.nsc_draws import random_blocks
from nni_strategies.topology.nsc_graph import block_graph, graph_block, parsed_graph


def graph(nodes: dict[Any, tuple[str, Sequence[Any]]], *outputs: Any) -> TopologyGraph:
    return TopologyGraph.from_nodes(nodes, outputs, merge="concat")


def test_the_released_block():
    nodes = {"a": ("sepconv1", ["input"]), "b": ("sepconv3", ["input"]), "sum": ("add", ["b", "input"])}
    nodes |= {"c": ("sepconv5", ["input"]), "d": ("sepconv1", ["sum"])}
    expected = graph(nodes, "a", "c", "d")
    assert block_graph(IRLAS_MOBILE, "sep") == expected
    assert graph_block(expected, "sep") == graph_block(block_graph(IRLAS_MOBILE, "sep"), "sep")


@pytest.mark.parametrize(
    ("block", "labels", "reads"),
    [
        # an identity is contracted, and so is a pool with a kernel of 1; nothing is left
        ([(1, "identity", 0, 0), (2, "maxpool", 1, 1)], ("input", "output"), ((), (0,))),
        # an identity of the input is a loose end, the input itself is not
        ([(1, "conv", 3, 0), (2, "identity", 0, 0)], ("input", "conv3", "concat", "output"), ((), (0,), (0, 1), (2,))),
        ([(1, "conv", 3, 0), (2, "avgpool", 3, 1)], ("input", "conv3", "avgpool3", "output"), ((), (0,), (1,), (2,))),
        # a sum of sums is one sum; a concatenation of concatenations is not one
        (
            [(1, "conv", 3, 0), (2, "add", 0, 1, 0), (3, "maxpool", 3, 0), (4, "add", 0, 3, 2)],
            ("input", "conv3", "maxpool3", "add", "output"),
            ((), (0,), (0,), (0, 1, 2), (3,)),
        ),
        (
            [(1, "conv", 3, 0), (2, "concat", 0, 1, 0), (3, "maxpool", 3, 0), (4, "concat", 0, 3, 2)],
            ("input", "conv3", "concat", "maxpool3", "concat", "output"),
            ((), (0,), (0, 1), (0,), (2, 3), (4,)),
        ),
        # the sum of a node and its own identity
        (
            [(1, "conv", 3, 0), (2, "identity", 0, 1), (3, "add", 0, 2, 1)],
            ("input", "conv3", "add", "output"),
            ((), (0,), (1, 1), (2,)),
        ),
    ],
)
def test_known_graphs(block: list[Any], labels: tuple[str, ...], reads: tuple[tuple[int, ...], ...]):
    assert block_graph(block) == TopologyGraph(labels, reads)
    assert block_graph(graph_block(block_graph(block))) == TopologyGraph(labels, reads)


def test_convolutions_of_each_kind():
    block = [(1, "conv", 1, 0), (2, "conv", 3, 1), (3, "conv", 5, 2)]
    assert block_graph(block) == TopologyGraph.chain(["conv1", "conv3", "conv5"])
    assert block_graph(block, "sep") == TopologyGraph.chain(["sepconv1", "sepconv3", "sepconv5"])
    assert block_graph(block, "grouped") == TopologyGraph.chain(["conv1", "gconv3", "gconv5"])


def encoded_again(blocks: list[Block]) -> None:
    for block in blocks:
        structure = parsed_graph(block)
        code = graph_block(structure)
        assert parse_block(code) == code
        assert len(code) <= len(block)
        assert block_graph(code) == structure
        assert graph_block(block_graph(code)) == code


def test_a_code_comes_back():
    encoded_again(random_blocks(np.random.default_rng(0), 1000))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_hundred_thousand_codes_come_back():
    encoded_again(random_blocks(np.random.default_rng(1), 100_000))


def relabelled(block: Block, rng: random.Random) -> Block:
    """Return the same block with its layers in another order in which each still follows those it reads."""
    left, number, layers = list(block[:-1]), {0: 0}, []
    while left:
        layer = rng.choice([one for one in left if all(p in number for p in one.reads)])
        left.remove(layer)
        number[layer.number] = len(layers) + 1
        layers.append((len(layers) + 1, layer.type, layer.kernel, *[number[p] for p in layer.reads]))
    return parse_block(layers)


def test_relabelled_copies_are_the_same():
    rng, moved = random.Random(0), 0
    for block in random_blocks(np.random.default_rng(2), 200):
        structure = parsed_graph(block)
        for _ in range(5):
            copy = relabelled(block, rng)
            moved += copy != block
            assert parsed_graph(copy) == structure
            assert parsed_graph(copy).digest == structure.digest
            assert graph_block(parsed_graph(copy)) == graph_block(structure)
    assert moved > 300


def test_blocks_that_differ_have_other_codes():
    codes: dict[Block, TopologyGraph] = {}
    for block in random_blocks(np.random.default_rng(3), 3000, layers=4):
        structure = parsed_graph(block)
        assert codes.setdefault(graph_block(structure), structure) == structure
    assert len(set(codes.values())) == len(codes) > 400


def test_graphs_that_no_code_has_are_refused():
    with pytest.raises(InvalidArgument, match=r'"conv7": operations .*; did you mean'):
        graph_block(TopologyGraph.chain(["conv7"]))
    with pytest.raises(InvalidArgument, match='"conv3": operations'):
        graph_block(TopologyGraph.chain(["conv3"]), "sep")
    with pytest.raises(InvalidArgument, match="terminal"):
        graph_block(TopologyGraph.chain(["terminal"]))
    with pytest.raises(InvalidArgument, match="concat of 3"):
        triple = {1: ("conv3", ["input"]), 2: ("conv1", ["input"]), 3: ("concat", ["input", 1, 2]), 4: ("conv1", [3])}
        graph_block(graph(triple, 4))
    with pytest.raises(InvalidArgument, match="output reads something"):
        graph_block(TopologyGraph.chain(["none"]))
    with pytest.raises(InvalidArgument, match="1 to 4 operations"):
        graph_block(block_graph(IRLAS_MOBILE), most=4)
    with pytest.raises(InvalidArgument, match="did you mean 'grouped'"):
        block_graph(IRLAS_MOBILE, "groups")


def test_a_wide_sum_is_a_chain_of_sums():
    nodes = {1: ("conv3", ["input"]), 2: ("conv1", ["input"]), 3: ("add", ["input", 1, 2])}
    code = graph_block(graph(nodes, 3))
    assert [layer.operation for layer in code[2:]] == ["add", "add", "terminal"]
    assert code[-1].type == TERMINAL
    assert block_graph(code) == graph(nodes, 3)
