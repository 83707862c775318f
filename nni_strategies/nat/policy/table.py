"""Policies without context: one that learns a table, and one that does not learn.

Both are what a policy with context has to beat. Source: nat_recipe.md.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nni_strategies.nat.edges import EdgeView

SCALE = 50.0


class TablePolicy(nn.Module):
    """Logits by edge and its current operation, all 0 at first.

    They are 50 times the weights: a step of Adam moves a weight by about its learning rate, and with one that suits a
    network a bare table would hardly move.

    Parameters
    ----------
    view
        The space.
    """

    places: Tensor

    def __init__(self, view: EdgeView) -> None:
        super().__init__()
        n_operations = len(view.operations)
        self.register_buffer("places", torch.arange(view.n_edges), persistent=False)
        self.weights = nn.Parameter(torch.zeros(view.n_edges, 1 + n_operations, n_operations))

    def forward(self, operations: Tensor, sources: Tensor) -> Tensor:
        """Return logits ``[n, n_edges, n_operations]`` for operations ``[n, n_edges]``."""
        return SCALE * self.weights[self.places, operations + 1]  # the first is ABSENT


class RandomPolicy(nn.Module):
    """Logits 0: once masked, uniform over what is allowed.

    Parameters
    ----------
    view
        The space.
    """

    def __init__(self, view: EdgeView) -> None:
        super().__init__()
        self.n_operations = len(view.operations)

    def forward(self, operations: Tensor, sources: Tensor) -> Tensor:
        """Return zeros ``[n, n_edges, n_operations]`` for operations ``[n, n_edges]``."""
        return torch.zeros(*operations.shape, self.n_operations)
