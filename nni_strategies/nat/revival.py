"""Brings a dead cell back to life with as little of its parent as possible.

The path from an input to the output is sought along which giving back the parent's operations costs least, MAdds and
parameters each relative to the most expensive operation at hand. It exists, as the parent is alive.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edges import Architectures, Cell, EdgeView, Flags, Integers
from nni_strategies.nat.liveness import alive_cells, carries, cell_edges, output_nodes
from nni_strategies.nat.operation_classes import OperationClasses

_EACH = 1e-9  # of equally cheap paths the one that reverts fewer edges


def revert_cheapest(
    view: EdgeView, classes: OperationClasses, costs: CostTable, parents: Architectures, operations: Integers
) -> Integers:
    """Return the operations of dead children, each dead cell with one path of its parent's operations.

    Parameters
    ----------
    parents
        `n` architectures that are alive.
    operations
        Of their children, ``[n, n_edges]``.
    """
    prices = _prices(view, classes, costs, parents, operations)
    dead = ~alive_cells(view, classes, parents.replaced(operations))
    repaired = operations.copy()
    for c, (cell, edges) in enumerate(cell_edges(view)):
        rows = np.flatnonzero(dead[:, c])
        outputs = output_nodes(cell, edges, view, parents[rows])
        on_path = _cheapest_path(cell, edges, view, prices[rows], parents.sources[rows], outputs)
        missing = on_path & ~carries(classes, operations[rows])  # what the child still carries may be the parent's null
        repaired[rows] = np.where(missing, parents.operations[rows], repaired[rows])
    return repaired


def _prices(
    view: EdgeView, classes: OperationClasses, costs: CostTable, parents: Architectures, operations: Integers
) -> npt.NDArray[np.float64]:
    """What it costs to have an operation on each edge, ``[n, n_edges]``; infinite where the parent has none."""
    table = costs.of(parents)
    scales = np.maximum(table.max(axis=(0, 1, 2)), 1)
    own = np.take_along_axis(table, np.maximum(parents.operations, 0)[..., None, None], axis=2)[:, :, 0] / scales
    reverted = np.where(carries(classes, parents.operations), own.sum(axis=2) + _EACH, np.inf)
    return np.where(carries(classes, operations), 0.0, reverted)


def _cheapest_path(
    cell: Cell,
    edges: list[int],
    view: EdgeView,
    prices: npt.NDArray[np.float64],
    sources: Integers,
    outputs: Flags,
) -> Flags:
    """Return the edges of one path for each row, ``[n, n_edges]``."""
    rows = np.arange(len(prices))
    distance = np.full((len(prices), cell.n_nodes), np.inf)
    distance[:, : cell.n_inputs] = 0.0
    last = np.full((len(prices), cell.n_nodes), -1, dtype=np.int64)  # the edge by which a node is reached
    for e in edges:
        node = view.edges[e].node
        through = distance[rows, sources[:, e]] + prices[:, e]
        closer = through < distance[:, node]
        distance[closer, node], last[closer, node] = through[closer], e
    on_path = np.zeros(prices.shape, dtype=bool)
    at = np.where(outputs, distance, np.inf).argmin(axis=1)
    for e in reversed(edges):
        here = last[rows, at] == e
        on_path[here, e] = True
        at[here] = sources[here, e]
    return on_path
