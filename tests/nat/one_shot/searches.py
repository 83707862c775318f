"""A small space of cells with ``none``, images of stripes, and NNI's evaluator on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import torch
from nni.nas.evaluator.pytorch import Classification, DataLoader
from nni.nas.execution import SequentialExecutionEngine
from nni.nas.hub.pytorch.nasnet import NDS
from nni.nas.nn.pytorch import Cell, ModelSpace
from nni.nas.space import RawFormatModelSpace
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from nni_strategies.nat.moves_of_space import SpaceMoves, moves_of_space
from nni_strategies.nat.one_shot.learner import OneShotLearner
from nni_strategies.nat.one_shot.settings import OneShotSettings
from nni_strategies.nat.one_shot.strategy import NATOneShot
from nni_strategies.supernet.network import Supernet

N_CLASSES, SHAPE = 4, (3, 8, 8)
DEAD = {f"cell/op_{node}_{slot}": "none" for node in (2, 3) for slot in (0, 1)}
#: Costliest everywhere; any transformation is cheaper.
CONVOLUTIONS = dict.fromkeys(DEAD, "conv3") | {f"cell/input_{n}_{s}": [s] for n in (2, 3) for s in (0, 1)}


class Zero(nn.Module):
    """No connection."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


def convolution(size: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, size, padding=size // 2, bias=False), nn.BatchNorm2d(4))


class Cells(ModelSpace):
    """A cell of two nodes; dropout, so that training draws."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
        operations = {
            "none": lambda *_: Zero(),
            "skip": lambda *_: nn.Identity(),
            "conv1": lambda *_: convolution(1),
            "conv3": lambda *_: convolution(3),
        }
        self.cell = Cell(operations, 2, 2, 2, label="cell")
        self.head = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1), nn.Linear(8, 10))

    def forward(self, images: Tensor) -> Tensor:
        stem = self.stem(images)
        return self.head(self.cell([stem, stem]))


def nds() -> ModelSpace:
    """DARTS's space widened by ``none``: three cells of two nodes, four channels; images ``[b, 3, h, w]``."""
    operations = ["none", "max_pool_3x3", "skip_connect", "sep_conv_3x3"]
    return NDS(operations, num_nodes_per_cell=2, width=4, num_cells=3, dataset="cifar")


def stripes(n: int = 64, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images ``[n, 3, 8, 8]`` with a bright line, whose row is the class."""
    labels = torch.arange(n) % N_CLASSES
    images = 0.3 * torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(seed))
    images[torch.arange(n), :, 2 * labels] += 1.0
    return images, labels


def evaluator(epochs: int = 2, **trainer: Any) -> Any:
    """Return NNI's Lightning evaluator on stripes, quiet and, unless told otherwise, on the CPU."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    return Classification(
        train_dataloaders=DataLoader(TensorDataset(*stripes()), batch_size=16),
        val_dataloaders=DataLoader(TensorDataset(*stripes(48, seed=1)), batch_size=24),
        num_classes=10,
        max_epochs=epochs,
        enable_model_summary=False,
        **{**quiet, **trainer},
    )


def started(strategy: NATOneShot, space: Callable[[], ModelSpace] = Cells, judged: Any = None) -> NATOneShot:
    """Return a strategy that is about to run; weights and dropout are always the same."""
    torch.manual_seed(0)
    strategy.initialize(RawFormatModelSpace(space(), judged or evaluator()), SequentialExecutionEngine())
    return strategy


def searched(strategy: NATOneShot, space: Callable[[], ModelSpace] = Cells, judged: Any = None) -> NATOneShot:
    """Run a strategy to its end, and return it."""
    started(strategy, space, judged).run()
    return strategy


def learner(settings: Mapping[str, Any] | None = None) -> tuple[OneShotLearner, SpaceMoves]:
    """Return a learner for CONVOLUTIONS on a supernet of `Cells`, and the moves of its space."""
    moves = moves_of_space(Cells(), input_shape=SHAPE)
    parent = moves.transitions.view.encode([CONVOLUTIONS])
    chosen = OneShotSettings(**(settings or {}))
    return OneShotLearner(moves.transitions, Supernet.built(Cells), chosen, parent), moves
