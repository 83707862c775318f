"""The surrogate's kernel on choices: Hamming distance plus distance of histograms.

k(x, x') = [exp(-sum_i g_i d_i(x, x')) + a exp(-gamma |c - c'|^2 / 2)] / (1 + a)

d_i is 0 or 1 for a choice (the Hamming distance), the share of swapped elements for a subset and a squared distance
for a number; c counts how often each value of a group is used. All are squared distances of features, so a kernel
matrix costs two matrix products. Without groups a = 0: the plain Hamming kernel.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nni_strategies.lanas.features import Features

Array = npt.NDArray[np.float64]

# Where fits start, and the standard deviations of the Gaussian priors around there, in log space.
START_WEIGHT, WEIGHT_SPREAD = 4.0, 1.5  # sum of the g_i
START_SHARE, SHARE_SPREAD = 0.3, 2.0  # a
START_DECAY, DECAY_SPREAD = 1.8, 1.0  # gamma times the number of counted choices: counts of more lie further apart
_START_NOISE, _NOISE_SPREAD = 0.05, 1.5


class Kernel(Protocol):
    """A covariance with unit variance and hyper-parameters in log space, the last of them the noise."""

    start: Array
    spread: Array

    def prepare(self, x: npt.NDArray[Any], theta: Array) -> tuple[Array, ...]:
        """Return what is needed of points ``[n, n_columns]`` to compute their covariances."""

    def covariance(self, a: tuple[Array, ...], b: tuple[Array, ...], theta: Array) -> Array:
        """Return the covariances ``[n_a, n_b]`` of prepared points, without noise."""


class HammingHistogramKernel:
    """See the module.

    ``theta`` is ``[log g_1 … log g_d, (log a, log gamma,) log noise]``; `start` is where its fit starts and `spread`
    the standard deviation of its Gaussian prior around there.
    """

    def __init__(self, features: Features) -> None:
        self._n_encoded, self._count_columns = features.n_encoded, features.count_columns
        self._scales = features.distance_scales()
        self._parameter = features.parameter_of_column
        self._n_parameters = d = len(features.space.parameters)
        self.has_histogram = len(self._count_columns) > 0
        weights = np.full(d, np.log(START_WEIGHT / d))
        counted = sum(len(group.labels) for group in features.groups)
        histogram = np.log([START_SHARE, START_DECAY / counted]) if self.has_histogram else np.zeros(0)
        self.start = np.concatenate([weights, histogram, [np.log(_START_NOISE)]])
        spreads = [SHARE_SPREAD, DECAY_SPREAD] if self.has_histogram else []
        self.spread = np.concatenate([np.full(d, WEIGHT_SPREAD), spreads, [_NOISE_SPREAD]])

    def prepare(self, x: npt.NDArray[Any], theta: Array) -> tuple[Array, ...]:
        weights = np.exp(0.5 * theta[: self._n_parameters])
        encoded = x[:, : self._n_encoded] * (self._scales * weights[self._parameter])
        parts = [encoded, np.einsum("ij,ij->i", encoded, encoded)]
        if self.has_histogram:
            counts = x[:, self._count_columns] * np.exp(0.5 * theta[self._n_parameters + 1] - 0.5 * np.log(2.0))
            parts += [counts, np.einsum("ij,ij->i", counts, counts)]
        return tuple(parts)

    def covariance(self, a: tuple[Array, ...], b: tuple[Array, ...], theta: Array) -> Array:
        k = _squared_exponential(a[0], a[1], b[0], b[1])
        if not self.has_histogram:
            return k
        share = float(np.exp(theta[self._n_parameters]))
        k += share * _squared_exponential(a[2], a[3], b[2], b[3])
        k /= 1.0 + share
        return k


def _squared_exponential(a: Array, a_squares: Array, b: Array, b_squares: Array) -> Array:
    distance: Array = a @ b.T
    distance *= 2.0
    distance -= a_squares[:, None]
    distance -= b_squares[None, :]
    np.minimum(distance, 0.0, out=distance)
    return np.exp(distance, out=distance)
