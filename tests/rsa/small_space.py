"""A model space of nine small networks, and training that reports by itself."""

from __future__ import annotations

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
import torch
from nni.nas.nn.pytorch import LayerChoice, ModelSpace
from torch import nn

from tests.rsa.networks import Block


class SmallSpace(ModelSpace):
    """Two layers of three choices each."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3, 1, 1)
        for name in ("first", "second"):
            choices = [Block(6, 6), nn.Conv2d(6, 6, 1), nn.AvgPool2d(3, 1, 1)]
            setattr(self, name, LayerChoice(choices, label=name))
        self.head = nn.Linear(6, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(self.stem(x))).mean(dim=(2, 3)))


def train(model: nn.Module, rate: float = 0.1, epochs: int = 5) -> float:
    """Take a step an epoch and report."""
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), rate)
    for epoch in range(epochs):
        loss = model(torch.rand(16, 1, 8, 8)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        nni.report_intermediate_result({"default": 0.1 * epoch + rate, "loss": loss.item()})
    nni.report_final_result(0.9)
    return 0.9
