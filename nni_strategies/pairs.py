"""Pairs of items as vectors: the strict upper triangle of a matrix, row by row, for every floor.

The order is that of ``numpy.triu_indices(n, 1)`` and of scipy's pdist.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def n_items(n_pairs: int) -> int | None:
    """Return of how many items there are so many pairs, 2 or more; None where there is no such number."""
    if n_pairs < 1:
        return None
    n = (1 + math.isqrt(1 + 8 * n_pairs)) // 2
    return n if n * (n - 1) // 2 == n_pairs else None


def square(vector: npt.NDArray[Any], n: int) -> Array:
    """Return the symmetric matrix with zero diagonal ``[n, n]`` of its upper triangle ``[n (n - 1) / 2]``."""
    out = np.zeros((n, n))
    out[np.triu_indices(n, 1)] = vector
    return np.asarray(out + out.T)


def pairs_among(kept: npt.NDArray[Any], n: int) -> npt.NDArray[np.int64]:
    """Return where the pairs of some items are ``[k (k - 1) / 2]`` among those of all `n`.

    Parameters
    ----------
    kept
        Their numbers ``[k]`` from 0, increasing.
    n
        How many there are in all.
    """
    first, second = np.triu_indices(len(kept), 1)
    i, j = kept[first].astype(np.int64), kept[second].astype(np.int64)
    return np.asarray(i * (2 * n - i - 1) // 2 + j - i - 1)
