"""What operations cost, by edge, node that the edge leaves, and operation; of an architecture it is their sum.

A cost is (MAdds, parameters). It is *nominal*: all chosen modules count, as PyTorch runs them, even where their output
reaches nothing. Everything but the operations is the *base*, which a transformation does not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import ABSENT, Architectures, EdgeView, Integers

N_COSTS = 2  # MAdds, parameters


class CostTable:
    """Costs of operations that do not depend on each other.

    Parameters
    ----------
    view
        The edges.
    edge_costs
        ``[n_edges, n_nodes, n_operations, 2]``: MAdds and parameters of an edge that leaves a node and carries an
        operation, summed over all cells of the kind. `n_nodes` is that of the largest cell.
    """

    def __init__(self, view: EdgeView, edge_costs: Integers) -> None:
        self.view = view
        self._edge_costs = edge_costs

    @property
    def edge_costs(self) -> Integers:
        """See above."""
        return self._edge_costs

    @classmethod
    def by_operation(cls, view: EdgeView, costs: Mapping[str, tuple[int, int]]) -> CostTable:
        """Return the table of a space where an operation costs the same on every edge, as in NAS-Bench-201.

        Parameters
        ----------
        costs
            (MAdds, parameters) by operation, summed over all cells; what is not mentioned is free.

        Raises
        ------
        InvalidArgument
            An operation that no edge can carry.
        """
        for name in costs:
            if name not in view.operations:
                raise InvalidArgument("costs", name, f"operations {list(view.operations)}", view.operations)
        each = np.array([costs.get(name, (0, 0)) for name in view.operations], dtype=np.int64)
        n_nodes = max(cell.n_nodes for cell in view.cells)
        table = np.broadcast_to(each, (view.n_edges, n_nodes, *each.shape)) * view.present[:, None, :, None]
        return cls(view, table)

    def tables(self, architectures: Architectures) -> list[tuple[Integers, Any]]:
        """Return the tables that hold, each with the places ``[m]`` of the architectures it holds for."""
        return [(self.edge_costs, slice(None))]

    def of(self, architectures: Architectures) -> Integers:
        """Return what each edge would cost with each operation, ``[n, n_edges, n_operations, 2]``."""
        edges = np.arange(self.view.n_edges)
        costs = np.empty((len(architectures), self.view.n_edges, len(self.view.operations), N_COSTS), dtype=np.int64)
        for table, rows in self.tables(architectures):
            costs[rows] = table[edges, architectures.sources[rows]]
        return costs

    def chosen(self, architectures: Architectures) -> Integers:
        """Return what the operations of each architecture cost together, ``[n, 2]``."""
        costs = np.empty((len(architectures), N_COSTS), dtype=np.int64)
        for table, rows in self.tables(architectures):
            costs[rows] = summed(table, architectures.operations[rows], architectures.sources[rows])
        return costs

    def bases(self, architectures: Architectures) -> Integers:
        """Return what everything but the operations costs, ``[n, 2]``; zero where it is not known."""
        return np.zeros((len(architectures), N_COSTS), dtype=np.int64)

    def base(self, configuration: Mapping[str, Any]) -> Integers:
        """Return :meth:`bases` of one configuration, ``[2]``."""
        return np.asarray(self.bases(self.view.encode([configuration]))[0])

    def refuse_uneven(self, architectures: Architectures | None = None) -> None:
        """Refuse architectures whose costs are not the sum of what their operations cost, where that can be measured.

        Parameters
        ----------
        architectures
            None for some that are drawn.

        Raises
        ------
        InvalidArgument
            It names the first, with both costs.
        """

    def total(self, architectures: Architectures) -> Integers:
        """Return what each architecture costs, ``[n, 2]``."""
        return self.chosen(architectures) + self.bases(architectures)


def summed(table: Integers, operations: Integers, sources: Integers) -> Integers:
    """Return what operations that leave sources, both ``[n, n_edges]``, cost together, ``[n, 2]``."""
    costs = table[np.arange(len(table)), sources, np.maximum(operations, 0)]
    total: Integers = (costs * (operations != ABSENT)[..., None]).sum(axis=1)
    return total
