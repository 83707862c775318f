"""A chain of layers that halve and widen, where to skip costs something."""

from __future__ import annotations

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni.nas.hub.pytorch.nasnet import FactorizedReduce, Zero
from nni.nas.nn.pytorch import LayerChoice, ModelSpace
from torch import Tensor, nn


class StridedNet(ModelSpace):  # type: ignore[misc]  # NNI has no types
    """Four layers, every other one halves its input, then a classifier."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.layers = nn.Sequential(*(LayerChoice(layer(channels, 1 + i % 2), label=f"layer{i}") for i in range(4)))
        self.classifier = nn.Linear(channels, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.layers(self.stem(images)).mean(dim=(2, 3)))
        return logits


def layer(n: int, stride: int) -> dict[str, nn.Module]:
    return {
        "conv_5x5": nn.Conv2d(n, n, 5, stride, 2),
        "conv_3x3": nn.Conv2d(n, n, 3, stride, 1, bias=False),
        "conv_1x1": nn.Conv2d(n, n, 1, stride),
        "max_pool_3x3": nn.MaxPool2d(3, stride, 1),
        "avg_pool_5x5": nn.AvgPool2d(5, stride, 2),
        "skip_connect": nn.Identity() if stride == 1 else FactorizedReduce(n, n),
        "none": Zero(stride),
    }
