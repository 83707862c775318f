"""The default policy: a graph convolution over the line graph of an architecture.

A node of the line graph is an edge of the architecture. Edges e and e' of a cell are neighbours where one enters the
node that the other leaves; each is its own neighbour too. With A the adjacency, rows divided by their sums, and X the
features of the edges (:class:`~.features.EdgeFeatures`),

    H1 = ReLU(A X W1 + b1),   H2 = A H1 W2 + b2,   logits = H2 W3 + b3.

The paper's graph has feature maps as nodes. Its released code lacks self-loops, so that the logits of an edge do not
depend on its own operation (:mod:`~.official`); here they do.

Source: nat.md 5.4 and D1; Kipf and Welling: Semi-Supervised Classification with Graph Convolutional Networks, 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nni_strategies.nat.edges import ABSENT, EdgeView
from nni_strategies.nat.policy.features import EdgeFeatures
from nni_strategies.nat.policy.initial import linear


class LineGraphPolicy(nn.Module):
    """Logits of each edge's next operation from the edges around it.

    Parameters
    ----------
    view
        The space.
    hidden
        Size of the features and of both layers.
    seed
        Of the weights.
    """

    offsets: Tensor
    nodes: Tensor

    def __init__(self, view: EdgeView, hidden: int = 64, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        offsets, nodes = numbered_nodes(view)
        self.register_buffer("offsets", offsets, persistent=False)
        self.register_buffer("nodes", nodes, persistent=False)
        self.features = EdgeFeatures(view, hidden, generator)
        self.first = linear(hidden, hidden, generator)
        self.second = linear(hidden, hidden, generator)
        self.head = linear(hidden, len(view.operations), generator)

    def adjacency(self, operations: Tensor, sources: Tensor) -> Tensor:
        """Return A, ``[n, n_edges, n_edges]``; an edge that is not in use is linked to itself only."""
        absent = operations == ABSENT
        leaves = torch.where(absent, -1, sources + self.offsets)
        enters = torch.where(absent, -2, self.nodes)
        follows = leaves.unsqueeze(2) == enters.unsqueeze(1)
        linked = follows | follows.transpose(1, 2) | torch.eye(len(self.nodes), dtype=torch.bool)
        counted = linked.to(self.first.weight.dtype)
        return counted / counted.sum(-1, keepdim=True)

    def forward(self, operations: Tensor, sources: Tensor) -> Tensor:
        """Return logits ``[n, n_edges, n_operations]`` for operations and sources ``[n, n_edges]``."""
        adjacency = self.adjacency(operations, sources)
        hidden = torch.relu(self.first(adjacency @ self.features(operations, sources)))
        logits: Tensor = self.head(self.second(adjacency @ hidden))
        return logits


def numbered_nodes(view: EdgeView) -> tuple[Tensor, Tensor]:
    """Number the nodes of all cells through.

    Returns
    -------
    offsets, nodes
        The number of each edge's cell's first node and of the node it enters, both ``[n_edges]``.
    """
    first, total = {}, 0
    for cell in view.cells:
        first[cell.name] = total
        total += cell.n_nodes
    offsets = torch.tensor([first[edge.cell] for edge in view.edges])
    return offsets, offsets + torch.tensor([edge.node for edge in view.edges])
