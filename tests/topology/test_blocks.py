"""Blocks are found by name, by class, by repetition, or are the whole network."""

from __future__ import annotations

import pytest
from torch import Tensor, nn

from nni_strategies.errors import InvalidArgument, TopologyUnreadable
from nni_strategies.topology.blocks import WHOLE, topology_of
from nni_strategies.topology.topology import Block
from nni_strategies.topology.traced import traced
from tests.topology.networks import conv, graph, nodes
from trial_code.resnet_cifar import resnet20

BASIC = nodes(["b", "input"], a=("conv3", ["input"]), b=("conv3", ["a"]))


class Residual(nn.Module):
    def __init__(self, projects: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Sequential(conv(), nn.ReLU()), nn.Sequential(conv(), nn.BatchNorm2d(4)))
        self.shortcut = conv(1) if projects else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)


class Cell(nn.Module):
    """A cell of two inputs, with what aligns them, as NNI's."""

    def __init__(self) -> None:
        super().__init__()
        self.preprocessor = conv(1)
        self.ops = nn.ModuleList([conv(), nn.MaxPool2d(3, 1, 1)])

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        left, right = (self.preprocessor(x) for x in inputs)
        return [inputs[1], self.ops[0](left) + self.ops[1](right)]


class OfCells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.cells = conv(), nn.ModuleList([Cell(), Cell()])

    def forward(self, x: Tensor) -> Tensor:
        states = [self.stem(x)] * 2
        for cell in self.cells:
            states = cell(states)
        return states[1]


def test_resnet20_is_nine_basic_blocks() -> None:
    assert topology_of(traced(resnet20())).blocks == (Block("layer1.0", BASIC, 9),)


def test_others_of_a_repeated_class_are_blocks_too() -> None:
    net = nn.Sequential(conv(), nn.Sequential(Residual(True), Residual()), nn.Sequential(Residual(), Residual()))
    projected = nodes(["b", "s"], a=("conv3", ["input"]), b=("conv3", ["a"]), s=("conv1", ["input"]))
    assert topology_of(traced(net)).blocks == (Block("1.0", projected, 1), Block("1.1", BASIC, 3))


def test_parallel_branches_are_not_repeated_blocks() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = (nn.Sequential(conv(1), conv()) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            return self.one(x) + self.other(x)

    (block,) = topology_of(traced(Branches())).blocks
    assert block.name == WHOLE
    names = ("conv1", "conv3")
    a, b, c, d = ("a", "b", "c", "d")
    expected = nodes([b, d], a=(names[0], ["input"]), b=(names[1], [a]), c=(names[0], ["input"]), d=(names[1], [c]))
    assert block.graph == expected


def test_single_layers_are_no_blocks() -> None:
    topology = topology_of(traced(nn.Sequential(*(nn.Sequential(conv(), nn.ReLU()) for _ in range(3)))))
    assert topology.blocks == (Block(WHOLE, graph("conv3", "conv3", "conv3"), 1),)
    assert topology.graph == topology.blocks[0].graph


def test_a_module_called_twice_is_two_blocks() -> None:
    shared = Residual()
    assert topology_of(traced(nn.Sequential(shared, shared))).blocks == (Block("0", BASIC, 2),)


def test_cells_without_what_aligns_their_inputs() -> None:
    expected = nodes(["a", "b"], a=("conv3", ["input"]), b=("maxpool3", ["input"]))
    topology = topology_of(traced(OfCells()))
    assert topology.blocks == (Block("cells.0", expected, 2),)
    assert topology.graph is not None and topology.graph.labels.count("conv1") == 4


def test_block_regex_matches_whole_paths() -> None:
    net = nn.Sequential(Residual(), Residual())
    assert topology_of(traced(net), r"\d\.body\.\d").blocks == (Block("0.body.0", graph("conv3"), 4),)
    assert topology_of(traced(net), r"0|0\.body").blocks == (Block("0", BASIC, 1),)


def test_bad_block_regex() -> None:
    trace = traced(nn.Sequential(conv()))
    with pytest.raises(InvalidArgument, match="block_regex"):
        topology_of(trace, "(")
    with pytest.raises(TopologyUnreadable, match="'layers' matches no module; there are 0"):
        topology_of(trace, "layers")
