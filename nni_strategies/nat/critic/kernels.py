"""How alike two cells are, four ways; each is 1 for a cell and itself.

======  ======================================================================================================
paths   MinMax (multiset Jaccard) of the sequences of operations on live paths: sum min(c, c') / sum max(c, c')
edges   exp(-d / 2), d the number of edges that do not carry the same from the same node
counts  RBF of length 1.5 on the numbers of edges that carry each operation
shapes  RBF of length 0.35 on :attr:`.CellFeatures.shapes`
======  ======================================================================================================

Of architectures with several kinds of cells each is half the mean over the kinds, half the product: what a cell is
worth by itself, and what it is worth beside the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from nni_strategies.nat.critic.cell_features import CellFeatures
from nni_strategies.nat.edges import Integers

Array = npt.NDArray[np.float64]
Kernel = Callable[[CellFeatures, Integers, Integers], Array]

COUNTS_LENGTH, SHAPES_LENGTH = 1.5, 0.35


def paths(cells: CellFeatures, a: Integers, b: Integers) -> Array:
    """Return the MinMax of the multisets of paths of rows `a` and `b`, ``[n_a, n_b]``; 1 for two without any."""
    least = np.asarray((cells.multisets(a) @ cells.multisets(b).T).toarray(), dtype=np.float64)
    most = cells.n_paths[a][:, None] + cells.n_paths[b][None, :] - least
    return np.divide(least, most, out=np.ones_like(least), where=most > 0)


def edges(cells: CellFeatures, a: Integers, b: Integers) -> Array:
    """Return exp(-d / 2), ``[n_a, n_b]``."""
    differing = np.zeros((len(a), len(b)), dtype=np.int16)
    for column in cells.carried.T:
        differing += column[a][:, None] != column[b][None, :]
    return np.asarray(np.exp(-0.5 * np.arange(cells.carried.shape[1] + 1))[differing])


def counts(cells: CellFeatures, a: Integers, b: Integers) -> Array:
    """Return the RBF on counts of operations, ``[n_a, n_b]``."""
    return _rbf(cells.counts[a] / COUNTS_LENGTH, cells.counts[b] / COUNTS_LENGTH)


def shapes(cells: CellFeatures, a: Integers, b: Integers) -> Array:
    """Return the RBF on the extremes of the live paths, ``[n_a, n_b]``."""
    return _rbf(cells.shapes[a] / SHAPES_LENGTH, cells.shapes[b] / SHAPES_LENGTH)


KERNELS: tuple[Kernel, ...] = (paths, edges, counts, shapes)


def combined(kernel: Kernel, cells: Sequence[CellFeatures], a: Integers, b: Integers) -> Array:
    """Return one of them on architectures, ``[n_a, n_b]``.

    Parameters
    ----------
    cells
        The kinds of cells.
    a, b
        The row of each architecture's cell of each kind, ``[n_a, n_cells]`` and ``[n_b, n_cells]``.
    """
    each = [kernel(own, a[:, kind], b[:, kind]) for kind, own in enumerate(cells)]
    if len(each) == 1:
        return each[0]
    together = each[0] * each[1]
    for one in each[2:]:
        together *= one
    return np.asarray(0.5 * sum(each) / len(each) + 0.5 * together)


def _rbf(x: Array, y: Array) -> Array:
    squared = (x * x).sum(axis=1)[:, None] + (y * y).sum(axis=1)[None, :]
    squared -= 2.0 * x @ y.T
    np.maximum(squared, 0.0, out=squared)
    squared *= -0.5
    return np.asarray(np.exp(squared, out=squared))
