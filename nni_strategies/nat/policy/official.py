"""The encoder that was released with the paper, for comparison: it does not see the operation it edits.

Nodes are feature maps. Node features: an embedding for an input of the cell; else the embeddings of the operations of
the node's edges, side by side, one place for each slot; all through a linear layer, X. A[to, from] counts the edges
between two nodes; it is directed, has no self-loops and is not normalised.

    H1 = ReLU(A X W1 + b1),   H2 = A H1 W2 + b2,   logits of a node's edges = H2 W3 + b3.

Two steps along A and no self-loop: a node's logits depend only on operations that enter nodes two edges before it.
One network serves all kinds of cells, and is not told which it edits.

Written for two edges at every node. Where a cell has nodes with other numbers of edges, as in NAS-Bench-201, each
node has as many places as the node with most, and those it does not use are 0.

Deviations: the choice is always among all operations, masked (the first version chose among "null", "same" and
"skip", which names one operation twice); no 1e-5 is added to probabilities.

Source: nat.md 1.4, D1 and D3: written from the formulas alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nni_strategies.nat.edges import ABSENT, EdgeView
from nni_strategies.nat.policy.initial import embedding, linear
from nni_strategies.nat.policy.line_graph import numbered_nodes

EMBEDDING, LIFTED, HIDDEN = 100, 1024, 100


class OfficialPolicy(nn.Module):
    """Logits of each edge's next operation from the operations two nodes before it.

    Parameters
    ----------
    view
        The space.
    seed
        Of the weights.
    """

    offsets: Tensor
    nodes: Tensor
    slots: Tensor
    inputs: Tensor
    edges: Tensor

    def __init__(self, view: EdgeView, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        offsets, nodes = numbered_nodes(view)
        slots = torch.tensor([edge.slot for edge in view.edges])
        # which input of its cell a node is, else -1; which edge enters a node in a slot, else one past the last
        inputs = [i if i < cell.n_inputs else -1 for cell in view.cells for i in range(cell.n_nodes)]
        n_slots, n_operations = int(slots.max()) + 1, len(view.operations)
        edges = torch.full((len(inputs), n_slots), view.n_edges)
        edges[nodes, slots] = torch.arange(view.n_edges)
        for name, value in (("offsets", offsets), ("nodes", nodes), ("slots", slots), ("edges", edges)):
            self.register_buffer(name, value, persistent=False)
        self.register_buffer("inputs", torch.tensor(inputs), persistent=False)
        n_inputs = max(cell.n_inputs for cell in view.cells)
        self.input = embedding(n_inputs, n_slots * EMBEDDING, generator)
        self.operation = embedding(n_operations, EMBEDDING, generator)
        self.lift = linear(n_slots * EMBEDDING, LIFTED, generator)
        self.first = linear(LIFTED, HIDDEN, generator)
        self.second = linear(HIDDEN, HIDDEN, generator)
        self.head = linear(HIDDEN, n_slots * n_operations, generator)

    def adjacency(self, operations: Tensor, sources: Tensor) -> Tensor:
        """Return A, ``[n, n_nodes, n_nodes]``, the nodes of all cells; edges that are not in use do not count."""
        n_nodes = len(self.inputs)
        flat = torch.zeros(len(operations), n_nodes * n_nodes, dtype=self.first.weight.dtype)
        place = self.nodes * n_nodes + sources + self.offsets
        flat.scatter_add_(1, place, (operations != ABSENT).to(flat.dtype))
        return flat.view(-1, n_nodes, n_nodes)

    def node_features(self, operations: Tensor) -> Tensor:
        """Return X, ``[n, n_nodes, 1024]``."""
        by_slot = functional.pad(operations, (0, 1), value=ABSENT)[:, self.edges]
        embedded = self.operation(by_slot.clamp_min(0)) * (by_slot != ABSENT).unsqueeze(-1)
        given = self.input(self.inputs.clamp_min(0))
        features: Tensor = self.lift(torch.where(self.inputs.unsqueeze(-1) >= 0, given, embedded.flatten(2)))
        return features

    def forward(self, operations: Tensor, sources: Tensor) -> Tensor:
        """Return logits ``[n, n_edges, n_operations]`` for operations and sources ``[n, n_edges]``."""
        adjacency = self.adjacency(operations, sources)
        weighted = self.node_features(operations) @ self.first.weight.T
        hidden = torch.relu(adjacency @ weighted + self.first.bias)
        hidden = self.second(adjacency @ hidden)
        logits: Tensor = self.head(hidden).unflatten(-1, (self.edges.shape[1], -1))
        return logits[:, self.nodes, self.slots]
