"""ResNets for 32x32 images, whose layers are named so that widely used CIFAR-10 weights load.

Three stages of 16, 32 and 64 channels and 6n + 2 layers; a shortcut that changes shape takes every second pixel and
pads channels with zeros, so it has no parameters (He et al. 2016, 1512.03385, section 4.2, option A). ResNet-20 has
0.27 M parameters, ResNet-56 0.85 M.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

N_CLASSES = 10
INPUT_MEAN, INPUT_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what the published weights were trained on


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut around them."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.stride, self.widen = stride, (n_out - n_in) // 2

    def forward(self, features: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(features)))))
        shortcut = features[:, :, :: self.stride, :: self.stride]
        if self.widen:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, self.widen, self.widen))
        return F.relu(inner + shortcut)


class ResNet(nn.Module):
    """Images ``[b, 3, 32, 32]`` to logits ``[b, 10]``.

    Parameters
    ----------
    blocks
        A stage; 3 make ResNet-20, 9 ResNet-56.
    """

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = stage(16, 16, blocks, 1)
        self.layer2 = stage(16, 32, blocks, 2)
        self.layer3 = stage(32, 64, blocks, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(64, N_CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        features = F.relu(self.bn1(self.conv1(images)))
        features = self.layer3(self.layer2(self.layer1(features)))
        logits: Tensor = self.linear(self.pool(features).flatten(1))
        return logits


def stage(n_in: int, n_out: int, blocks: int, stride: int) -> nn.Sequential:
    """Build blocks of one width; the first may change size and width."""
    first = Block(n_in, n_out, stride)
    return nn.Sequential(first, *(Block(n_out, n_out, 1) for _ in range(blocks - 1)))


def resnet20() -> ResNet:
    """Build ResNet-20."""
    return ResNet(3)


def resnet56() -> ResNet:
    """Build ResNet-56."""
    return ResNet(9)
