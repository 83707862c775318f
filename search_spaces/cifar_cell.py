"""The cells of :mod:`.digits_cell` in a network for small colour images: three stages, one cell each.

NAS-Bench-201 has five cells a stage, 16 channels and 32x32 pixels; with one cell, 8 channels and 16x16 pixels a network
of the space learns 4,000 images for an epoch in a second or two of one core.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from search_spaces.digits_cell import Cell, check

N_CLASSES = 10
INPUT_SHAPE = (3, 16, 16)
CHANNELS = 8
STAGES = 3


class CifarNet(nn.Module):
    """Stem, three cells with a halving between two, classifier; images ``[b, 3, h, w]`` to logits ``[b, 10]``.

    Parameters
    ----------
    configuration
        One operation per label of :mod:`.digits_cell`, the same for all cells.
    channels
        Of the first cell; each later one has twice as many.

    Raises
    ------
    InvalidConfiguration
        See :func:`~search_spaces.digits_cell.check`.
    """

    def __init__(self, configuration: Mapping[str, Any], channels: int = CHANNELS) -> None:
        super().__init__()
        check(configuration)
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        stages: list[nn.Module] = [Cell(configuration, channels)]
        for _ in range(STAGES - 1):
            stages += [halving(channels), Cell(configuration, 2 * channels)]
            channels *= 2
        self.stages = nn.Sequential(*stages)
        self.last = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(channels, N_CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``[b, 10]``."""
        logits: Tensor = self.classifier(self.last(self.stages(self.stem(images))))
        return logits


def halving(channels: int) -> nn.Module:
    """Build what halves the size and doubles the channels, with nothing to learn but a 1x1 convolution."""
    return nn.Sequential(
        nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(channels, 2 * channels, 1, bias=False), nn.BatchNorm2d(2 * channels)
    )
