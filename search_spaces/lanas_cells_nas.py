"""The cells of one-shot LaNAS as a model space of ``nni.nas``: 160 bits, of which 20 are one.

Two cells, normal and reduction, of five nodes. Node i has a slot for each of four operations on each of the i + 2
tensors before it, and is the sum of exactly two of its slots [1]_: 8 + 12 + 16 + 20 + 24 = 80 bits a cell,
(28 x 66 x 120 x 190 x 276)^2 = 1.35e20 architectures. All five nodes are concatenated. The frame is that of DARTS [2]_:
a stem, cells of which the ones at a third and two thirds halve the image and double the channels, a linear classifier;
before it, unlike there, batch norm and ReLU.

.. [1] Wang, Xie, Li, Fonseca, Tian: Sample-Efficient Neural Architecture Search by Learning Actions for Monte Carlo
   Tree Search, TPAMI 2022, 1906.06832.
.. [2] Liu, Simonyan, Yang: DARTS: Differentiable Architecture Search, ICLR 2019, 1806.09055.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import torch
from nni.mutable import CategoricalMultiple
from nni.nas.hub.pytorch.nasnet import OPS, FactorizedReduce, ReLUConvBN
from nni.nas.nn.pytorch import ModelSpace
from nni.nas.nn.pytorch.base import MutableModule
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule
from torch import Tensor, nn

from nni_strategies.errors import InvalidArgument

OPERATIONS = ("max_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5")
N_NODES, N_CHOSEN, N_INPUTS = 5, 2, 2
CELLS = ("normal", "reduce")


def slots(node: int) -> tuple[str, ...]:
    """Return the slots of a node, from 0: ``source:operation``, sources 0 and 1 being the cell's inputs."""
    return tuple(f"{source}:{name}" for source in range(node + N_INPUTS) for name in OPERATIONS)


def operation(slot: str, channels: int, reduction: bool) -> nn.Module:
    """Build the operation of a slot; in a reduction cell it halves the cell's inputs."""
    source, name = slot.split(":")
    halves = reduction and int(source) < N_INPUTS
    built: nn.Module = OPS[name](channels, 2 if halves else 1, True)
    return built


class Slots(nn.Module):
    """A node with the slots that it uses, its input being what the nodes before it are.

    Parameters
    ----------
    chosen
        Slots, any number.
    channels
        Of all tensors, ``[b, channels, h, w]``.
    reduction
        Whether it is of a reduction cell.
    """

    def __init__(self, chosen: Sequence[str], channels: int, reduction: bool) -> None:
        super().__init__()
        self.operations = nn.ModuleDict({slot: operation(slot, channels, reduction) for slot in chosen})

    def forward(self, tensors: Sequence[Tensor], chosen: Sequence[str] | None = None) -> Tensor:
        """Return the sum of the slots, or of some of them."""
        terms = [self.operations[slot](tensors[int(slot.split(":")[0])]) for slot in chosen or self.operations]
        total: Tensor = sum(terms[1:], terms[0])
        return total


