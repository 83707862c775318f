"""Small model spaces: plain nets, one that halves, one whose costs do not add up."""

from __future__ import annotations

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import functools

import nni
import torch
from nni.nas.nn.pytorch import Cell, LayerChoice, ModelSpace, MutableConv2d, Repeat
from nni.nas.space import model_context
from torch import nn


class Halving(nn.Module):
    """Zero at half the resolution."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, ::2, ::2].mul(0.0)


def conv(n_in: int, n_out: int, kernel: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(n_out))


class Strided(ModelSpace):
    """A plain net; its list-built second choice halves, where a skip is a strided convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.first = LayerChoice({"conv_3x3": conv(8, 8, 3), "skip": nn.Identity()}, label="first")
        self.second = LayerChoice([conv(8, 8, 3, 2), conv(8, 8, 1, 2), nn.MaxPool2d(2), Halving()], label="second")
        self.third = LayerChoice({"conv_1x1": conv(8, 8, 1), "skip": nn.Identity()}, label="third")
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.third(self.second(self.first(self.stem(x))))
        return self.head(x.mean((2, 3)))


class Deep(ModelSpace):
    """Blocks that share a label, as many as a depth says, of a width that is a choice."""

    def __init__(self) -> None:
        super().__init__()
        width = nni.choice("width", [4, 8])
        self.stem = MutableConv2d(3, width, 3, padding=1)
        self.blocks = Repeat(lambda i: self.block(width, i), (1, 3), label="depth")
        self.pool = nn.AdaptiveAvgPool2d(1)

    def block(self, width: int, i: int) -> nn.Module:
        candidates = {"conv_3x3": MutableConv2d(width, width, 3, padding=1), "skip": nn.Identity()}
        return nn.Sequential(nn.ReLU(), LayerChoice(candidates, label=f"block_{min(i, 1)}"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pool(self.blocks(self.stem(x)))


class Stages(ModelSpace):
    """Two stages of one or two layers each, then a last one."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            *(Repeat(lambda i, s=s: self.layer(f"stage_{s}_{i}"), (1, 2), label=f"depth_{s}") for s in range(2))
        )
        self.last = self.layer("last")

    def layer(self, label: str) -> LayerChoice:
        candidates = {"conv_3x3": conv(3, 3, 3), "conv_1x1": conv(3, 3, 1), "none": Nothing()}
        return LayerChoice(candidates, label=label)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.stages(x))


class Nothing(nn.Module):
    """Zero."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)


class Uneven(ModelSpace):
    """What the first choice makes of the resolution, the second pays for."""

    def __init__(self) -> None:
        super().__init__()
        self.first = LayerChoice({"conv_3x3": conv(3, 3, 3), "halving": conv(3, 3, 3, 2)}, label="first")
        self.second = LayerChoice({"conv_3x3": conv(3, 3, 3), "conv_1x1": conv(3, 3, 1)}, label="second")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


class Again(ModelSpace):
    """A choice whose module is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = LayerChoice({"conv_3x3": conv(3, 3, 3), "conv_1x1": conv(3, 3, 1)}, label="first")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(self.first(x))


class SharedWeights(ModelSpace):
    """Two choices with one module among their candidates: where both choose it, its weights count once."""

    def __init__(self) -> None:
        super().__init__()
        shared = conv(3, 3, 3)
        self.first = LayerChoice({"shared": shared, "own": conv(3, 3, 3)}, label="first")
        self.second = LayerChoice({"shared": shared, "own": conv(3, 3, 3)}, label="second")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


class SharedLabel(ModelSpace):
    """A label whose second choice is inside another's candidate, and costs the other way round there."""

    def __init__(self) -> None:
        super().__init__()
        self.first = LayerChoice({"dear": conv(3, 3, 3), "cheap": conv(3, 3, 1)}, label="first")
        inside = LayerChoice({"dear": conv(3, 3, 1), "cheap": conv(3, 3, 5)}, label="first")
        self.second = LayerChoice({"block": nn.Sequential(inside, nn.ReLU()), "skip": nn.Identity()}, label="second")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


class Fixed(ModelSpace):
    """A choice, but none of operations."""

    def __init__(self) -> None:
        super().__init__()
        width = nni.choice("width", [4, 8])
        self.stem = MutableConv2d(3, width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stem(x)


class Nested(ModelSpace):
    """A choice inside a candidate of another."""

    def __init__(self) -> None:
        super().__init__()
        inner = LayerChoice({"conv_1x1": conv(3, 3, 1), "conv_3x3": conv(3, 3, 3)}, label="inner")
        self.outer = LayerChoice({"block": nn.Sequential(inner, nn.ReLU()), "skip": nn.Identity()}, label="outer")
        self.last = LayerChoice({"conv_3x3": conv(3, 3, 3), "skip": nn.Identity()}, label="last")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.outer(x))


class SharedCells(ModelSpace):
    """Two cells that copy their candidates from modules in a list."""

    def __init__(self) -> None:
        super().__init__()
        candidates = [nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1), nn.Identity()]
        self.stem = nn.Conv2d(3, 4, 1)
        self.cells = nn.Sequential(*(Cell(candidates, 2, 2, 1, label="cell") for _ in range(2)))
        self.between = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cells[1](self.between(self.cells[0](self.stem(x))))


class UnevenCell(ModelSpace):
    """A cell whose nodes get wider; its output is those that nobody reads."""

    WIDTHS = (3, 4, 6, 9)

    def __init__(self) -> None:
        super().__init__()
        candidates = {f"conv_{k}x{k}": functools.partial(self.between, kernel=k) for k in (1, 3)}
        self.cell = Cell(candidates, 3, 1, 1, merge_op="loose_end", label="cell")
        self.head = nn.Conv2d(sum(self.WIDTHS[node] for node in self.cell.output_node_indices), 5, 1)

    def between(self, node: int, slot: int, source: int | None, *, kernel: int) -> nn.Module:
        return nn.Conv2d(self.WIDTHS[source or 0], self.WIDTHS[node], kernel, padding=kernel // 2)

    def freeze(self, sample: dict[str, object]) -> nn.Module:
        with model_context(sample):
            return UnevenCell()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell(x))
