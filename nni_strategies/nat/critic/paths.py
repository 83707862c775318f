"""The live paths of a cell: from an input to an output over edges that are not null.

A path is known by its input and the sequence of its operations, skips left out: a skip passes on what it gets, so that
a path with one and the same path without it compute the same. Sequences are held as 64-bit hashes; paths are put
together node by node, in topological order, for all architectures at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.nat.edges import ABSENT, Architectures, Cell, EdgeView, Flags, Integers
from nni_strategies.nat.liveness import output_nodes

Hashes = npt.NDArray[np.uint64]

MOST_PATHS = 256  # into a node, and of a cell; what is beyond is left out

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


@dataclass(frozen=True)
class Paths:
    """Paths of `n` cells, in `n_paths` columns of which a cell fills some.

    Parameters
    ----------
    there
        Which columns a cell fills, ``[n, n_paths]``.
    sequences
        Hash of the input and the operations, ``[n, n_paths]``.
    lengths
        Numbers of edges, skips included, ``[n, n_paths]``.
    weighed
        For each weight given, its sum over the edges, ``[n_weights, n, n_paths]``.
    """

    there: Flags
    sequences: Hashes
    lengths: Integers
    weighed: Integers

    @classmethod
    def starting(cls, node: int, n: int, n_weights: int) -> Paths:
        """Return the one path of length 0 that an input has."""
        start = mixed(np.full((n, 1), node + 1, dtype=np.uint64))
        nothing = np.zeros((n, 1), dtype=np.int64)
        return cls(np.ones((n, 1), dtype=bool), start, nothing, np.zeros((n_weights, n, 1), dtype=np.int64))

    @classmethod
    def joined(cls, parts: list[Paths]) -> Paths:
        """Return the paths of several together."""
        return cls(
            np.concatenate([part.there for part in parts], axis=1)[:, :MOST_PATHS],
            np.concatenate([part.sequences for part in parts], axis=1)[:, :MOST_PATHS],
            np.concatenate([part.lengths for part in parts], axis=1)[:, :MOST_PATHS],
            np.concatenate([part.weighed for part in parts], axis=2)[:, :, :MOST_PATHS],
        )

    def over(self, operations: Integers, skip: Flags, weights: Integers) -> Paths:
        """Return them prolonged by an edge that carries operations ``[n]``; `weights` is ``[n_weights, n]``."""
        further = mixed(self.sequences + (operations + 1).astype(np.uint64)[:, None])
        return Paths(
            self.there,
            np.where(skip[:, None], self.sequences, further),
            self.lengths + 1,
            self.weighed + weights[:, :, None],
        )

    def where(self, rows: Flags) -> Paths:
        """Return the same columns, filled in some cells only."""
        return Paths(self.there & rows[:, None], self.sequences, self.lengths, self.weighed)

    @classmethod
    def chosen(cls, parts: list[Paths], which: Integers) -> Paths:
        """Return for each cell the paths of one of several, by place ``[n]``."""
        cell, width = np.arange(len(which)), max(part.there.shape[1] for part in parts)
        return cls(
            np.stack([_wide(part.there, width) for part in parts])[which, cell],
            np.stack([_wide(part.sequences, width) for part in parts])[which, cell],
            np.stack([_wide(part.lengths, width) for part in parts])[which, cell],
            np.stack([_wide(part.weighed, width) for part in parts])[which, :, cell].swapaxes(0, 1),
        )


def _wide(columns: npt.NDArray[np.generic], width: int) -> npt.NDArray[Any]:
    return np.pad(columns, [(0, 0)] * (columns.ndim - 1) + [(0, width - columns.shape[-1])])


def mixed(values: Hashes) -> Hashes:
    """Return values spread over 64 bits, each differently; order in a chain of calls matters."""
    spread = (values ^ (values >> _SHIFT)) * _FACTOR
    return spread ^ (spread >> _SHIFT)


def live_paths(
    view: EdgeView, cell: Cell, edges: list[int], forms: Architectures, skip: Flags, weights: Integers
) -> Paths:
    """Return all paths from an input of a cell to its output.

    Parameters
    ----------
    cell, edges
        The cell, and the places of its edges in the view, in topological order.
    forms
        `n` architectures in canonical form (:mod:`.canonical`).
    skip
        Which of the cell's edges carry a skip, ``[n, len(edges)]``.
    weights
        Numbers summed along a path, ``[n_weights, n, len(edges)]``.
    """
    n = len(forms)
    into: list[Paths] = [Paths.starting(node, n, len(weights)) for node in range(cell.n_inputs)]
    empty = into[0].where(np.zeros(n, dtype=bool))
    for node in range(cell.n_inputs, cell.n_nodes):
        parts = []
        for column, e in enumerate(edges):
            if view.edges[e].node == node:
                source, operations = view.edges[e].source, forms.operations[:, e]
                leaves = Paths.chosen(into, forms.sources[:, e]) if source is None else into[source]
                leaves = leaves.where(operations != ABSENT)
                parts.append(leaves.over(operations, skip[:, column], weights[:, :, column]))
        into.append(Paths.joined(parts) if parts else empty)
    outputs = output_nodes(cell, edges, view, forms)
    ends = [paths.where(outputs[:, node]) for node, paths in enumerate(into) if outputs[:, node].any()]
    return Paths.joined(ends) if ends else empty


def most_paths(view: EdgeView, cell: Cell, edges: list[int]) -> int:
    """Return how many paths a cell has whose edges are all alive and leave the nodes with the most; at least 1."""
    into = [1] * cell.n_inputs + [0] * (cell.n_nodes - cell.n_inputs)
    for edge in (view.edges[e] for e in edges):
        more = max(into[: edge.node]) if edge.source is None else into[edge.source]
        into[edge.node] = min(into[edge.node] + more, MOST_PATHS)
    outputs = range(cell.n_inputs, cell.n_nodes) if cell.outputs is None else cell.outputs
    return max(1, min(sum(into[node] for node in outputs), MOST_PATHS))
