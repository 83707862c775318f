"""Which edges of an architecture carry anything from a cell's inputs to its output.

An edge is *live* when it lies on a path of operations other than null from an input of its cell to the cell's output.
A cell is *dead* when no path is left: it puts out zeros, and what comes before it cannot be learned. A kind of cell
that is not in use counts as alive.

Which nodes make up the output is read off the sources where the cell does not say (NNI's ``loose_end``). As in NNI an
edge that carries null still uses its source, so a node that feeds nulls only is no output.
"""

from __future__ import annotations

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import ABSENT, Architectures, Cell, EdgeView, Flags, Integers
from nni_strategies.nat.operation_classes import NULL, OperationClasses


def live_edges(view: EdgeView, classes: OperationClasses, architectures: Architectures) -> Flags:
    """Return which edges lie on a path of operations from an input of their cell to its output, ``[n, n_edges]``.

    Parameters
    ----------
    view, classes
        The edges, and what their operations are.
    architectures
        `n` of them.
    """
    carrying = carries(classes, architectures.operations)
    live = np.zeros_like(carrying)
    rows = np.arange(len(architectures))
    for cell, edges in cell_edges(view):
        reached = _reached(cell, edges, view, carrying, architectures.sources)
        useful = output_nodes(cell, edges, view, architectures)
        for e in reversed(edges):
            source, node = architectures.sources[:, e], view.edges[e].node
            live[:, e] = carrying[:, e] & reached[rows, source] & useful[:, node]
            useful[rows, source] |= live[:, e]
    return live


def alive(view: EdgeView, classes: OperationClasses, architectures: Architectures) -> Flags:
    """Return which architectures have no dead cell, ``[n]``."""
    return np.asarray(alive_cells(view, classes, architectures).all(axis=1))


def alive_cells(view: EdgeView, classes: OperationClasses, architectures: Architectures) -> Flags:
    """Return which kinds of cells an input reaches the output of, ``[n, n_cells]``; those not in use among them.

    Parameters
    ----------
    view, classes
        The edges, and what their operations are.
    architectures
        `n` of them.
    """
    carrying = carries(classes, architectures.operations)
    columns = []
    for cell, edges in cell_edges(view):
        reached = _reached(cell, edges, view, carrying, architectures.sources)
        outputs = output_nodes(cell, edges, view, architectures)
        unused = (architectures.operations[:, edges] == ABSENT).all(axis=1)
        columns.append((reached & outputs).any(axis=1) | unused)
    return np.stack(columns, axis=1)


def refuse_dead(view: EdgeView, classes: OperationClasses, architectures: Architectures) -> None:
    """Refuse architectures with a dead cell.

    Parameters
    ----------
    view, classes
        The edges, and what their operations are.
    architectures
        `n` of them.

    Raises
    ------
    InvalidArgument
        It names the first dead cell.
    """
    living = alive_cells(view, classes, architectures)
    if not living.all():
        row, c = np.argwhere(~living)[0]
        cell = view.cells[c]
        chosen = {
            edge.label: view.operations[architectures.operations[row, e]]
            for e, edge in enumerate(view.edges)
            if edge.cell == cell.name and architectures.operations[row, e] != ABSENT
        }
        allowed = "a path of operations from an input to the output: the cell is dead"
        raise InvalidArgument(f"cell {cell.name}", chosen, allowed)


def carries(classes: OperationClasses, operations: Integers) -> Flags:
    """Return which edges carry an operation other than null, ``[n, n_edges]``."""
    roles = classes.roles[np.arange(operations.shape[1]), operations]
    return np.asarray((operations != ABSENT) & (roles != NULL))


def cell_edges(view: EdgeView) -> list[tuple[Cell, list[int]]]:
    """Return each kind of cell with the places of its edges, in topological order."""
    return [(cell, [e for e, edge in enumerate(view.edges) if edge.cell == cell.name]) for cell in view.cells]


def output_nodes(cell: Cell, edges: list[int], view: EdgeView, architectures: Architectures) -> Flags:
    """Return the nodes that make up a cell's output, ``[n, cell.n_nodes]``."""
    outputs = np.zeros((len(architectures), cell.n_nodes), dtype=bool)
    if cell.outputs is not None:
        outputs[:, list(cell.outputs)] = True
        return outputs
    outputs[:, cell.n_inputs :] = True
    rows = np.arange(len(architectures))
    for e in edges:
        outputs[rows, architectures.sources[:, e]] &= architectures.operations[:, e] == ABSENT
    return outputs


def _reached(cell: Cell, edges: list[int], view: EdgeView, carrying: Flags, sources: Integers) -> Flags:
    """Return the nodes that an input reaches, ``[n, cell.n_nodes]``."""
    reached = np.zeros((len(carrying), cell.n_nodes), dtype=bool)
    reached[:, : cell.n_inputs] = True
    rows = np.arange(len(carrying))
    for e in edges:
        reached[:, view.edges[e].node] |= carrying[:, e] & reached[rows, sources[:, e]]
    return reached
