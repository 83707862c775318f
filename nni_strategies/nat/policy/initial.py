"""Layers whose first weights come from a generator of their own; the global one is neither read nor moved."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Draw nothing yet."""


class _LSTM(nn.LSTM):
    def reset_parameters(self) -> None:
        """Draw nothing yet."""


class _Embedding(nn.Embedding):
    def reset_parameters(self) -> None:
        """Draw nothing yet."""


def linear(n_in: int, n_out: int, generator: torch.Generator) -> nn.Linear:
    """Return a linear layer, uniform in +-1/sqrt(n_in), as PyTorch draws it."""
    return _uniform(_Linear(n_in, n_out), n_in, generator)


def lstm(n_in: int, hidden: int, generator: torch.Generator) -> nn.LSTM:
    """Return one LSTM layer that reads ``[n, length, n_in]``, uniform in +-1/sqrt(hidden), as PyTorch draws it."""
    return _uniform(_LSTM(n_in, hidden, batch_first=True), hidden, generator)


def embedding(n: int, size: int, generator: torch.Generator) -> nn.Embedding:
    """Return an embedding, standard normal, as PyTorch draws it."""
    module = _Embedding(n, size)
    with torch.no_grad():
        module.weight.normal_(generator=generator)
    return module


def _uniform(module: Module, size: int, generator: torch.Generator) -> Module:
    bound = 1.0 / math.sqrt(size)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return module