class NodeChoice(MutableModule):  # type: ignore[misc]  # NNI has no types
    """A node that is to choose two of its slots; before it is frozen it uses the first two.

    Parameters
    ----------
    node
        Its number, from 0.
    channels, reduction
        As of `Slots`.
    label
        Of the choice.
    """

    def __init__(self, node: int, channels: int, reduction: bool, label: str) -> None:
        super().__init__()
        self.choice = CategoricalMultiple(slots(node), n_chosen=N_CHOSEN, label=label)
        self.add_mutable(self.choice)
        self.slots = Slots(slots(node), channels, reduction)
        self.channels, self.reduction = channels, reduction

    @classmethod
    def create_fixed_module(
        cls, sample: Mapping[str, Any], node: int, channels: int, reduction: bool, label: str
    ) -> nn.Module:
        """Build the node of a sample; NNI calls this within ``model_context``."""
        choice = CategoricalMultiple(slots(node), n_chosen=N_CHOSEN, label=label)
        return Slots(choice.freeze(sample), channels, reduction)

    def freeze(self, sample: Mapping[str, Any]) -> nn.Module:
        """Return the node of a sample, with the weights that it has here."""
        chosen = self.choice.freeze(sample)
        frozen = Slots(chosen, self.channels, self.reduction)
        for slot in chosen:
            frozen.operations[slot].load_state_dict(self.slots.operations[slot].state_dict())
        return frozen

    def forward(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return the node."""
        summed: Tensor = self.slots(tensors, self.choice.values[:N_CHOSEN])
        return summed


class PathSamplingNode(BaseSuperNetModule):  # type: ignore[misc]
    """The node in a supernet: the sum of the slots that were sampled last."""

    def __init__(self, choice: Any, slots: Slots) -> None:
        super().__init__()
        self.choice, self.slots = choice, slots
        self.add_mutable(choice)
        self._sampled: list[str] | None = None

    def resample(self, memo: Mapping[str, Any]) -> dict[str, Any]:
        """Take the slots of `memo`, else draw some."""
        drawn = {} if self.choice.label in memo else {self.choice.label: self.choice.random()}
        self._sampled = list({**drawn, **memo}[self.choice.label])
        return drawn

    def export(self, memo: Mapping[str, Any]) -> dict[str, Any]:
        """Draw slots where `memo` has none."""
        return {} if self.choice.label in memo else {self.choice.label: self.choice.random()}

    @classmethod
    def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
        """Replace a `NodeChoice`."""
        return cls(module.choice, module.slots) if isinstance(module, NodeChoice) else None

    def forward(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return the node."""
        summed: Tensor = self.slots(tensors, self._sampled)
        return summed


class Cell(nn.Module):
    """Two inputs, brought to the same shape, and five nodes.

    Parameters
    ----------
    inputs
        Channels of the output of the cell before the last, and of the last.
    channels
        Of each node.
    reduction, after_reduction
        Whether this cell halves the image, and whether the last did.
    """

    def __init__(self, inputs: tuple[int, int], channels: int, reduction: bool, after_reduction: bool) -> None:
        super().__init__()
        earlier, last = inputs
        resized = FactorizedReduce(earlier, channels) if after_reduction else ReLUConvBN(earlier, channels, 1, 1, 0)
        self.inputs = nn.ModuleList([resized, ReLUConvBN(last, channels, 1, 1, 0)])
        kind = CELLS[reduction]
        self.nodes = nn.ModuleList(
            NodeChoice(node, channels, reduction, label=f"{kind}.node_{node}") for node in range(N_NODES)
        )

    def forward(self, earlier: Tensor, last: Tensor) -> Tensor:
        """Return the five nodes side by side."""
        tensors = [self.inputs[0](earlier), self.inputs[1](last)]
        for node in self.nodes:
            tensors.append(node(tensors))
        return torch.cat(tensors[N_INPUTS:], dim=1)


class LaNASCellSpace(ModelSpace):  # type: ignore[misc]
    """The model space; images ``[b, channels, h, w]`` to logits ``[b, n_classes]``.

    Parameters
    ----------
    width
        Channels of the nodes of the first cells, even.
    cells
        How many, three at least.
    channels
        Of the images.
    n_classes
        Of the labels.

    Raises
    ------
    InvalidArgument
        Fewer cells, or an odd width.
    """

    def __init__(self, width: int = 16, cells: int = 8, channels: int = 3, n_classes: int = 10) -> None:
        super().__init__()
        if cells < 3:
            raise InvalidArgument("cells", cells, "3 at least: a normal one and two that halve the image")
        if width < 2 or width % 2:
            raise InvalidArgument("width", width, "an even number from 2")
        self.stem = nn.Sequential(nn.Conv2d(channels, 3 * width, 3, padding=1, bias=False), nn.BatchNorm2d(3 * width))
        self.cells = nn.ModuleList()
        inputs, reduced = (3 * width, 3 * width), False
        for number in range(cells):
            reduction = number in (cells // 3, 2 * cells // 3)
            width *= 2 if reduction else 1
            self.cells.append(Cell(inputs, width, reduction, reduced))
            inputs, reduced = (inputs[1], N_NODES * width), reduction
        # not DARTS's: sums of skips are large in some architectures, small in others, and one classifier serves all
        self.last = nn.Sequential(nn.BatchNorm2d(inputs[1]), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(inputs[1], n_classes)

    @classmethod
    def extra_oneshot_hooks(cls, strategy: Any) -> list[Any]:
        """Tell NNI's one-shot strategies, and our supernets, what a node becomes."""
        return [PathSamplingNode.mutate]

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        earlier = last = self.stem(images)
        for cell in self.cells:
            earlier, last = last, cell(earlier, last)
        logits: Tensor = self.classifier(self.last(last))
        return logits
