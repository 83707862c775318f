"""What is summed over features, and the Gram matrices that follow from it: see :mod:`.gram` for the formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

CHUNK = 8192  # features at a time


@dataclass(frozen=True)
class Gram:
    """Sums over the features of n stimuli.

    Parameters
    ----------
    products
        Y Y', ``[n, n]``; its diagonal is exact.
    sums
        r, ``[n]``.
    offset
        s, ``[n]``.
    n_features
        d.
    """

    products: Array
    sums: Array
    offset: Array
    n_features: int

    def raw(self) -> Array:
        """Return X X', ``[n, n]``."""
        cross = np.outer(self.offset, self.sums)
        return self.products + cross + cross.T + self.n_features * np.outer(self.offset, self.offset)

    def of_centred_rows(self) -> Array:
        """Return the Gram matrix of the rows less their means, ``[n, n]``: covariances times the number of features."""
        return self.products - np.outer(self.sums, self.sums) / self.n_features

    def of_centred_columns(self) -> Array:
        """Return the Gram matrix of the columns less their means, ``[n, n]``: H X X' H, for linear CKA."""
        y = self.products - self.products.mean(axis=0)
        y = y - y.mean(axis=1)[:, None]
        s, r = self.offset - self.offset.mean(), self.sums - self.sums.mean()
        cross = np.outer(s, r)
        return np.asarray(y + cross + cross.T + self.n_features * np.outer(s, s))

    def averaged(self, group: npt.NDArray[Any]) -> Gram:
        """Return the Gram matrix of the mean activations of each group, in the order of their first stimuli.

        Parameters
        ----------
        group
            What each stimulus shows, ``[n]``.
        """
        _, first, member = np.unique(group, return_index=True, return_inverse=True)
        place = np.argsort(np.argsort(first))[member.reshape(-1)]
        mean = np.zeros((len(first), len(self.sums)))
        mean[place, np.arange(len(place))] = 1.0
        mean /= mean.sum(axis=1, keepdims=True)
        return Gram(mean @ self.products @ mean.T, mean @ self.sums, mean @ self.offset, self.n_features)

    @property
    def energy(self) -> Array:
        """Squared norms of the rows as they are, ``[n]``: what a variance has to be compared with."""
        diagonal = np.diag(self.products) + 2.0 * self.offset * self.sums
        return np.asarray(diagonal + self.n_features * self.offset**2)
