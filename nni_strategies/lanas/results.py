"""The finished results as growing arrays, in the order they came."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nni_strategies.lanas.features import Features
from nni_strategies.space.parameters import Codes

Array = npt.NDArray[np.float64]

_AT_ONCE = 1024  # rows whose features are made together


class Results:
    """Codes, features and metrics of what finished.

    Parameters
    ----------
    features
        Codes -> features.
    """

    def __init__(self, features: Features) -> None:
        self._features = features
        self.n = 0
        self._n_transformed = 0
        self.since_best = 0
        self.n_corrected = 0
        self._best = -np.inf
        self._codes = np.empty((64, features.space.n_codes))
        self._x = np.empty((64, features.n_columns), dtype=np.float32)
        self._values = np.empty(64)

    @property
    def codes(self) -> Codes:
        """``[n, n_codes]``."""
        return self._codes[: self.n]

    @property
    def x(self) -> npt.NDArray[np.float32]:
        """Features, ``[n, n_columns]``; made when asked for, since many rows at once are faster."""
        for first in range(self._n_transformed, self.n, _AT_ONCE):
            new = slice(first, min(first + _AT_ONCE, self.n))
            self._x[new] = self._features.transform(self._codes[new])
        self._n_transformed = self.n
        return self._x[: self.n]

    @property
    def values(self) -> Array:
        """Metrics, ``[n]``, higher is better."""
        return self._values[: self.n]

    def correct(self, i: int, value: float) -> None:
        """Replace the metric of the i-th result, that of a failed trial whose result came after all."""
        self._values[i] = value
        self.n_corrected += 1
        self._best = float(self.values.max())
        self.since_best = self.n - 1 - int(self.values.argmax())

    def add(self, codes: Codes, value: float) -> None:
        """Append one result; `codes` is ``[1, n_codes]``."""
        if self.n == len(self._values):
            room = self.n + self.n // 2
            self._codes = np.resize(self._codes, (room, self._codes.shape[1]))
            self._x = np.resize(self._x, (room, self._x.shape[1]))
            self._values = np.resize(self._values, room)
        self._codes[self.n] = codes[0]
        self._values[self.n] = value
        self.n += 1
        self.since_best += 1
        if value > self._best:
            self._best, self.since_best = value, 0
