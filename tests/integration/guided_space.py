"""What guided Lightning trials import beside the model space."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.rsa.small_space import Stripes, classification

# isort: split
import nni
import torch
from pytorch_lightning import Callback


@nni.trace
class SavesWeights(Callback):
    """Leaves the weights as they were when they were last validated in the trial's folder."""

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Before the module's own hook, which reports."""
        torch.save(pl_module.model.state_dict(), Path(os.environ["NNI_OUTPUT_DIR"]) / "weights.pt")


def evaluator() -> Any:
    """Return NNI's Lightning evaluator."""
    return classification(9, callbacks=[SavesWeights()])


def accuracy(network: torch.nn.Module) -> float:
    """Return what that reports for a network."""
    images, labels = (torch.stack(column) for column in zip(*Stripes(32, seed=1), strict=True))
    with torch.no_grad():
        return float((network.eval()(images).argmax(1) == labels).double().mean())
