"""Handcrafted networks and published cells as model spaces of ``nni.nas``: to be trained, transformed and frozen.

:class:`HandcraftedNet` is a published network whose every edge may be replaced (:mod:`.handcrafted_blocks`); its labels
are those of edges, ``block_3/0_2`` for that from node 0 to node 2 of the third block. :func:`cell_space` is NNI's space
of the cells of :mod:`.handcrafted_cells`, widened by ``none``, which NNI's own lack.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.mutable.utils import label_scope
from nni.nas.hub.pytorch.nasnet import NDS
from nni.nas.nn.pytorch import LayerChoice, ModelSpace

from nni_strategies.errors import InvalidArgument
from search_spaces.handcrafted_blocks import Activation, Block, Dataset, Network, Node, configuration, labels, network
from search_spaces.handcrafted_cells import CELLS
from search_spaces.handcrafted_operations import choices, operation

__all__ = ["HandcraftedNet", "cell_space", "configuration"]

N_CLASSES: dict[Dataset, int] = {"cifar": 10, "imagenet": 1000}

# NAT's operations for cells of which all nodes are the output, and for those of loose ends; conv_5x5 NNI lacks
FULLY_CONCAT: tuple[str, ...] = (
    "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
    "conv_3x3", "none",
)  # fmt: skip
LOOSE_END: tuple[str, ...] = (
    "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "conv_1x1", "conv_3x3", "none",
)  # fmt: skip
# NAO's, without pools of 2x2
NAO: tuple[str, ...] = (
    "skip_connect", "conv_1x1", "conv_3x3", "conv_3x1_1x3", "conv_7x1_1x7", "max_pool_3x3", "max_pool_5x5",
    "avg_pool_3x3", "avg_pool_5x5", "none",
)  # fmt: skip


def cell_space(name: str, *, width: int = 16, num_cells: int = 8, dataset: Dataset = "cifar") -> NDS:
    """Build NNI's space of which a published cell is a sample.

    Parameters
    ----------
    name
        One of :data:`.handcrafted_cells.CELLS`.
    width, num_cells, dataset
        See NNI's ``NDS``.

    Raises
    ------
    InvalidArgument
        An unknown cell.
    """
    if name not in CELLS:
        raise InvalidArgument("name", name, f"one of {', '.join(CELLS)}", CELLS)
    genotype = CELLS[name]
    operations = FULLY_CONCAT if genotype.merge == "all" else LOOSE_END
    if name == "NAONet":
        operations = NAO
    return NDS(
        list(operations), genotype.merge, genotype.n_nodes, width=width, num_cells=num_cells, dataset=dataset
    )  # fmt: skip


class HandcraftedNet(ModelSpace):  # type: ignore[misc]  # NNI has no types
    """A published network whose edges may carry something cheaper; images to logits.

    Parameters
    ----------
    name
        ``vgg16``, ``resnet20``, ``resnet56``, ``resnet18``, ``resnet50``, ``mobilenetv2`` or ``shufflenetv2``.
    dataset
        ``cifar`` (32x32 pixels) or ``imagenet`` (224x224).
    shared
        Whether blocks with the same edges share their choices, as in NAT.
    n_classes
        Logits; None: 10 or 1,000.

    Raises
    ------
    InvalidArgument
        See :func:`.handcrafted_blocks.network`.
    """

    def __init__(
        self, name: str, dataset: Dataset = "cifar", shared: bool = False, n_classes: int | None = None
    ) -> None:
        super().__init__()
        found = network(name, dataset)
        self.stem = _stem(found)
        inputs = [Node(found.stem[1], 1, ())] * 2
        blocks = []
        for block, label in zip(found.blocks, labels(found, shared), strict=True):
            blocks.append(GraphBlock(inputs[-2:], block, label))
            inputs.append(block[-1])
        self.blocks = nn.ModuleList(blocks)
        self.head = _head(found, inputs[-1].channels)
        self.classifier = _classifier(found, inputs[-1].channels, n_classes or N_CLASSES[dataset])

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of ``[b, 3, h, w]``."""
        before = last = self.stem(images)
        for block in self.blocks:
            before, last = last, block(before, last)
        logits: Tensor = self.classifier(self.head(last))
        return logits


class GraphBlock(nn.Module):
    """A block: nodes that sum their edges.

    Parameters
    ----------
    inputs
        Nodes 0 and 1.
    block
        Nodes 2, 3, ….
    label
        Its name, before the edges' in their labels.
    """

    def __init__(self, inputs: list[Node], block: Block, label: str) -> None:
        super().__init__()
        nodes = [*inputs, *block]
        self.edges = nn.ModuleDict()
        for number, node in enumerate(block, start=2):
            for link in node.links:
                source = nodes[link.source]
                stride = node.scale // source.scale
                built = {
                    name: operation(name, source.channels, node.channels, stride, link.take, link.put)
                    for name in choices(link.operation)
                }
                edge = f"{link.source}_{number}"
                with label_scope(label):
                    self.edges[edge] = LayerChoice(built, label=edge)
        self.sources = [[link.source for link in node.links] for node in block]
        self.activations: list[Activation] = [node.activation for node in block]

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        """Return the last node."""
        nodes = [before, last]
        for number, (sources, activation) in enumerate(zip(self.sources, self.activations, strict=True), start=2):
            first, *others = [self.edges[f"{source}_{number}"](nodes[source]) for source in sources]
            nodes.append(activated(sum(others, first), activation))
        return nodes[-1]


def activated(features: Tensor, activation: Activation) -> Tensor:
    """Return the activation of ``[b, c, h, w]``."""
    if activation == "relu":
        return F.relu(features)
    if activation == "relu6":
        return F.relu6(features)
    if activation == "shuffle":
        b, c, h, w = features.shape
        return features.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
    return features


def _stem(found: Network) -> nn.Sequential:
    kernel, channels, stride, pooled = found.stem
    convolution = nn.Conv2d(3, channels, kernel, stride, kernel // 2, bias=False)
    pooling = [nn.MaxPool2d(3, 2, 1)] if pooled else []
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), _module(found.activation), *pooling)


def _head(found: Network, channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    if found.head:
        convolution = nn.Conv2d(channels, found.head, 1, bias=False)
        layers += [convolution, nn.BatchNorm2d(found.head), _module(found.activation)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(found.pooled), nn.Flatten())


def _classifier(found: Network, channels: int, n_classes: int) -> nn.Sequential:
    n_in = (found.head or channels) * found.pooled**2
    layers: list[nn.Module] = []
    for units in found.hidden:
        layers += [nn.Dropout(found.dropout), nn.Linear(n_in, units), nn.ReLU()]
        n_in = units
    dropout: list[nn.Module] = [nn.Dropout(found.dropout)] if found.dropout else []
    return nn.Sequential(*layers, *dropout, nn.Linear(n_in, n_classes))


def _module(activation: Activation) -> nn.Module:
    return nn.ReLU6() if activation == "relu6" else nn.ReLU()
