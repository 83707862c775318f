"""A model space of nine small networks, and training that reports by itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
import torch
from nni.nas.nn.pytorch import LayerChoice, ModelSpace
from torch import nn
from torch.utils.data import Dataset

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


@nni.trace
class Stripes(Dataset):
    """Images ``[1, 8, 8]`` with a bright line; the class is where. Known to a trial by its size alone."""

    def __init__(self, n: int = 64, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(n) % 8
        self.images = 0.3 * torch.rand(n, 1, 8, 8, generator=generator)
        self.images[torch.arange(n), 0, self.labels] += 1.0

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.images[i], self.labels[i]


def classification(epochs: int = 3, **trainer: Any) -> Any:
    """Return NNI's Lightning evaluator on stripes, quiet and on the CPU."""
    from nni.nas.evaluator.pytorch import Classification, DataLoader  # of which other trials know nothing

    return Classification(
        train_dataloaders=DataLoader(Stripes(64), batch_size=32),
        val_dataloaders=DataLoader(Stripes(32, seed=1), batch_size=32),
        num_classes=10,
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **trainer,
    )


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


def train_and_save(model: nn.Module, rate: float = 0.1) -> None:
    """Train, and leave the weights as they were judged in the trial's folder."""
    try:
        train(model, rate)
    finally:
        torch.save(model.state_dict(), Path(os.environ["NNI_OUTPUT_DIR"]) / "weights.pt")
