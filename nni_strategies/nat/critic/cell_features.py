"""What the kernels compare of a cell: its edges, the operations it has, its live paths and their extremes.

A distinct cell is looked at once and then known by its row.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack

from nni_strategies.nat.critic.paths import Hashes, Paths, live_paths, mixed, most_paths
from nni_strategies.nat.edges import ABSENT, Architectures, Cell, EdgeView, Integers
from nni_strategies.nat.operation_classes import SKIP, OperationClasses

Array = npt.NDArray[np.float64]

CONVOLUTIONS = ("conv", "sep", "dil")
_CHUNK = 4096  # cells looked at together


class CellFeatures:
    """The features of the cells of one kind that were met so far, by row.

    Parameters
    ----------
    view, classes
        The edges, and what their operations are.
    cell
        The kind of cell.

    Attributes
    ----------
    carried
        What each edge carries and whence, one number each, 0 for nothing, ``[n, n_edges]``.
    counts
        How many edges carry each operation, ``[n, n_operations]``.
    shapes
        Whether anything is alive; the number of live paths; most and fewest convolutions on a path; most convolutions
        larger than 1x1 on one; longest and shortest path in edges. Numbers of paths are divided by what such a cell has
        at most, the others by its longest possible path. ``[n, 7]``.
    n_paths
        Number of live paths, ``[n]``.
    """

    def __init__(self, view: EdgeView, classes: OperationClasses, cell: Cell) -> None:
        self._view, self._cell = view, cell
        self._edges = [e for e, edge in enumerate(view.edges) if edge.cell == cell.name]
        convolution = np.isin(classes.families[self._edges], CONVOLUTIONS)
        large = convolution & (classes.kernels[self._edges] > 1)
        self._skip = classes.roles[self._edges] == SKIP
        self._weights = np.stack([convolution, large]).astype(np.int64)
        self._most = most_paths(view, cell, self._edges)
        self._rows: dict[int, int] = {}
        self._columns: dict[int, int] = {}
        self._multisets: list[csr_array] = []
        self.carried: Integers = np.zeros((0, len(self._edges)), dtype=np.int64)
        self.counts: Array = np.zeros((0, len(view.operations)))
        self.shapes: Array = np.zeros((0, 7))
        self.n_paths: Array = np.zeros(0)

    def rows(self, forms: Architectures) -> Integers:
        """Return the rows of the cells of `n` architectures in canonical form, ``[n]``; what is new gets new ones."""
        operations, sources = forms.operations[:, self._edges], forms.sources[:, self._edges]
        carried = np.where(operations == ABSENT, 0, (operations + 1) * self._cell.n_nodes + sources)
        keys = np.zeros(len(carried), dtype=np.uint64)
        for column in carried.T.astype(np.uint64):
            keys = mixed(keys + column)
        distinct, first, place = np.unique(keys, return_index=True, return_inverse=True)
        names = distinct.tolist()
        new = [i for i, name in enumerate(names) if name not in self._rows]
        for start in range(0, len(new), _CHUNK):
            chosen = new[start : start + _CHUNK]
            self._rows.update({names[i]: len(self.n_paths) + j for j, i in enumerate(chosen)})
            self._add(forms[first[chosen]], carried[first[chosen]])
        return np.array([self._rows[name] for name in names], dtype=np.int64)[place]

    def multisets(self, rows: Integers) -> csr_array:
        """Return the paths of cells, ``[n, n_columns]`` of 0 and 1: a column is a sequence met for the k-th time."""
        if len(self._multisets) > 1:
            for part in self._multisets:
                part.resize((part.shape[0], len(self._columns)))
            self._multisets = [vstack(self._multisets, format="csr")]
        return self._multisets[0][rows]

    def _add(self, forms: Architectures, carried: Integers) -> None:
        operations = forms.operations[:, self._edges]
        there, edge = operations != ABSENT, np.arange(len(self._edges))
        skip = there & self._skip[edge, operations]
        paths = live_paths(self._view, self._cell, self._edges, forms, skip, self._weights[:, edge, operations])
        counts = np.zeros((len(forms), self.counts.shape[1]))
        np.add.at(counts, (np.nonzero(there)[0], operations[there]), 1.0)
        self.carried = np.concatenate([self.carried, carried])
        self.counts = np.concatenate([self.counts, counts])
        self.shapes = np.concatenate([self.shapes, self._shapes(paths)])
        self.n_paths = np.concatenate([self.n_paths, paths.there.sum(axis=1).astype(float)])
        self._multisets.append(self._multisets_of(paths))

    def _shapes(self, paths: Paths) -> Array:
        n_paths = paths.there.sum(axis=1)
        longest = self._cell.n_nodes - self._cell.n_inputs
        convolutions, large = paths.weighed
        extremes = [
            _most(paths, convolutions),
            longest - _most(paths, longest - convolutions),
            _most(paths, large),
            _most(paths, paths.lengths),
            longest - _most(paths, longest - paths.lengths),
        ]
        alive = n_paths > 0
        scaled = np.stack(extremes, axis=1) / longest * alive[:, None]
        return np.concatenate([np.stack([alive, n_paths / self._most], axis=1), scaled], axis=1)

    def _multisets_of(self, paths: Paths) -> csr_array:
        rows, _ = np.nonzero(paths.there)
        sequences = paths.sequences[paths.there]
        order = np.lexsort((sequences, rows))
        rows, sequences = rows[order], sequences[order]
        columns = self._numbered(mixed(sequences + _repeats(rows, sequences)))
        shape = (len(paths.there), len(self._columns))
        return csr_array((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)

    def _numbered(self, hashes: Hashes) -> Integers:
        distinct, place = np.unique(hashes, return_inverse=True)
        columns = [self._columns.setdefault(name, len(self._columns)) for name in distinct.tolist()]
        return np.array(columns, dtype=np.int64)[place]


def _most(paths: Paths, numbers: Integers) -> Integers:
    """Return the highest number of a cell's paths, ``[n]``; 0 where it has none."""
    return np.asarray(np.where(paths.there, numbers, 0).max(axis=1, initial=0))


def _repeats(rows: Integers, sequences: Hashes) -> Hashes:
    """Return how often each entry came before in its row; `rows` and, within them, `sequences` are sorted."""
    n = len(rows)
    new = np.ones(n, dtype=bool)
    new[1:] = (rows[1:] != rows[:-1]) | (sequences[1:] != sequences[:-1])
    starts = np.maximum.accumulate(np.where(new, np.arange(n), 0))
    return (np.arange(n) - starts).astype(np.uint64)
