"""The surrogate where numbers are searched: a Gaussian process on standardised metrics, and its log improvement.

Unlike the surrogate of purely discrete spaces it learns the metric itself and not its ranks: how much better a point
is tells a smooth function's slope. Hyper-parameters are the most probable ones given the results, found by L-BFGS from
the best of a few starts: a function of the results alone, so nothing is remembered and a replayed search repeats it.
The signal's variance and the constant mean are profiled out. Log expected improvement follows Ament et al. 2023
[2310.20708]: it has a gradient where expected improvement itself is 0 to machine precision.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import erfcx, ndtr

from nni_strategies.lanas.mixed_kernel import MixedKernel
from nni_strategies.lanas.values import standard_scores

Array = npt.NDArray[np.float64]

_FIT_STEPS = 30
_LEAST_VARIANCE = 1e-10
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


def fit(kernel: MixedKernel, x: npt.NDArray[Any], values: Array) -> Array:
    """Return the most probable hyper-parameters.

    Parameters
    ----------
    x
        Features, ``[n, n_columns]``.
    values
        Metrics, ``[n]``, higher is better.
    """
    blocks, z = kernel.blocks(x), standard_scores(values)
    solution = minimize(
        lambda theta: loss(kernel, blocks, z, theta),
        min(kernel.starts(), key=lambda theta: loss(kernel, blocks, z, theta)[0]),
        jac=True,
        method="L-BFGS-B",
        bounds=kernel.bounds,
        options={"maxiter": _FIT_STEPS},
    )
    return np.asarray(solution.x)


def loss(kernel: MixedKernel, blocks: Any, z: Array, theta: Array) -> tuple[float, Array]:
    """Return the negative log posterior of the hyper-parameters, up to a constant, and its gradient."""
    n = len(z)
    k, gradient = kernel.covariance_gradient(blocks, theta)
    try:
        factor = cholesky(k, lower=True, check_finite=False)
    except LinAlgError:
        return 1e10, np.zeros_like(theta)
    inverse = cho_solve((factor, True), np.eye(n), check_finite=False)
    ones = inverse.sum(axis=1)
    centred = z - float(ones @ z) / float(ones.sum())
    alpha = inverse @ centred
    signal = max(float(centred @ alpha) / n, 1e-12)
    off = (theta - kernel.start) / kernel.spread
    value = 0.5 * n * math.log(signal) + float(np.log(np.diag(factor)).sum()) + 0.5 * float(off @ off)
    slope = gradient(0.5 * (inverse - np.outer(alpha, alpha) / signal))
    return value, slope + off / kernel.spread


class Posterior:
    """The Gaussian process given the results; trials under way shrink its variance only.

    Parameters
    ----------
    kernel, theta
        The prior's covariance.
    x, values
        Features ``[n, n_columns]`` and metrics ``[n]`` of the results.
    pending
        Features of trials under way, ``[n_pending, n_columns]``.
    """

    def __init__(
        self,
        kernel: MixedKernel,
        theta: Array,
        x: npt.NDArray[Any],
        values: Array,
        pending: npt.NDArray[Any] | None = None,
    ) -> None:
        self._kernel, self._theta = kernel, theta
        rows = x if pending is None else np.vstack([x, pending])
        self._points, n = kernel.blocks(rows), len(x)
        k = kernel.covariance(self._points, self._points, theta)
        k[np.diag_indices(len(k))] += kernel.noise(theta)
        self._factor = cholesky(k, lower=True, overwrite_a=True, check_finite=False)
        z, leading = standard_scores(values), self._factor[:n, :n]
        alpha = cho_solve((leading, True), np.column_stack([z, np.ones(n)]), check_finite=False)
        self._mean = float(alpha[:, 0].sum() / alpha[:, 1].sum())
        self._alpha = np.zeros(len(rows))
        self._alpha[:n] = alpha[:, 0] - self._mean * alpha[:, 1]
        self._signal = max(float((z - self._mean) @ self._alpha[:n]) / n, 1e-12)
        self.best = float(z.max())

    @property
    def lengths(self) -> Array:
        """The length scales of the numbers, ``[n_numbers]``."""
        return 1.0 / self._kernel.inverse_lengths(self._theta)

    def predict(self, x: npt.NDArray[Any]) -> tuple[Array, Array]:
        """Return mean and standard deviation of the standardised metric at features ``[n, n_columns]``."""
        k = self._kernel.covariance(self._points, self._kernel.blocks(x), self._theta)
        white = solve_triangular(self._factor, k, lower=True, check_finite=False)
        variance = 1.0 - np.einsum("ij,ij->j", white, white)
        return self._mean + self._alpha @ k, np.sqrt(self._signal * np.maximum(variance, _LEAST_VARIANCE))

    def log_expected_improvement(self, x: npt.NDArray[Any]) -> Array:
        """Return the log of the expected improvement over the best result, ``[n]``."""
        mean, sd = self.predict(x)
        return np.asarray(np.log(sd) + log_h((mean - self.best) / sd)[0])

    def climb(self, x: npt.NDArray[Any], low: Array, high: Array, steps: int = 20) -> Array:
        """Return the numbers ``[n_numbers]`` in a box to which L-BFGS takes one point's, its choices kept.

        Parameters
        ----------
        x
            Features of the start, ``[n_columns]``.
        low, high
            The box in quantiles, ``[n_numbers]``.
        """
        start = self._kernel.blocks(x[None, :])
        choices = self._kernel.of_choices(start, self._points, self._theta)[0]

        def downhill(u: Array) -> tuple[float, Array]:
            value, slope = self._kernel.of_one_number_vector(u, self._points, self._theta)
            k, dk = choices * value, choices[:, None] * slope
            solved = cho_solve((self._factor, True), k, check_finite=False)
            sd = math.sqrt(self._signal * max(1.0 - float(k @ solved), _LEAST_VARIANCE))
            mean_slope, sd_slope = self._alpha @ dk, -self._signal * (solved @ dk) / sd
            t = (self._mean + float(self._alpha @ k) - self.best) / sd
            log_value, ratio = log_h(np.array(t))
            gain = float(ratio) * (mean_slope - t * sd_slope) / sd + sd_slope / sd
            return -(math.log(sd) + float(log_value)), -gain

        bounds = list(zip(low, high, strict=True))
        begin = np.clip(start.numbers[0], low, high)
        end = minimize(downhill, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps})
        return np.asarray(np.clip(end.x, low, high))


def log_h(t: Array) -> tuple[Array, Array]:
    """Return log h and h' / h of ``h(t) = phi(t) + t Phi(t)``, the expected improvement in units of sd, any shape."""
    t = np.asarray(t, dtype=np.float64)
    above = np.maximum(t, -1.0)
    density = np.exp(-0.5 * above * above - _LOG_SQRT_2PI)
    h = density + above * ndtr(above)
    # Below -1: phi and t Phi cancel, so phi is taken out; beyond -1e4 what is left is 1 / t^2.
    below = np.clip(-t, 1.0, 1e4)
    mills = math.sqrt(math.pi / 2.0) * erfcx(below / math.sqrt(2.0))
    rest = np.maximum(1.0 - below * mills, 1e-300)
    far = 2.0 * np.log(np.maximum(-t, 1e4) / 1e4)
    log_below = -0.5 * t * t - _LOG_SQRT_2PI + np.log(rest) - far
    ratio_below = np.where(t < -1e4, -t, mills / rest)
    return np.where(t > -1.0, np.log(h), log_below), np.where(t > -1.0, ndtr(above) / h, ratio_below)
