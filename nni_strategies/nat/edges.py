"""An architecture as a graph of edges that carry operations: what NAT transforms.

Nodes are feature maps, edges are operations, as in the paper. A transformation replaces operations and nothing else:
which node an edge leaves, how deep the network is and all other choices stay as they are.

Architectures are handled in batches of integers (:class:`Architectures`), so that thousands are drawn, scored and
compared at once.

Source: Guo et al.: NAT: Neural Architecture Transformer for Accurate and Compact Architectures, NeurIPS 2019,
1910.14488, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidConfiguration
from nni_strategies.space.search_space import Configuration, SearchSpace

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

ABSENT = -1


@dataclass(frozen=True)
class Edge:
    """A place in a cell where an operation is chosen.

    Parameters
    ----------
    label
        The label of the choice in a configuration.
    cell
        The kind of cell it is in; all cells of a kind share their choices.
    node
        The node it enters. A cell's inputs are nodes 0, 1, …
    slot
        Which of the node's edges it is, from 0.
    choices
        The values of the label, as a configuration has them.
    source
        The node it leaves; None where a configuration says.
    source_label
        The label that says so, whose value is a node or a list of one. Without one the edge is of a chain, and leaves
        the node that the last edge in use before it enters: where a layer is missing, the next takes its place.
    """

    label: str
    cell: str
    node: int
    slot: int
    choices: tuple[Any, ...]
    source: int | None = None
    source_label: str | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The operations as text; a choice of a list is named by its place."""
        return tuple(str(choice) for choice in self.choices)


@dataclass(frozen=True)
class Cell:
    """A kind of cell.

    Parameters
    ----------
    name
        As in :attr:`Edge.cell`.
    n_inputs
        Nodes 0 … n_inputs - 1 are outputs of earlier cells.
    n_nodes
        All nodes, inputs included.
    outputs
        Nodes that make up its output; None: all that no edge leaves (NNI's ``loose_end``), read off the sources alone
        as NNI does.
    """

    name: str
    n_inputs: int
    n_nodes: int
    outputs: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Architectures:
    """A batch of `n` architectures of one view.

    Parameters
    ----------
    operations
        Operation of each edge, ``[n, n_edges]``, a place in :attr:`EdgeView.operations`; ``ABSENT`` where the edge
        is not in use.
    sources
        Node that each edge leaves, ``[n, n_edges]``.
    rest
        The configurations they came from, length `n`; all labels but those of operations are taken from them.
    """

    operations: Integers
    sources: Integers
    rest: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.operations)

    def __getitem__(self, rows: Sequence[int] | Integers | Flags | slice) -> Architectures:
        """Return some of them; an array of places may repeat one."""
        places = np.arange(len(self))[rows]
        return Architectures(self.operations[places], self.sources[places], tuple(self.rest[i] for i in places))

    def replaced(self, operations: Integers) -> Architectures:
        """Return the same architectures with other operations ``[n, n_edges]``."""
        return Architectures(operations, self.sources, self.rest)

    def keys(self) -> list[bytes]:
        """Return what is equal exactly for equal operations and sources; other choices are not looked at."""
        both = np.concatenate([self.operations, self.sources], axis=1).astype(np.int16)
        return [row.tobytes() for row in np.ascontiguousarray(both)]


@dataclass(frozen=True)
class EdgeView:
    """A search space seen as edges that carry operations; everything else in it is context.

    Parameters
    ----------
    space
        The whole space.
    edges
        In topological order: by cell, node, slot.
    cells
        The kinds of cells, in order.
    """

    space: SearchSpace
    edges: tuple[Edge, ...]
    cells: tuple[Cell, ...]

    @cached_property
    def operations(self) -> tuple[str, ...]:
        """The names of all operations of all edges, each once, in order of first mention."""
        return tuple(dict.fromkeys(name for edge in self.edges for name in edge.names))

    @cached_property
    def present(self) -> Flags:
        """Which operations an edge can carry, ``[n_edges, n_operations]``."""
        return np.array([[name in edge.names for name in self.operations] for edge in self.edges], dtype=bool)

    @cached_property
    def places(self) -> tuple[dict[str, int], ...]:
        """For each edge: place in its choices by operation."""
        return tuple({name: i for i, name in enumerate(edge.names)} for edge in self.edges)

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.edges)

    def encode(self, configurations: Iterable[Mapping[str, Any]]) -> Architectures:
        """Return configurations, which must be valid, as integers.

        Raises
        ------
        InvalidConfiguration
            A value that an edge cannot carry.
        """
        rows = tuple(configurations)
        operations = np.full((len(rows), self.n_edges), ABSENT, dtype=np.int64)
        sources = np.zeros((len(rows), self.n_edges), dtype=np.int64)
        number = {name: i for i, name in enumerate(self.operations)}
        ends: dict[tuple[str, int], int] = {}  # of each chain of each row, as far as it is known
        for e, edge in enumerate(self.edges):
            for row, configuration in enumerate(rows):
                if edge.label not in configuration:
                    continue
                name = str(configuration[edge.label])
                if name not in self.places[e]:
                    allowed = f"one of {list(edge.names)}"
                    raise InvalidConfiguration(edge.label, configuration[edge.label], allowed, edge.names)
                operations[row, e] = number[name]
                sources[row, e] = _source(edge, configuration, ends.get((edge.cell, row), 0))
                ends[edge.cell, row] = edge.node
        return Architectures(operations, sources, rows)

    def decode(self, architectures: Architectures) -> list[Configuration]:
        """Return the configurations: those the architectures came from, with their operations."""
        decoded = []
        for row, rest in zip(architectures.operations.tolist(), architectures.rest, strict=True):
            changed = {
                edge.label: edge.choices[self.places[e][self.operations[row[e]]]]
                for e, edge in enumerate(self.edges)
                if row[e] != ABSENT
            }
            decoded.append({**rest, **changed})
        return decoded


def _source(edge: Edge, configuration: Mapping[str, Any], end: int) -> int:
    if edge.source_label is None:
        return end if edge.source is None else edge.source
    value = configuration[edge.source_label]
    return int(value[0] if isinstance(value, (list, tuple)) else value)
