"""Small networks with every trap that layer discovery has to know."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """A residual block with a ReLU in place."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1, inplace: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(n_out)
        self.shortcut = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1, stride)
        self.relu = nn.ReLU(inplace)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.norm(self.conv(x)) + self.shortcut(x))


class Net(nn.Module):
    """Stem, three blocks, pooling without a module, dropout, a linear layer."""

    def __init__(self, inplace: bool = True, width: int = 6) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU(inplace))
        self.blocks = nn.Sequential(
            Block(width, width, 1, inplace),
            Block(width, 2 * width, 2, inplace),
            Block(2 * width, 2 * width, 1, inplace),
        )
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(2 * width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(self.blocks(self.stem(x)).mean(dim=(2, 3))))


class Twice(nn.Module):
    """Runs one layer twice, gives a dictionary, and decides by what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.shared, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.first(x)
        x = functional.relu(self.shared(x))
        x = self.shared(x) if float(x.sum()) > -1e9 else x
        return {"logits": self.head(x)}


class Cell(nn.Module):
    """Hands on what it read beside what it made, as cells of NASNet spaces do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, 1, 1)

    def forward(self, states: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        return states[1], self.conv(states[0]) + states[1]


class Cells(nn.Module):
    """Two cells and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList([Cell(), Cell()])
        self.pool, self.flat, self.head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states = x, x
        for cell in self.cells:
            states = cell(states)
        return self.head(self.flat(self.pool(states[1])))
