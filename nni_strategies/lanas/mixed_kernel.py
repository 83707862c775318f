"""The surrogate's kernel where numbers are searched: Matérn-5/2 on the numbers times the kernel of the choices.

k(x, x') = C(x, x') M(r),  r^2 = sum_j (u_j - u'_j)^2 / l_j^2,  M(r) = (1 + sqrt(5) r + 5 r^2 / 3) exp(-sqrt(5) r)
C(x, x') = [exp(-sum_i g_i d_i(x, x')) + a exp(-gamma |c - c'|^2 / 2)] / (1 + a)   (see :mod:`.kernel`)

u are prior quantiles in [0, 1]. The length scales are l_j = l exp(delta_j): one common scale whose log-normal prior
grows with the dimension as in Hvarfner et al. 2024 [2402.02229], N(sqrt(2) + log(d) / 2, 3), and a deviation for each
number, kept near 0 by N(0, 0.3^2), since a hundred results do not tell ten scales. The weights g, a and gamma have
the priors of :mod:`.kernel`. All distances are between feature columns, so gradients cost two matrix products.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.lanas.features import Features
from nni_strategies.lanas.kernel import (
    DECAY_SPREAD,
    SHARE_SPREAD,
    START_DECAY,
    START_SHARE,
    START_WEIGHT,
    WEIGHT_SPREAD,
)
from nni_strategies.space.parameters import Numerical

Array = npt.NDArray[np.float64]

JITTER = 1e-8
_SQRT12 = math.sqrt(12.0)  # features hold (u - 1/2) sqrt(12)
_DEVIATION = 0.3
_NOISE, _NOISE_SPREAD = math.log(0.01), 1.5
_STARTS = (0.1, 0.2, 0.4, 1.0, 4.0)  # length scales, times the root of how many numbers there are


@dataclass
class Blocks:
    """The columns a covariance is made of: numbers ``[n, n_numbers]`` in [0, 1], choices, histograms."""

    numbers: Array
    choices: Array
    counts: Array


class MixedKernel:
    """See the module.

    ``theta`` is ``[log l, delta_1 … delta_m, log noise, log g_1 … log g_q (, log a, log gamma)]``; `start`, `spread`
    and `bounds` are its Gaussian prior and its box.

    Parameters
    ----------
    features
        Codes -> features; at least one parameter is a number.
    """

    def __init__(self, features: Features) -> None:
        parameters = features.space.parameters
        column_of = features.parameter_of_column
        is_number = np.array([isinstance(p, Numerical) for p in parameters])
        self.number_columns = np.flatnonzero(is_number[column_of])
        self._choice_columns = np.flatnonzero(~is_number[column_of])
        self._count_columns = features.count_columns
        self._scales = features.distance_scales()[self._choice_columns]
        choices = np.flatnonzero(~is_number)
        self._weight_of_column = np.searchsorted(choices, column_of[self._choice_columns])
        m, q = len(self.number_columns), len(choices)
        self._noise, self._g = 1 + m, slice(2 + m, 2 + m + q)
        self._a = 2 + m + q if len(self._count_columns) else None
        start = [math.sqrt(2.0) + 0.5 * math.log(m), *[0.0] * m, _NOISE, *[math.log(START_WEIGHT / max(q, 1))] * q]
        spread = [math.sqrt(3.0), *[_DEVIATION] * m, _NOISE_SPREAD, *[WEIGHT_SPREAD] * q]
        if self._a is not None:
            counted = sum(len(group.labels) for group in features.groups)
            start += [math.log(START_SHARE), math.log(START_DECAY / counted)]
            spread += [SHARE_SPREAD, DECAY_SPREAD]
        self.start, self.spread = np.array(start), np.array(spread)
        self.bounds = [(t - 4.0 * s, t + 4.0 * s) for t, s in zip(start, spread, strict=True)]
        self.bounds[0] = (math.log(0.02), math.log(1e3))
        self.bounds[self._noise] = (math.log(1e-6), math.log(5.0))

    def starts(self) -> list[Array]:
        """Return where to look for the most probable hyper-parameters: the likelihood has a smooth and a rough mode."""
        found = []
        for length in _STARTS:
            for noise in (_NOISE, _NOISE - 2.0 * _NOISE_SPREAD):
                theta = self.start.copy()
                theta[0], theta[self._noise] = math.log(length) + 0.5 * math.log(len(self.number_columns)), noise
                found.append(theta)
        return found

    def blocks(self, x: npt.NDArray[Any]) -> Blocks:
        """Split features ``[n, n_columns]``."""
        x = np.asarray(x, dtype=np.float64)
        numbers = x[:, self.number_columns] / _SQRT12 + 0.5
        return Blocks(numbers, x[:, self._choice_columns] * self._scales, x[:, self._count_columns])

    def noise(self, theta: Array) -> float:
        """Return the noise variance, in units of the signal's."""
        return math.exp(theta[self._noise]) + JITTER

    def inverse_lengths(self, theta: Array) -> Array:
        """Return 1 / l_j, ``[n_numbers]``."""
        return np.asarray(np.exp(-theta[0] - theta[1 : self._noise]))

    def covariance(self, a: Blocks, b: Blocks, theta: Array) -> Array:
        """Return the covariances ``[n_a, n_b]``, without noise."""
        return self.of_choices(a, b, theta) * self._of_numbers(a, b, theta)[0]

    def of_choices(self, a: Blocks, b: Blocks, theta: Array) -> Array:
        """Return C, ``[n_a, n_b]``."""
        return self._choices(a, b, theta)[0]

    def of_one_number_vector(self, u: Array, b: Blocks, theta: Array) -> tuple[Array, Array]:
        """Return M of numbers ``[n_numbers]`` and each of `b`, ``[n_b]``, and its gradient ``[n_b, n_numbers]``."""
        inverse = self.inverse_lengths(theta)
        difference = (u - b.numbers) * inverse
        value, slope = _matern(np.einsum("ij,ij->i", difference, difference))
        return value, 2.0 * slope[:, None] * difference * inverse

    def covariance_gradient(self, a: Blocks, theta: Array) -> tuple[Array, Any]:
        """Return K ``[n, n]`` with noise, and the function ``W -> sum_ij W_ij dK_ij / dtheta`` for symmetric W."""
        c, h, g = self._choices(a, a, theta)
        value, slope = self._of_numbers(a, a, theta)
        k = c * value
        k[np.diag_indices(len(k))] += self.noise(theta)

        def gradient(w: Array) -> Array:
            out = np.zeros_like(theta)
            inverse = self.inverse_lengths(theta)
            per_number = -2.0 * _weighted_distances(w * c * slope, a.numbers) * inverse**2
            out[0], out[1 : self._noise] = per_number.sum(), per_number
            out[self._noise] = float(np.trace(w)) * math.exp(theta[self._noise])
            share = 0.0 if self._a is None else math.exp(theta[self._a])
            weighted = w * value / (1.0 + share)
            if self._weight_of_column.size:
                per_column = -_weighted_distances(weighted * h, a.choices)
                per_choice = np.bincount(self._weight_of_column, per_column, self._g.stop - self._g.start)
                out[self._g] = per_choice * np.exp(theta[self._g])
            if self._a is not None:
                out[self._a] = share * float((weighted * (g - c)).sum())
                gamma = math.exp(theta[self._a + 1])
                out[self._a + 1] = -0.5 * gamma * share * float(_weighted_distances(weighted * g, a.counts).sum())
            return out

        return k, gradient

    def _choices(self, a: Blocks, b: Blocks, theta: Array) -> tuple[Array, Array, Array]:
        if not self._weight_of_column.size:
            ones = np.ones((len(a.numbers), len(b.numbers)))
            return ones, ones, ones
        weights = np.exp(0.5 * theta[self._g])[self._weight_of_column]
        h = np.exp(-_squared_distances(a.choices * weights, b.choices * weights))
        if self._a is None:
            return h, h, h
        share, gamma = math.exp(theta[self._a]), math.exp(theta[self._a + 1])
        g = np.exp(-0.5 * gamma * _squared_distances(a.counts, b.counts))
        return (h + share * g) / (1.0 + share), h, g

    def _of_numbers(self, a: Blocks, b: Blocks, theta: Array) -> tuple[Array, Array]:
        inverse = self.inverse_lengths(theta)
        return _matern(_squared_distances(a.numbers * inverse, b.numbers * inverse))


def _matern(squared: Array) -> tuple[Array, Array]:
    """Return M and dM / d(r^2) at squared scaled distances."""
    r = np.sqrt(5.0 * squared)
    decay = np.exp(-r)
    return (1.0 + r + r * r / 3.0) * decay, (-5.0 / 6.0) * (1.0 + r) * decay


def _squared_distances(a: Array, b: Array) -> Array:
    distance = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b) - 2.0 * (a @ b.T)
    return np.asarray(np.maximum(distance, 0.0))


def _weighted_distances(w: Array, x: Array) -> Array:
    """Return ``sum_ij w_ij (x_ic - x_jc)^2`` for each column c, for symmetric w."""
    result: Array = 2.0 * (w.sum(axis=1) @ (x * x)) - 2.0 * np.einsum("ic,ic->c", x, w @ x)
    return result
