"""A model space and evaluators that NNI's trials can import: their names show in the web UI, not bytes.

The score of a model says which configuration it was built from: ``10 a + b``, so each result says itself whether
it went to the right place.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import nni
import torch
from nni.nas.nn.pytorch import LayerChoice, ModelSpace, MutableLinear


class SmallSpace(ModelSpace):
    """64 models: two choices of eight layers, told apart by their number of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.a = LayerChoice({f"width{i}": MutableLinear(1, i + 1) for i in range(8)}, label="a")
        self.b = LayerChoice({f"width{i}": MutableLinear(1, i + 1) for i in range(8)}, label="b")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return both layers' outputs."""
        return torch.cat([self.a(x), self.b(x)], dim=-1)


def value_of(configuration: dict[str, str]) -> int:
    """Return the score of a configuration."""
    return 10 * int(configuration["a"][5:]) + int(configuration["b"][5:])


def score_of(model: SmallSpace) -> int:
    """Return the score of a built model, from what it is made of."""
    x = torch.zeros(1, 1)
    return 10 * (model.a(x).shape[-1] - 1) + model.b(x).shape[-1] - 1


def evaluate(model: SmallSpace, seconds: float = 0.0, log: str = "") -> None:
    """Report the model's score, in an irregular order where several run at a time; write down that it was asked."""
    score = score_of(model)
    nni.report_intermediate_result({"default": score / 2, "epoch": 1})
    time.sleep(seconds * (1 + score % 3))
    if log:
        with Path(log).open("a") as file:
            file.write(f"{score}\n")
    nni.report_final_result({"default": score, "params": 2 * score, "process": os.getpid()})


class TinySpace(ModelSpace):
    """Four models, of which one is any good."""

    def __init__(self) -> None:
        super().__init__()
        self.a = LayerChoice({f"width{i}": MutableLinear(1, i + 1) for i in range(4)}, label="a")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output."""
        return self.a(x)


def evaluate_badly(model: TinySpace, seconds: float = 0.0, log: str = "") -> None:
    """Go wrong in three ways, each of which NNI's engine takes badly, and once well."""
    number = model.a(torch.zeros(1, 1)).shape[-1] - 1
    if number == 0:
        raise MemoryError("no memory")
    if number == 1:
        nni.report_intermediate_result({"loss": 1.0})
        nni.report_final_result({"accuracy": 1.0})
    if number == 3:
        nni.report_intermediate_result("not a number")
        nni.report_final_result({"default": number})
