"""Tiny model spaces with every kind of choice that a supernet has, and how a stand-alone network gets its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import nni
import torch
from nni.nas.nn.pytorch import (
    Cell,
    InputChoice,
    LayerChoice,
    ModelSpace,
    MutableBatchNorm2d,
    MutableConv2d,
    MutableLinear,
    Repeat,
)
from torch import Tensor, nn

CLASSES = 3


def conv(channels: int, size: int) -> nn.Module:
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(channels, channels, size, padding=size // 2, bias=False), nn.BatchNorm2d(channels)
    )


class Chain(ModelSpace):
    """Layer choices one after another, from a dictionary and from a list; dropout, so that training draws."""

    def __init__(self, channels: int = 4, n_classes: int = CLASSES) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1)
        self.named = LayerChoice(
            {"one": conv(channels, 1), "three": conv(channels, 3), "skip": nn.Identity()}, label="named"
        )
        self.listed = LayerChoice([conv(channels, 3), nn.AvgPool2d(3, 1, 1)], label="listed")
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(channels, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.listed(self.named(self.stem(images)))
        return self.classifier(self.dropout(features.mean((2, 3))))


class Choosy(ModelSpace):
    """A depth, a number of channels and an input to choose."""

    def __init__(self) -> None:
        super().__init__()
        width = nni.choice("width", [2, 4])
        self.stem = MutableConv2d(1, width, 3, padding=1)
        self.wide = MutableConv2d(width, 4, 1)
        self.repeat = Repeat(lambda i: conv(4, 3), (1, 3), label="depth")
        self.input = InputChoice(2, 1, label="input")
        self.classifier = MutableLinear(4, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        features = self.wide(self.stem(images))
        return self.classifier(self.input([features, self.repeat(features)]).mean((2, 3)))


class Nested(ModelSpace):
    """Choices within choices, and inputs of which two are chosen."""

    def __init__(self, reduction: str = "sum") -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.one, self.three = conv(4, 1), conv(4, 3)
        self.two = InputChoice(3, 2, reduction=reduction, label="two")
        self.wide = nn.Conv2d(8 if reduction == "concat" else 4, 4, 1)
        repeated = Repeat(lambda i: LayerChoice([conv(4, 1), conv(4, 3)], label=f"block{i}"), (1, 3), label="depth")
        inner = nn.Sequential(LayerChoice([conv(4, 1), conv(4, 3)], label="inner"))
        self.outer = LayerChoice({"inner": inner, "repeat": repeated, "skip": nn.Identity()}, label="outer")
        self.classifier = nn.Linear(4, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        features = self.wide(self.two([features, self.one(features), self.three(features)]))
        return self.classifier(self.outer(features).mean((2, 3)))


class Normed(ModelSpace):
    """A batch norm of as many channels as are chosen, a kernel, and a depth that may be 0."""

    def __init__(self) -> None:
        super().__init__()
        width, kernel = nni.choice("width", [2, 4]), nni.choice("kernel", [1, 3])
        self.stem = MutableConv2d(1, width, kernel, padding=kernel // 2)
        self.norm = MutableBatchNorm2d(width)
        self.wide = MutableConv2d(width, 4, 1)
        self.repeat = Repeat(lambda i: conv(4, 3), (0, 2), label="depth")
        self.classifier = nn.Linear(4, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.repeat(self.wide(self.norm(self.stem(images)))).mean((2, 3)))


class Plain(ModelSpace):
    """A cell whose operations are modules, not what makes them."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = Cell([conv(2, 1), conv(2, 3)], 2, 2, 2, label="cell")
        self.classifier = nn.Linear(4, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        images = images.repeat(1, 2, 1, 1)
        return self.classifier(self.cell([images, -images]).mean((2, 3)))


class Looser(ModelSpace):
    """A cell that outputs its loose ends, and a linear layer that reads them."""

    def __init__(self) -> None:
        super().__init__()
        operations = {"one": lambda *_: nn.Conv2d(1, 2, 1), "three": lambda *_: nn.Conv2d(1, 2, 3, padding=1)}
        self.cell = Cell({k: _on_two(v) for k, v in operations.items()}, 3, 2, 2, merge_op="loose_end", label="cell")
        self.classifier = nn.Linear(6, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        pair = [torch.cat([images, images], 1), torch.cat([images, -images], 1)]
        return self.classifier(self.cell(pair).mean((2, 3)))


def _on_two(make: Any) -> Any:
    return lambda *place: nn.Sequential(nn.Conv2d(2, 1, 1), make(*place))


def inherit(alone: nn.Module, supernet: nn.Module, sample: Mapping[str, Any]) -> None:
    """Give a stand-alone network of hub cells the weights of its path in a supernet."""
    labels = {name: module.label for name, module in supernet.named_modules() if hasattr(module, "label_scope")}
    shared, own = supernet.state_dict(), alone.state_dict()
    for name in own:
        own[name] = shared[_shared_name(name, labels, sample)]
    alone.load_state_dict(own)


def _shared_name(name: str, labels: Mapping[str, str], sample: Mapping[str, Any]) -> str:
    name = re.sub(r"^(stages\.\d)", r"\1.blocks", name)  # a frozen Repeat is its blocks
    found = re.fullmatch(r"(.+)\.ops\.(\d+)\.(\d+)\.(.+)", name)
    if found is None:
        return name
    cell, node, slot, rest = found.groups()
    inner = f"{labels[cell]}/%s_{int(node) + 2}_{slot}"
    return f"{cell}.ops.{node}.{sample[inner % 'input'][0]}.{sample[inner % 'op']}.{rest}"
