"""Small model spaces for the one-shot strategies, and what their samples look like as graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import torch
from nni.nas.nn.pytorch import InputChoice, LayerChoice, ModelSpace, Repeat
from torch import nn

from nni_strategies.topology.graph import TopologyGraph

WIDTH = 4
VALUES: dict[str, list[Any]] = {
    "a": ["conv1", "conv3", "skip_connect"],
    "b": ["pair", "dw", "pool"],
    "pick": [0, 1],
    "depth": [1, 2, 3],
    **{f"rep_{i}": ["conv3", "skip_connect"] for i in range(3)},
}


def layer(name: str) -> nn.Module:
    if name == "pair":
        return nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 1), nn.BatchNorm2d(WIDTH), nn.ReLU(), layer("conv3"))
    if name == "dw":
        depthwise = nn.Conv2d(WIDTH, WIDTH, 5, padding=2, groups=WIDTH)
        return nn.Sequential(depthwise, nn.BatchNorm2d(WIDTH), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 1))
    if name == "pool":
        return nn.AvgPool2d(3, 1, 1)
    if name == "skip_connect":
        return nn.Identity()
    kernel = int(name[-1])
    return nn.Sequential(nn.Conv2d(WIDTH, WIDTH, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(WIDTH))


def choice(label: str) -> LayerChoice:
    return LayerChoice({name: layer(name) for name in VALUES[label]}, label=label)


class MixedSpace(ModelSpace):
    """Layer choices, an input choice and a repeat, then a sum with the stem: 324 samples."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, WIDTH, 3, padding=1)
        self.a, self.b = choice("a"), choice("b")
        self.pick = InputChoice(2, n_chosen=1, label="pick")
        self.rep = Repeat(lambda i: choice(f"rep_{i}"), (1, 3), label="depth")
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = x + self.rep(self.pick([self.a(x), self.b(x)]))
        return self.head(self.pool(x).view(x.size(0), -1))


def mixed_graph(sample: Mapping[str, Any]) -> TopologyGraph:
    """Return the topology of a sample of `MixedSpace`, written down by hand."""
    chains = {"pair": ("conv1", "conv3"), "dw": ("sepconv5",), "pool": ("avgpool3",), "skip_connect": ()}
    names = [sample["b" if sample["pick"] == 1 else "a"], *(sample[f"rep_{i}"] for i in range(sample["depth"]))]
    operations = [operation for name in names for operation in chains.get(name, (name,))]
    nodes: dict[Any, Any] = {"stem": ("conv3", ["input"])}
    last: Any = "stem"
    for number, operation in enumerate(operations):
        nodes[number] = (operation, [last])
        last = number
    nodes.update(sum=("add", ["stem", last]), pool=("globalpool", ["sum"]), head=("linear", ["pool"]))
    return TopologyGraph.from_nodes(nodes, ["head"])


class LayerSpace(ModelSpace):
    """Two layer choices and a repeat, which NNI's FLOPs profiler can count; images ``[b, 1, 8, 8]``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, WIDTH, 3, padding=1)
        self.a, self.b = choice("a"), choice("b")
        self.rep = Repeat(lambda i: choice(f"rep_{i}"), (1, 3), label="depth")
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.rep(self.b(self.a(self.stem(x)))).mean(dim=(2, 3)))


class ConvolutionSpace(ModelSpace):
    """Two layer choices among convolutions, all of which cost something."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = (
            LayerChoice({f"conv{k}": nn.Conv2d(1, 1, k, padding=k // 2) for k in (1, 3)}, label=label) for label in "ab"
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.a(x))
