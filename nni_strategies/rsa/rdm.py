"""Representational dissimilarity matrices: how differently a layer responds to each pair of stimuli.

RDM[i, j] = 1 - Pearson(X[i, :], X[j, :]) over the units, or 1 - cosine. Kept as the strict upper triangle, row by row
(``numpy.triu_indices(n, 1)``, the order of scipy's pdist and of rsatoolbox), ``[n (n - 1) / 2]``.

A dead row, all of whose units are equal, has no correlation: it counts as unlike everything (dissimilarity 1) and like
another dead row (0), where scipy and rsatoolbox give NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies import pairs
from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.gram import gram
from nni_strategies.rsa.gram_sums import Gram

Array = npt.NDArray[np.float64]

MOST_DEAD = 0.2  # share of dead rows beyond which a layer says nothing
_NO_VARIANCE = 1e-14  # of a row's squared norm: rounding in single precision leaves more


def upper(matrix: npt.NDArray[Any]) -> Array:
    """Return the strict upper triangle of square matrices ``[..., n, n]`` as vectors ``[..., n (n - 1) / 2]``."""
    i, j = np.triu_indices(matrix.shape[-1], 1)
    return np.asarray(matrix[..., i, j], dtype=np.float64)


def square(vector: npt.NDArray[Any]) -> Array:
    """Return the symmetric matrix with zero diagonal ``[n, n]`` of a vector ``[n (n - 1) / 2]``.

    Raises
    ------
    InvalidArgument
        No n has so many pairs.
    """
    return pairs.square(vector, n_stimuli(len(vector)))


def n_stimuli(n_pairs: int) -> int:
    """Return of how many stimuli there are so many pairs.

    Raises
    ------
    InvalidArgument
        Of no number.
    """
    n = pairs.n_items(n_pairs)
    if n is None:
        raise InvalidArgument("RDM", n_pairs, "n (n - 1) / 2 pairs of n stimuli: 1, 3, 6, 10, …")
    return n


def dead_rows(sums: Gram) -> npt.NDArray[np.bool_]:
    """Return which stimuli leave all units equal, ``[n]``."""
    variance = np.diag(sums.products) - sums.sums**2 / sums.n_features
    return np.asarray(variance <= _NO_VARIANCE * np.maximum(sums.energy, np.finfo(np.float64).tiny))


def correlation_rdm(sums: Gram) -> Array:
    """Return 1 - Pearson for each pair, ``[n (n - 1) / 2]``, in [0, 2]."""
    return _dissimilarity(sums.of_centred_rows(), dead_rows(sums))


def cosine_rdm(sums: Gram) -> Array:
    """Return 1 - cosine for each pair, ``[n (n - 1) / 2]``, in [0, 2]."""
    return _dissimilarity(sums.raw(), sums.energy <= 0.0)


def _dissimilarity(products: Array, dead: npt.NDArray[np.bool_]) -> Array:
    scale = np.sqrt(np.where(dead, 1.0, np.diag(products)))
    r = products / scale[:, None] / scale
    r[dead, :] = r[:, dead] = 0.0
    r[np.ix_(dead, dead)] = 1.0
    return 1.0 - np.clip(upper(r), -1.0, 1.0)


def rdm_from_features(features: Any, group: npt.NDArray[Any] | None = None, dtype: str = "float32") -> Array:
    """Return the correlation RDM of activations.

    Parameters
    ----------
    features
        ``[n_stimuli, ...]``, a numpy array or a torch tensor on any device.
    group
        What each stimulus shows ``[n_stimuli]``; activations are averaged over each group first.
    dtype
        Of the matrix products: ``float32`` is 1e-6 from exact, ``float64`` 1e-10.

    Returns
    -------
    numpy.ndarray
        ``[n (n - 1) / 2]`` of the n stimuli, or groups.
    """
    sums = gram(features, dtype)
    return correlation_rdm(sums if group is None else sums.averaged(np.asarray(group)))


def is_informative(rdm: Array, dead: npt.NDArray[np.bool_]) -> bool:
    """Whether an RDM says anything: few dead rows, finite, and not all dissimilarities equal."""
    return bool(dead.mean() <= MOST_DEAD and np.isfinite(rdm).all() and float(np.ptp(rdm)) > 1e-12)
