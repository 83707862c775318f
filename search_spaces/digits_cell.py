"""A small cell space for 8x8 digits: the operations and edges of NAS-Bench-201, few channels, trained in seconds.

A cell has four nodes; each of its six edges i -> j (i < j) carries one of five operations, and a node is the sum
of what its edges bring [1]_. The same cell is used twice, at 8x8 and (after a halving, with twice the channels)
at 4x4: 5^6 = 15,625 architectures. Deviations from [1]_: one cell a stage instead of five, two stages instead of
three, 8 channels instead of 16, and the reduction is pooling and a 1x1 convolution instead of a residual block,
so that the cell, not the frame around it, decides how good a network is.

.. [1] Dong, Yang: NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search, ICLR 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nni_strategies.errors import InvalidConfiguration

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
LABELS = tuple(f"cell.edge_{source}_{target}" for source, target in EDGES)

N_CLASSES = 10
INPUT_SHAPE = (1, 8, 8)
CHANNELS = 8


def search_space() -> dict[str, Any]:
    """Return the space as NNI's search-space JSON; flat labels, which its web UI shows best."""
    return {label: {"_type": "choice", "_value": list(OPERATIONS)} for label in LABELS}


def check(configuration: Mapping[str, Any]) -> None:
    """Refuse what is not a point of the space.

    Raises
    ------
    InvalidConfiguration
        A label that is missing or unknown, or an operation that is not one of `OPERATIONS`.
    """
    for label in configuration:
        if label not in LABELS:
            raise InvalidConfiguration("label", label, "a label of the digits cell space", LABELS)
    for label in LABELS:
        if configuration.get(label) not in OPERATIONS:
            allowed = f"one of {', '.join(OPERATIONS)}"
            raise InvalidConfiguration(label, configuration.get(label), allowed, OPERATIONS)


def convolution(channels: int, kernel_size: int) -> nn.Module:
    """Build ReLU, convolution, batch norm: images ``[b, channels, h, w]`` to the same shape."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(channels),
    )


def operation(name: str, channels: int) -> nn.Module:
    """Build one of `OPERATIONS` but ``none``, which is no module at all."""
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return convolution(channels, {"nor_conv_1x1": 1, "nor_conv_3x3": 3}[name])


class Cell(nn.Module):
    """Four nodes, each the sum of its edges; a node that nothing reaches is zero.

    Parameters
    ----------
    configuration
        One operation per label.
    channels
        Of input and output, ``[b, channels, h, w]``.
    """

    def __init__(self, configuration: Mapping[str, Any], channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        for (source, target), label in zip(EDGES, LABELS, strict=True):
            if configuration[label] != "none":
                self.edges[f"{source}_{target}"] = operation(configuration[label], channels)

    def forward(self, image: Tensor) -> Tensor:
        """Return node 3."""
        nodes = [image]
        for target in (1, 2, 3):
            total = torch.zeros_like(image)
            for source in range(target):
                if f"{source}_{target}" in self.edges:
                    total = total + self.edges[f"{source}_{target}"](nodes[source])
            nodes.append(total)
        return nodes[3]


class DigitsNet(nn.Module):
    """Stem, cell at 8x8, halving, cell at 4x4, classifier; images ``[b, 1, 8, 8]`` to logits ``[b, 10]``.

    Every operation of the configuration is built and counted, also one whose result reaches nothing.

    Parameters
    ----------
    configuration
        One operation per label, the same for both cells.
    channels
        Of the first cell; the second has twice as many.

    Raises
    ------
    InvalidConfiguration
        See `check`.
    """

    def __init__(self, configuration: Mapping[str, Any], channels: int = CHANNELS) -> None:
        super().__init__()
        check(configuration)
        wide = 2 * channels
        self.stem = nn.Sequential(nn.Conv2d(1, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.first = Cell(configuration, channels)
        self.halving = nn.Sequential(
            nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide)
        )
        self.second = Cell(configuration, wide)
        self.last = nn.Sequential(nn.BatchNorm2d(wide), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(wide, N_CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``[b, 10]`` of images ``[b, 1, 8, 8]``."""
        features = self.second(self.halving(self.first(self.stem(images))))
        logits: Tensor = self.classifier(self.last(features))
        return logits
