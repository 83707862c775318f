"""What the tree and the surrogate learn instead of the raw metric."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from nni_strategies.ranks import average_ranks

Array = npt.NDArray[np.float64]

_LARGEST = 1e100  # sums of raw metrics stay finite

_FARTHEST = 4.0


def normal_scores(values: Array) -> Array:
    """Return the normal quantiles of the ranks, centred and of unit variance (zeros where all are equal), ``[n]``."""
    z = ndtri((average_ranks(values) + 0.5) / len(values))
    spread = float(z.std())
    return np.zeros(len(values)) if spread < 1e-12 else (z - z.mean()) / spread


def standard_scores(values: Array) -> Array:
    """Return values ``[n]`` centred and of unit variance (zeros where all are equal).

    Far losers, such as networks that diverged, are brought in first: nothing is further below the median than four
    times what the best is above it, or the lower quartile where the best is the median.
    """
    middle, best = float(np.median(values)), float(values.max())
    reach = max(best - middle, middle - float(np.quantile(values, 0.25)))
    z = np.maximum(values, middle - _FARTHEST * reach) if reach > 0 else values
    z = z - z.mean()
    largest = float(np.abs(z).max())
    if largest <= 1e-12 * float(np.abs(values).max()):
        return np.zeros(len(values))
    z /= largest  # squares of metrics up to 1e300 stay finite
    return np.asarray(z / z.std())


class ValueTransform:
    """A monotone map of metrics, learned from the results of a re-learn.

    ``rank``: (rank + 0.5) / n, ties averaged, which lies in (0, 1); a later value gets its quantile among the learned
    ones. ``minmax``: the range of the learned ones to [0, 1], later values clipped. ``none``: unchanged.

    Parameters
    ----------
    kind
        ``rank``, ``minmax`` or ``none``.
    values
        The metrics learned from, ``[n]``, higher is better.
    """

    def __init__(self, kind: str, values: Array) -> None:
        self._kind = kind
        self._sorted = np.sort(values)

    def __call__(self, values: Array) -> Array:
        """Return transformed values of the same shape."""
        n = len(self._sorted)
        if self._kind == "none" or n == 0:
            return np.clip(values, -_LARGEST, _LARGEST) if self._kind == "none" else np.full(np.shape(values), 0.5)
        if self._kind == "minmax":
            low, high = self._sorted[0], self._sorted[-1]
            return np.full(np.shape(values), 0.5) if low == high else np.clip((values - low) / (high - low), 0.0, 1.0)
        # For a learned value this is (rank + 0.5) / n exactly: half of its equals count as below it.
        below = np.searchsorted(self._sorted, values, side="left")
        upto = np.searchsorted(self._sorted, values, side="right")
        return np.clip((below + upto) / (2.0 * n), 0.5 / n, 1.0 - 0.5 / n)

    @property
    def lowest(self) -> float:
        """The transformed value of the worst result."""
        return float(self(self._sorted[:1])[0]) if len(self._sorted) else 0.0
