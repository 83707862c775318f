"""What a policy sees of an edge: its operation and where it is in its cell.

    x_e = Emb(operation) + Emb(cell) + Emb(source) + Emb(node) + Emb(slot)

Two edges differ at least in where they are, and an edge always sees its own operation. The kind of cell is a part of
it: one policy edits all kinds.

Source: nat.md 5.4 and D9; the released policy does not know the kind of cell.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nni_strategies.nat.edges import EdgeView
from nni_strategies.nat.policy.initial import embedding


class EdgeFeatures(nn.Module):
    """Embedding of the edges of architectures.

    Parameters
    ----------
    view
        The space.
    size
        Length of an edge's features.
    generator
        Draws the weights.
    """

    cells: Tensor
    nodes: Tensor
    slots: Tensor

    def __init__(self, view: EdgeView, size: int, generator: torch.Generator) -> None:
        super().__init__()
        names = [cell.name for cell in view.cells]
        n_nodes = max(cell.n_nodes for cell in view.cells)
        self.register_buffer("cells", torch.tensor([names.index(edge.cell) for edge in view.edges]), persistent=False)
        self.register_buffer("nodes", torch.tensor([edge.node for edge in view.edges]), persistent=False)
        self.register_buffer("slots", torch.tensor([edge.slot for edge in view.edges]), persistent=False)
        self.operation = embedding(1 + len(view.operations), size, generator)  # the first is ABSENT
        self.cell = embedding(len(names), size, generator)
        self.source = embedding(n_nodes, size, generator)
        self.node = embedding(n_nodes, size, generator)
        self.slot = embedding(1 + max(edge.slot for edge in view.edges), size, generator)

    def forward(self, operations: Tensor, sources: Tensor) -> Tensor:
        """Return the features ``[n, n_edges, size]`` of operations and sources ``[n, n_edges]``."""
        place = self.cell(self.cells) + self.node(self.nodes) + self.slot(self.slots)
        features: Tensor = self.operation(operations + 1) + self.source(sources) + place
        return features
