"""A policy that reads the edges one after another, in topological order: the paper's LSTM for comparison.

    h_e = LSTM(x_e, h_e-1),   logits = h_e W + b,

x as for the default policy (:class:`~.features.EdgeFeatures`). An edge sees itself and all before it, whether they
are connected to it or not. Source: nat.md 3b (ablation) and 5.4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nni_strategies.nat.edges import EdgeView
from nni_strategies.nat.policy.features import EdgeFeatures
from nni_strategies.nat.policy.initial import linear, lstm


class LSTMPolicy(nn.Module):
    """Logits of each edge's next operation from the edges up to it.

    Parameters
    ----------
    view
        The space.
    hidden
        Size of the features and of the state.
    seed
        Of the weights.
    """

    def __init__(self, view: EdgeView, hidden: int = 64, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.features = EdgeFeatures(view, hidden, generator)
        self.cell = lstm(hidden, hidden, generator)
        self.head = linear(hidden, len(view.operations), generator)

    def forward(self, operations: Tensor, sources: Tensor) -> Tensor:
        """Return logits ``[n, n_edges, n_operations]`` for operations and sources ``[n, n_edges]``."""
        states, _ = self.cell(self.features(operations, sources))
        logits: Tensor = self.head(states)
        return logits
