"""Networks of NSC blocks: the stack that searches on CIFAR use, and the one IRLAS released for ImageNet.

- *CIFAR*: 3x3 convolution, N blocks of 32 channels, pooling, N of 64, pooling, N of 128, global average pooling,
  classifier. Where the channels change is ours: a 1x1 after the pooling, so that within a block all nodes are alike.
- *ImageNet-mobile*: 3x3 convolution of stride 2, stages of 1, 1, 4 and 1 blocks of 32, 128, 256 and 512 channels,
  each begun by a 1x1 to its channels (but for the first) and a 3x3 of stride 2, both plain; 7x7 average pooling,
  classifier. With the block of the released model, ``IRLAS_MOBILE``, and separable convolutions it has 9,962,632
  parameters and 1,418,807,296 multiply-adds at 224 pixels: a network for its latency, not for few multiply-adds.

That operations have their norm last leaves open which parts count as operations. The released size, 9.9626 M, decides:
sums and projections do, the 1x1 before a kernel above 1 is part of its operation. With a norm behind all convolutions
between the blocks and behind each operation, no other choice for the rest has that size. The ReLU before the last
pooling is ours, and costs neither parameters nor multiply-adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from nni_strategies.errors import InvalidArgument
from search_spaces.nsc_block import GROUPS, NSCBlock, convolution

#: Blocks and channels of each stage.
STAGES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "cifar": ((4, 4, 4), (32, 64, 128)),
    "mobile": ((1, 1, 4, 1), (32, 128, 256, 512)),
}
MOBILE_STEM = 32


class Stack(nn.Module):
    """Stem, stages of one block, classifier: images ``[b, channels, h, w]`` to logits ``[b, n_classes]``.

    Parameters
    ----------
    block
        See :func:`nni_strategies.topology.nsc.parse_block`.
    kind
        ``cifar`` or ``mobile``.
    counts, widths
        Blocks and channels of each stage; of the kind when None.
    conv, groups
        What the blocks' convolutions are.
    channels
        Of the images, which may have any size from 4 (``cifar``), or 32 pixels (``mobile``).
    n_classes
        Logits.

    Raises
    ------
    InvalidArgument
        Not a block, another kind, counts or widths that are not positive integers, as many of each.
    """

    def __init__(
        self,
        block: Iterable[Sequence[Any]],
        kind: str = "cifar",
        counts: Sequence[int] | None = None,
        widths: Sequence[int] | None = None,
        conv: str = "plain",
        groups: int = GROUPS,
        channels: int = 3,
        n_classes: int = 10,
    ) -> None:
        super().__init__()
        counts, widths = stages(kind, counts, widths)
        block, mobile = list(block), kind == "mobile"
        n = MOBILE_STEM if mobile else widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(channels, n, 3, stride=2 if mobile else 1, padding=1, bias=False), nn.BatchNorm2d(n)
        )
        self.stages = nn.ModuleList()
        for number, (count, width) in enumerate(zip(counts, widths, strict=True)):
            stage = _halving(n, width, number == 0) if mobile else _pooling(n, width, number == 0)
            n = width
            for _ in range(count):
                built = NSCBlock(block, n, width, conv, groups, wide=mobile)
                stage.append(built)
                n = built.n_out
            self.stages.append(stage)
        self.pool = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(n, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        features = self.stem(images)
        for stage in self.stages:
            features = stage(features)
        logits: Tensor = self.classifier(self.pool(features))
        return logits


def stages(
    kind: str, counts: Sequence[int] | None, widths: Sequence[int] | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return blocks and channels of each stage, those of the kind where None is given.

    Raises
    ------
    InvalidArgument
        See :class:`Stack`.
    """
    if kind not in STAGES:
        raise InvalidArgument("stack", kind, f"one of {list(STAGES)}", STAGES)
    usual_counts, usual_widths = STAGES[kind]
    counts = usual_counts if counts is None else tuple(counts)
    widths = usual_widths if widths is None else tuple(widths)
    for field, numbers in (("N", counts), ("widths", widths)):
        if not numbers or not all(type(number) is int and number > 0 for number in numbers):
            raise InvalidArgument(field, list(numbers), "a positive integer for each stage")
    if len(counts) != len(widths):
        raise InvalidArgument("widths", list(widths), f"as many as there are stages in N, {len(counts)}")
    return counts, widths


def _pooling(n_in: int, width: int, first: bool) -> nn.Sequential:
    return nn.Sequential() if first else nn.Sequential(nn.MaxPool2d(2), convolution(n_in, width, 1))


def _halving(n_in: int, width: int, first: bool) -> nn.Sequential:
    to_width = [] if first else [convolution(n_in, width, 1)]
    n_in = n_in if first else width
    strided = nn.Conv2d(n_in, width, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(*to_width, nn.ReLU(), strided, nn.BatchNorm2d(width))
