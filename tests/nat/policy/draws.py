"""What tests of policies share: architectures, and which operation moves which logits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nni_strategies.nat.edges import EdgeView


def drawn(view: EdgeView, n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return operations and sources of uniform draws, ``[n, n_edges]``."""
    codes = view.space.sample_codes(np.random.default_rng(seed), n)
    architectures = view.encode(view.space.decode(codes))
    return torch.from_numpy(architectures.operations), torch.from_numpy(architectures.sources)


def moved(policy: nn.Module, view: EdgeView, operations: Tensor, sources: Tensor) -> Tensor:
    """Return whether an edge's logits depend on an edge's operation, ``[n_edges (operation), n_edges (logits)]``.

    Operations and sources of one architecture, ``[n_edges]``; each edge is given the next operation in turn.
    """
    edges = torch.arange(view.n_edges)
    changed = operations.repeat(view.n_edges, 1)
    changed[edges, edges] = (changed[edges, edges] + 1) % len(view.operations)
    with torch.no_grad():
        before = policy(operations[None], sources[None])
        after = policy(changed, sources.repeat(view.n_edges, 1))
    return ((after - before).abs() > 1e-6).any(-1)
