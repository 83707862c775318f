"""Handcrafted networks as blocks of nodes and edges: VGG, ResNet, MobileNetV2 and ShuffleNetV2.

A block is a cell: nodes 0 and 1 are the outputs of the last block but one and of the last, every later node sums the
edges that enter it and applies its activation, the last node is the output. A layer that reads one node is padded with
an edge from node 0 that carries null, and NAT may make a skip of it: that is how plain networks get shortcuts.

========================  =========================================================================================
VGG, a stage              a node a convolution, then pooling: 2 = null(0) + conv3(1), 3 = null(0) + max2(2)
ResNet, a block           2 = null(0) + skip(1), 3 = null(0) + conv3(2), 4 = null(0) + conv3(3), 5 = skip(2) + skip(4)
the same, of bottlenecks  conv1, conv3, conv1; in the ImageNet networks conv1 instead of skip(2) where shapes change
MobileNetV2               2 = null(0) + conv1(1), 3 = null(0) + dw3(2), 4 = null(0) + conv1(3), 5 = skip(1) + skip(4)
ShuffleNetV2              our own: skips that take half of the channels (split), or put theirs in a half (concatenation)
========================  =========================================================================================

Deviations from NAT: it has one block for a whole network, here every block of the published networks is there, with its
own channels; depthwise convolutions are themselves rather than separable ones; its ShuffleNet is not described.

Sources: Simonyan, Zisserman: Very Deep Convolutional Networks, ICLR 2015 (with batch norm); He et al.: Deep Residual
Learning, CVPR 2016; Sandler et al.: MobileNetV2, CVPR 2018; Ma et al.: ShuffleNet V2, ECCV 2018; Guo et al.: NAT,
NeurIPS 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from nni_strategies.errors import InvalidArgument

Dataset = Literal["cifar", "imagenet"]
Activation = Literal["", "relu", "relu6", "shuffle"]


@dataclass(frozen=True)
class Link:
    """An edge of a handcrafted network.

    Parameters
    ----------
    source
        Node that it leaves.
    operation
        What it carries in the published network.
    take, put
        See :func:`.handcrafted_operations.operation`.
    """

    source: int
    operation: str
    take: int = 0
    put: int = 0


@dataclass(frozen=True)
class Node:
    """A node of a handcrafted network.

    Parameters
    ----------
    channels
        Of its feature map.
    scale
        How much smaller its sides are than those of the stem's output.
    links
        The edges that enter it.
    activation
        Applied to their sum; ``shuffle`` interleaves the two halves of the channels.
    """

    channels: int
    scale: int
    links: tuple[Link, ...]
    activation: Activation = ""


Block = tuple[Node, ...]


@dataclass(frozen=True)
class Network:
    """A handcrafted network.

    Parameters
    ----------
    stem
        Kernel, channels and stride of the first convolution, and whether pooling that halves follows.
    blocks
        See above.
    activation
        Of stem and `head`.
    head
        Channels of a last 1x1 convolution; 0: none.
    pooled
        Side of the feature map that the classifier gets.
    hidden
        Units of the classifier's hidden layers.
    dropout
        Before each linear layer.
    """

    stem: tuple[int, int, int, bool]
    blocks: tuple[Block, ...]
    activation: Activation = "relu"
    head: int = 0
    pooled: int = 1
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0


def _padded(source: int, operation: str, take: int = 0) -> tuple[Link, ...]:
    """Return the edges of a layer that reads one node."""
    return Link(0, "none"), Link(source, operation, take)


def _vgg16(dataset: Dataset) -> Network:
    blocks: list[Block] = []
    for stage, (channels, n_layers) in enumerate(((64, 1), (128, 2), (256, 3), (512, 3), (512, 3))):
        scale = 2**stage
        layers = [Node(channels, scale, _padded(1 + i, "conv_3x3"), "relu") for i in range(n_layers)]
        blocks.append((*layers, Node(channels, 2 * scale, _padded(1 + n_layers, "max_pool_2x2"))))
    side, units = (1, 512) if dataset == "cifar" else (7, 4096)
    return Network((3, 64, 1, False), tuple(blocks), pooled=side, hidden=(units, units), dropout=0.5)


def _residual(n_in: int, channels: int, scale: int, stride: int, bottleneck: bool, project: bool) -> Block:
    n_out = 4 * channels if bottleneck else channels
    after = scale * stride
    first = Node(n_in, scale, _padded(1, "skip_connect"))
    layers: Block
    if bottleneck:
        layers = (
            Node(channels, scale, _padded(2, "conv_1x1"), "relu"),
            Node(channels, after, _padded(3, "conv_3x3"), "relu"),
            Node(n_out, after, _padded(4, "conv_1x1")),
        )
    else:
        layers = (
            Node(channels, after, _padded(2, "conv_3x3"), "relu"),
            Node(channels, after, _padded(3, "conv_3x3")),
        )
    shortcut = "conv_1x1" if project and (stride > 1 or n_in != n_out) else "skip_connect"
    links = (Link(2, shortcut), Link(2 + len(layers), "skip_connect"))
    return (first, *layers, Node(n_out, after, links, "relu"))


def _resnet(
    stem: tuple[int, int, int, bool], depths: tuple[int, ...], bottleneck: bool = False, project: bool = True
) -> Network:
    blocks: list[Block] = []
    n_in = stem[1]
    for stage, depth in enumerate(depths):
        channels = stem[1] * 2**stage
        for i in range(depth):
            stride = 2 if stage and not i else 1
            scale = 2**stage // stride
            blocks.append(_residual(n_in, channels, scale, stride, bottleneck, project))
            n_in = blocks[-1][-1].channels
    return Network(stem, tuple(blocks))


def _inverted(n_in: int, n_out: int, scale: int, stride: int, expansion: int) -> Block:
    hidden = n_in * expansion
    expand = ("conv_1x1", "relu6") if expansion > 1 else ("skip_connect", "")
    residual = stride == 1 and n_in == n_out
    last = (Link(1, "skip_connect"), Link(4, "skip_connect")) if residual else _padded(4, "skip_connect")
    return (
        Node(hidden, scale, _padded(1, expand[0]), expand[1]),  # type: ignore[arg-type]
        Node(hidden, scale * stride, _padded(2, "dw_conv_3x3"), "relu6"),
        Node(n_out, scale * stride, _padded(3, "conv_1x1")),
        Node(n_out, scale * stride, last),
    )


def _mobilenetv2(dataset: Dataset) -> Network:
    # expansion, channels, blocks, stride of the first; CIFAR's smaller images are halved twice less
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    blocks: list[Block] = []
    n_in, scale = 32, 1
    for expansion, channels, n_blocks, first in stages:
        for i in range(n_blocks):
            stride = 1 if i or (dataset == "cifar" and channels == 24) else first
            blocks.append(_inverted(n_in, channels, scale, stride, expansion))
            n_in, scale = channels, scale * stride
    stem = (3, 32, 1 if dataset == "cifar" else 2, False)
    return Network(stem, tuple(blocks), "relu6", head=1280, dropout=0.2)


def _shuffled(n_in: int, n_out: int, scale: int, stride: int) -> Block:
    half, after = n_out // 2, scale * stride
    if stride == 1:
        left = (Node(half, scale, _padded(1, "skip_connect")), Node(half, scale, _padded(1, "skip_connect", half)))
        ends = (2, 3)
    else:
        left = (Node(n_in, after, _padded(1, "dw_conv_3x3")), Node(half, after, _padded(2, "conv_1x1"), "relu"))
        ends = (3, 1)
    return (
        *left,
        Node(half, scale, _padded(ends[1], "conv_1x1"), "relu"),
        Node(half, after, _padded(4, "dw_conv_3x3")),
        Node(half, after, _padded(5, "conv_1x1"), "relu"),
        Node(n_out, after, (Link(ends[0], "skip_connect"), Link(6, "skip_connect", put=half)), "shuffle"),
    )


def _shufflenetv2(dataset: Dataset) -> Network:
    blocks: list[Block] = []
    n_in, scale = 24, 1
    for channels, n_blocks in ((116, 4), (232, 8), (464, 4)):
        for i in range(n_blocks):
            stride = 1 if i else 2
            blocks.append(_shuffled(n_in, channels, scale, stride))
            n_in, scale = channels, scale * stride
    stem = (3, 24, 1, False) if dataset == "cifar" else (3, 24, 2, True)
    return Network(stem, tuple(blocks), head=1024)


_CIFAR_STEM = (3, 16, 1, False)


def _imagenet_stem(dataset: Dataset) -> tuple[int, int, int, bool]:
    return (3, 64, 1, False) if dataset == "cifar" else (7, 64, 2, True)


_NETWORKS: dict[str, Callable[[Dataset], Network]] = {
    "vgg16": _vgg16,
    "resnet20": lambda _: _resnet(_CIFAR_STEM, (3, 3, 3), project=False),
    "resnet56": lambda _: _resnet(_CIFAR_STEM, (9, 9, 9), project=False),
    "resnet18": lambda dataset: _resnet(_imagenet_stem(dataset), (2, 2, 2, 2)),
    "resnet50": lambda dataset: _resnet(_imagenet_stem(dataset), (3, 4, 6, 3), bottleneck=True),
    "mobilenetv2": _mobilenetv2,
    "shufflenetv2": _shufflenetv2,
}
NAMES = tuple(_NETWORKS)
DATASETS: tuple[Dataset, ...] = ("cifar", "imagenet")
CIFAR_ONLY = ("resnet20", "resnet56")


def network(name: str, dataset: Dataset) -> Network:
    """Return a published network.

    Parameters
    ----------
    name
        One of `NAMES`; ``mobilenetv2`` and ``shufflenetv2`` are those of width 1.
    dataset
        ``cifar`` has a stem that does not halve, and MobileNetV2 one halving less.

    Raises
    ------
    InvalidArgument
        An unknown network or data set, or ``resnet20`` and ``resnet56`` for ImageNet.
    """
    if name not in NAMES:
        raise InvalidArgument("name", name, f"one of {', '.join(NAMES)}", NAMES)
    if dataset not in DATASETS:
        raise InvalidArgument("dataset", dataset, "cifar or imagenet", DATASETS)
    if name in CIFAR_ONLY and dataset != "cifar":
        raise InvalidArgument("dataset", dataset, f"cifar: {name} is a network for CIFAR-10")
    return _NETWORKS[name](dataset)


def labels(found: Network, shared: bool) -> list[str]:
    """Return the name of each block, length ``len(found.blocks)``.

    Parameters
    ----------
    shared
        Whether blocks with the same edges have one name, as in NAT, and so one choice an edge.
    """
    if not shared:
        return [f"block_{i}" for i in range(1, len(found.blocks) + 1)]
    kinds: dict[tuple[object, ...], str] = {}
    named = []
    for block in found.blocks:
        strided = block[0].scale != block[-1].scale
        kind = (strided, *((link.source, link.operation) for node in block for link in node.links))
        named.append(kinds.setdefault(kind, f"kind_{len(kinds) + 1}"))
    return named


def configuration(name: str, dataset: Dataset = "cifar", *, shared: bool = False) -> dict[str, str]:
    """Return the published network as a configuration of its space; what NAT transforms.

    Raises
    ------
    InvalidArgument
        See :func:`network`.
    """
    found = network(name, dataset)
    return {
        f"{label}/{link.source}_{number}": link.operation
        for label, block in zip(labels(found, shared), found.blocks, strict=True)
        for number, node in enumerate(block, start=2)
        for link in node.links
    }
