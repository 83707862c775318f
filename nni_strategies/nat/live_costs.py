"""What is left of the costs when dead operations are not counted, as a compiler could cut them out.

Nominal costs, which never rise, count all that is chosen. A null that becomes a skip may lead the output of an
operation that nothing read to where it is read, so that the cost of what is live rises. ``cost_mode="live"`` forbids
that, too: a child whose live costs are above its parent's gives such links back, those first whose loss leaves it the
cheapest.

What is live is told within each cell: that a cell begins to read an earlier one, which nothing read, is not counted.

That ends within the bound: a child without new links has no live edge that its parent has not, and by the strict rule
none of them costs more.

Source: ours; the paper (Guo et al., NeurIPS 2019, 1910.14488) counts nominally.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edges import ABSENT, Architectures, EdgeView, Flags, Integers
from nni_strategies.nat.liveness import alive, carries, live_edges
from nni_strategies.nat.operation_classes import OperationClasses
from nni_strategies.nat.revival import revert_cheapest

CostMode = Literal["nominal", "live"]
COST_MODES: tuple[CostMode, ...] = ("nominal", "live")


def live_costs(
    view: EdgeView, classes: OperationClasses, costs: CostTable, architectures: Architectures
) -> Integers:
    """Return what the live operations of each architecture cost together, ``[n, 2]``: MAdds and parameters.

    Parameters
    ----------
    view, classes, costs
        The edges, and what their operations are, and cost.
    architectures
        `n` of them.
    """
    live = live_edges(view, classes, architectures)
    return costs.chosen(architectures.replaced(np.where(live, architectures.operations, ABSENT)))


def without_costly_links(
    view: EdgeView, classes: OperationClasses, costs: CostTable, parents: Architectures, operations: Integers
) -> Integers:
    """Return the operations of children with as many of their new links as their parents' live costs allow.

    Parameters
    ----------
    parents
        `n` architectures that are alive.
    operations
        Of their children, ``[n, n_edges]``: alive, and of each edge strictly allowed.
    """
    kept = operations.copy()
    bounds = live_costs(view, classes, costs, parents)
    rows = np.arange(len(parents))
    while len(rows := rows[_above(view, classes, costs, parents[rows].replaced(kept[rows]), bounds[rows])]):
        kept[rows] = _one_link_less(view, classes, costs, parents[rows], kept[rows], bounds[rows])
    return kept


def _above(
    view: EdgeView, classes: OperationClasses, costs: CostTable, children: Architectures, bounds: Integers
) -> Flags:
    return np.asarray((live_costs(view, classes, costs, children) > bounds).any(axis=1))


def _one_link_less(
    view: EdgeView,
    classes: OperationClasses,
    costs: CostTable,
    parents: Architectures,
    operations: Integers,
    bounds: Integers,
) -> Integers:
    """Return each child without one new link; without all where any one of them leaves a dead cell."""
    new = carries(classes, operations) & ~carries(classes, parents.operations)
    child, edge = np.nonzero(new)
    tried = operations[child]
    tried[np.arange(len(child)), edge] = parents.operations[child, edge]
    offers = parents[child].replaced(tried)
    left = (live_costs(view, classes, costs, offers) / np.maximum(bounds[child], 1)).sum(axis=1)
    left[~alive(view, classes, offers)] = np.inf
    order = np.lexsort((left, child))
    _, first = np.unique(child[order], return_index=True)  # of each child: all have a new link, else none were above
    best = order[first]
    fewer = tried[best]
    stuck = np.flatnonzero(~np.isfinite(left[best]))
    fewer[stuck] = np.where(new[stuck], parents.operations[stuck], operations[stuck])
    dead = stuck[~alive(view, classes, parents[stuck].replaced(fewer[stuck]))]
    if len(dead):
        fewer[dead] = revert_cheapest(view, classes, costs, parents[dead], fewer[dead])
    return fewer
