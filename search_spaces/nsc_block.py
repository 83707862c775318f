"""NSC blocks as networks: ``[b, n_in, h, w]`` to ``[b, n_out, h, w]``, every operation ReLU first and norm last.

A block has a width. Its convolutions put out that many channels; pools, identities and sums keep what they get. Where
channels do not fit:

- a kernel above 1 on more channels than the width has a 1x1 before it, within the same operation (one ReLU, one norm);
- of two unequal nodes that are added, the narrower is projected to the wider (1x1, an operation of its own);
- a concatenation is brought back to the width by a 1x1.

The loose ends are concatenated. In a *narrow* frame (CIFAR) a 1x1 brings them back to the width, in a *wide* one
(ImageNet-mobile) they go on as they are, and there a sum has a norm as well.

Convolutions are plain, separable (depthwise, then pointwise, nothing between) or in groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.topology.nsc import (
    ADDITION,
    AVGPOOL,
    CONCATENATION,
    CONV,
    MAXPOOL,
    Layer,
    loose_ends,
    parse_block,
)
from nni_strategies.topology.nsc_graph import CONVOLUTIONS

GROUPS = 8


def check_convolution(conv: str, width: int, groups: int = GROUPS) -> None:
    """Refuse what is no convolution of so many channels.

    Raises
    ------
    InvalidArgument
        Another kind than `CONVOLUTIONS`, or groups that do not divide the width.
    """
    if conv not in CONVOLUTIONS:
        raise InvalidArgument("conv", conv, f"one of {list(CONVOLUTIONS)}", CONVOLUTIONS)
    if conv == "grouped" and (type(groups) is not int or groups < 1 or width % groups):
        raise InvalidArgument("groups", groups, f"a divisor of the width, {width}")


def convolution(n_in: int, width: int, kernel: int, conv: str = "plain", groups: int = GROUPS) -> nn.Sequential:
    """Build convolution and norm, with ReLU before: ``[b, n_in, h, w]`` to ``[b, width, h, w]``."""
    return nn.Sequential(nn.ReLU(), *_unactivated(n_in, width, kernel, conv, groups))


def _unactivated(n_in: int, width: int, kernel: int, conv: str, groups: int) -> list[nn.Module]:
    norm = nn.BatchNorm2d(width)
    if conv == "sep":
        depthwise = nn.Conv2d(n_in, n_in, kernel, padding=kernel // 2, groups=n_in, bias=False)
        return [depthwise, nn.Conv2d(n_in, width, 1, bias=False), norm]
    n_groups = groups if conv == "grouped" and kernel > 1 else 1
    return [nn.Conv2d(n_in, width, kernel, padding=kernel // 2, groups=n_groups, bias=False), norm]


class Sum(nn.Module):
    """The sum of two nodes of as many channels; a norm of them follows where there is one."""

    def __init__(self, norm: nn.Module | None) -> None:
        super().__init__()
        self.norm = nn.Identity() if norm is None else norm

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        out: Tensor = self.norm(first + second)
        return out


class Join(nn.Module):
    """Nodes side by side."""

    def forward(self, *nodes: Tensor) -> Tensor:
        return torch.cat(nodes, dim=1)


class NSCBlock(nn.Module):
    """The network of a block.

    Parameters
    ----------
    block
        See :func:`nni_strategies.topology.nsc.parse_block`.
    n_in
        Channels of the input, at least `width`.
    width
        Channels of a convolution.
    conv, groups
        What convolutions are: ``plain``, ``sep`` or ``grouped``, those in so many groups.
    wide
        Whether several loose ends go on as they are.

    Attributes
    ----------
    n_out
        Channels of the output.
    align
        What only makes channels fit, by the layer before or behind which it stands.

    Raises
    ------
    InvalidArgument
        Not a block, another kind of convolution, a width that the groups do not divide.
    """

    def __init__(
        self,
        block: Iterable[Sequence[Any]],
        n_in: int,
        width: int,
        conv: str = "plain",
        groups: int = GROUPS,
        wide: bool = False,
    ) -> None:
        super().__init__()
        check_convolution(conv, width, groups)
        self.block = parse_block(block)
        self.width, self.conv, self.groups, self.wide = width, conv, groups, wide
        self.align = nn.ModuleDict()
        self.layers = nn.ModuleList()
        channels = [n_in]
        for layer in self.block[:-1]:
            module, n_out = self._build(layer, [channels[p] for p in layer.reads])
            self.layers.append(module)
            channels.append(n_out)
        self.ends = loose_ends(self.block)
        self.n_out = sum(channels[end] for end in self.ends)
        self.output = Join()
        if len(self.ends) > 1 and not wide:
            self.align["output"] = convolution(self.n_out, width, 1)
            self.n_out = width

    def _build(self, layer: Layer, channels: list[int]) -> tuple[nn.Module, int]:
        """Build a layer that reads nodes of these channels; return it and its own."""
        n, width = channels[0], self.width
        if layer.type == CONV and layer.kernel > 1 and n > width:
            self.align[f"{layer.number}_pred1"] = nn.Sequential(nn.ReLU(), nn.Conv2d(n, width, 1, bias=False))
            return nn.Sequential(*_unactivated(width, width, layer.kernel, self.conv, self.groups)), width
        if layer.type == CONV:
            return convolution(n, width, layer.kernel, self.conv, self.groups), width
        if layer.type == ADDITION:
            wider = max(channels)
            for place, narrower in enumerate(channels, start=1):
                if narrower < wider:
                    self.align[f"{layer.number}_pred{place}"] = convolution(narrower, wider, 1)
            return Sum(nn.BatchNorm2d(wider) if self.wide else None), wider
        if layer.type == CONCATENATION:
            self.align[f"{layer.number}"] = convolution(sum(channels), width, 1)
            return Join(), width
        if layer.kernel == 3 and layer.type == MAXPOOL:
            return nn.MaxPool2d(3, stride=1, padding=1), n
        if layer.kernel == 3 and layer.type == AVGPOOL:
            return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False), n
        return nn.Identity(), n

    def forward(self, features: Tensor) -> Tensor:
        """Return the output ``[b, n_out, h, w]`` of ``[b, n_in, h, w]``."""
        nodes = [features]
        for layer, module in zip(self.block, self.layers, strict=False):
            reads = [
                self._aligned(f"{layer.number}_pred{place}", nodes[p]) for place, p in enumerate(layer.reads, start=1)
            ]
            nodes.append(self._aligned(f"{layer.number}", module(*reads)))
        ends = [nodes[end] for end in self.ends]
        return self._aligned("output", self.output(*ends)) if len(ends) > 1 else ends[0]

    def _aligned(self, place: str, features: Tensor) -> Tensor:
        return self.align[place](features) if place in self.align else features
