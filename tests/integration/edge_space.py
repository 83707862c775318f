"""A small cell with the operations of NAS-Bench-201, for trials of NNI: what its labels say is a topology.

A model is worth what :func:`quality` says of its configuration, so a result tells itself whether it is the right one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nni
import torch
from nni.nas.nn.pytorch import LayerChoice, ModelSpace

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")

#: The same space in NNI's search-space JSON.
SEARCH_SPACE = {f"edge_{edge}": {"_type": "choice", "_value": list(OPERATIONS)} for edge in EDGES}


class Named(torch.nn.Module):
    """An operation that knows its name and does nothing."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class EdgeSpace(ModelSpace):
    """15,625 cells: an operation on each of six edges."""

    def __init__(self) -> None:
        super().__init__()
        for edge in EDGES:
            choice = LayerChoice({name: Named(name) for name in OPERATIONS}, label=f"edge_{edge}")
            setattr(self, f"edge_{edge}", choice)


def quality(configuration: Mapping[str, Any]) -> float:
    """Return the metric of a configuration, in [0, 1]."""
    worth = {"nor_conv_3x3": 1.0, "nor_conv_1x1": 0.7, "skip_connect": 0.4, "avg_pool_3x3": 0.1, "none": 0.0}
    return sum(worth[configuration[f"edge_{edge}"]] / (i + 2) for i, edge in enumerate(EDGES)) / 2


def latency_of(configuration: Mapping[str, Any]) -> float:
    """Return what is taken for its latency, in milliseconds."""
    return 1.0 + sum(configuration[f"edge_{edge}"].startswith("nor_conv") for edge in EDGES)


def configuration_of(model: Any) -> dict[str, str]:
    """Return what a built model was built from."""
    return {f"edge_{edge}": getattr(model, f"edge_{edge}").name for edge in EDGES}


def evaluate(model: Any) -> None:
    """Report a model's metric alone."""
    nni.report_final_result(quality(configuration_of(model)))


def evaluate_with_latency(model: Any, gate: str = "") -> None:
    """Report a dictionary, once there is no file `gate`; ``<gate>.waiting`` tells that there is a trial before it."""
    while gate and Path(gate).exists():
        Path(f"{gate}.waiting").touch()
        time.sleep(0.1)
    configuration = configuration_of(model)
    metric = {"default": quality(configuration), "latency_ms": latency_of(configuration), "epochs": 3}
    nni.report_final_result(metric)
