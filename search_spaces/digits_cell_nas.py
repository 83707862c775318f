"""The cells of :mod:`.digits_cell` as a model space of ``nni.nas``, also for supernets: every edge is a `LayerChoice`.

The labels are those of the JSON space, each shared by the two cells. Stem, halving and classifier are those of
:class:`~search_spaces.digits_cell.DigitsNet`.
"""

from __future__ import annotations

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.nn.pytorch import LayerChoice, ModelSpace
from torch import Tensor, nn

from search_spaces.digits_cell import CHANNELS, EDGES, LABELS, N_CLASSES, OPERATIONS, operation


class Zero(nn.Module):
    """The edge that is not there."""

    def forward(self, image: Tensor) -> Tensor:
        """Return zeros."""
        return image.new_zeros(image.shape)


class CellSpace(nn.Module):
    """All cells: four nodes, each the sum of its edges.

    Parameters
    ----------
    channels
        Of input and output, ``[b, channels, h, w]``.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        for (source, target), label in zip(EDGES, LABELS, strict=True):
            candidates = {name: Zero() if name == "none" else operation(name, channels) for name in OPERATIONS}
            self.edges[f"{source}_{target}"] = LayerChoice(candidates, label=label)

    def forward(self, image: Tensor) -> Tensor:
        """Return node 3."""
        nodes = [image]
        for target in (1, 2, 3):
            terms = [self.edges[f"{source}_{target}"](nodes[source]) for source in range(target)]
            nodes.append(sum(terms[1:], terms[0]))
        return nodes[3]


class DigitsCellSpace(ModelSpace):  # type: ignore[misc]  # NNI has no types
    """The model space; images ``[b, 1, 8, 8]`` to logits ``[b, 10]``.

    Parameters
    ----------
    channels
        Of the first cell; the second has twice as many.
    """

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        wide = 2 * channels
        self.stem = nn.Sequential(nn.Conv2d(1, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.first = CellSpace(channels)
        self.halving = nn.Sequential(
            nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide)
        )
        self.second = CellSpace(wide)
        self.last = nn.Sequential(nn.BatchNorm2d(wide), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(wide, N_CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        features = self.second(self.halving(self.first(self.stem(images))))
        logits: Tensor = self.classifier(self.last(features))
        return logits
