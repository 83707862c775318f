"""A Gaussian process on normal scores of the ranks, and its expected improvement.

Hyper-parameters move by a random walk at each re-learn, warm-started, downhill in the penalised negative log
likelihood. The Cholesky factor is kept between re-learns and extended row by row, always in the order the results
came in: a replayed search computes the same numbers as the one it repeats.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.special import ndtr

from nni_strategies.lanas.kernel import Kernel
from nni_strategies.lanas.values import normal_scores

Array = npt.NDArray[np.float64]

_STEP = 0.4
_JITTER = 1e-8


class GaussianProcess:
    """Hyper-parameters, the points learned from, and their factor.

    Parameters
    ----------
    kernel
        Covariance of unit variance.
    max_points
        Most points at a re-learn: half of them the best, the others random.
    fit_points
        Most points in the likelihood of the hyper-parameters, chosen likewise.
    steps
        Random-walk steps at a re-learn.
    """

    def __init__(self, kernel: Kernel, max_points: int, fit_points: int, steps: int) -> None:
        self.kernel = kernel
        self.theta = kernel.start.copy()
        self._max_points = max_points
        self._fit_points = fit_points
        self._steps = steps
        self._base = np.arange(0)
        self._n_base = 0  # results there were when it was last conditioned
        self._factor: _Factor | None = None

    def moved(self, theta: Array, x: npt.NDArray[Any], values: Array, rng: np.random.Generator) -> Array:
        """Return the hyper-parameters to which a random walk comes from `theta`; changes nothing.

        Parameters
        ----------
        x
            Features of all results, ``[n, n_columns]``.
        values
            Their metrics, ``[n]``.
        rng
            Seeded by the state, so that a replay repeats it.
        """
        base = half_best(values, self._max_points, rng)
        chosen = base[np.sort(half_best(values[base], self._fit_points, rng))]
        points, z = x[chosen], normal_scores(values[chosen])
        best = self._loss(theta, points, z)
        for _ in range(self._steps):
            moved = rng.random(len(theta)) < 0.5
            step = theta + np.where(moved, rng.normal(0.0, _STEP, len(theta)), 0.0)
            loss = self._loss(step, points, z)
            if loss < best:
                theta, best = step, loss
        return theta

    def condition(self, theta: Array, values: Array, rng: np.random.Generator) -> None:
        """Take hyper-parameters, and choose the points: those from which a generator of the same seed moved them."""
        self.theta = theta
        self._base = half_best(values, self._max_points, rng)
        self._n_base = len(values)
        self._factor = None

    def _loss(self, theta: Array, x: npt.NDArray[Any], z: Array) -> float:
        """Return the negative log likelihood, signal variance profiled out, plus the Gaussian penalty."""
        n = len(z)
        prepared = self.kernel.prepare(x, theta)
        k = self.kernel.covariance(prepared, prepared, theta)
        k[np.diag_indices(n)] += np.exp(theta[-1]) + _JITTER
        try:
            factor = cholesky(k, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            return np.inf
        white = solve_triangular(factor, z, lower=True, check_finite=False)
        fit = 0.5 * n * np.log(max(float(white @ white) / n, 1e-12)) + float(np.log(np.diag(factor)).sum())
        return float(fit) + 0.5 * float((((theta - self.kernel.start) / self.kernel.spread) ** 2).sum())

    def expected_improvement(
        self, candidates: npt.NDArray[Any], x: npt.NDArray[Any], values: Array, pending: npt.NDArray[Any]
    ) -> Array:
        """Return the expected improvement over the best normal score, ``[n_candidates]``.

        Parameters
        ----------
        candidates
            Features, ``[n_candidates, n_columns]``.
        x, values
            Features ``[n, n_columns]`` and metrics ``[n]`` of all results, in the order they came.
        pending
            Features of trials under way, ``[n_pending, n_columns]``: they shrink the variance only.
        """
        used = np.concatenate([self._base, np.arange(self._n_base, len(values))])
        factor = self._extended(x, used)
        z = normal_scores(values[used])
        white = solve_triangular(factor.lower(), z, lower=True, check_finite=False)
        signal = max(float(white @ white) / len(z), 1e-12)
        n = len(z)
        if len(pending):
            factor = factor.copy()
            for row in pending:
                factor.append(row)
        mean, variance = factor.predict(candidates, white, n)
        sd = np.sqrt(signal * np.maximum(variance, 1e-12))
        gap = mean - float(z.max())
        u = gap / sd
        return np.asarray(gap * ndtr(u) + sd * np.exp(-0.5 * u * u) / np.sqrt(2.0 * np.pi))

    def _extended(self, x: npt.NDArray[Any], used: npt.NDArray[np.intp]) -> _Factor:
        if self._factor is None:
            self._factor = _Factor(self.kernel, self.theta, x[self._base])
        for i in used[self._factor.n :]:
            self._factor.append(x[i])
        return self._factor


class _Factor:
    """A lower Cholesky factor that grows by a row a point."""

    def __init__(self, kernel: Kernel, theta: Array, x: npt.NDArray[Any]) -> None:
        self._kernel, self._theta = kernel, theta
        self._noise = float(np.exp(theta[-1])) + _JITTER
        self.n = len(x)
        self._room = np.zeros((self.n + 64, self.n + 64), order="F")
        self._points = [np.zeros((self.n + 64, *part.shape[1:])) for part in kernel.prepare(x, theta)]
        for store, part in zip(self._points, kernel.prepare(x, theta), strict=True):
            store[: self.n] = part
        if self.n:
            k = kernel.covariance(self._prepared(), self._prepared(), theta)
            k[np.diag_indices(self.n)] += self._noise
            self._room[: self.n, : self.n] = cholesky(k, lower=True, overwrite_a=True, check_finite=False)

    def _prepared(self) -> tuple[Array, ...]:
        return tuple(store[: self.n] for store in self._points)

    def lower(self) -> Array:
        """Return the factor, ``[n, n]``."""
        return self._room[: self.n, : self.n]

    def copy(self) -> _Factor:
        twin = object.__new__(_Factor)
        twin._kernel, twin._theta, twin._noise, twin.n = self._kernel, self._theta, self._noise, self.n
        twin._room, twin._points = self._room.copy(order="F"), [store.copy() for store in self._points]
        return twin

    def append(self, x: npt.NDArray[Any]) -> None:
        """Add one point ``[n_columns]``."""
        n, new = self.n, self._kernel.prepare(x[None, :], self._theta)
        if n == len(self._room):
            self._grow(n + max(64, n // 4))
        if n:
            k = self._kernel.covariance(self._prepared(), new, self._theta)[:, 0]
            row = solve_triangular(self.lower(), k, lower=True, check_finite=False)
            self._room[n, :n] = row
        rest = 1.0 + self._noise - (float(row @ row) if n else 0.0)
        self._room[n, n] = np.sqrt(max(rest, self._noise))
        for store, part in zip(self._points, new, strict=True):
            store[n] = part[0]
        self.n = n + 1

    def _grow(self, size: int) -> None:
        room = np.zeros((size, size), order="F")
        room[: self.n, : self.n] = self._room[: self.n, : self.n]
        self._room = room
        for i, store in enumerate(self._points):
            wider = np.zeros((size, *store.shape[1:]))
            wider[: self.n] = store[: self.n]
            self._points[i] = wider

    def predict(self, x: npt.NDArray[Any], white: Array, n_mean: int) -> tuple[Array, Array]:
        """Return mean and variance (of a unit signal) at points ``[n, n_columns]``.

        The mean uses the first `n_mean` points, whose whitened targets are `white`; the variance uses all.
        """
        k = self._kernel.covariance(self._prepared(), self._kernel.prepare(x, self._theta), self._theta)
        solved = solve_triangular(self.lower(), k, lower=True, overwrite_b=True, check_finite=False)
        return solved[:n_mean].T @ white, 1.0 - np.einsum("ij,ij->j", solved, solved)


def half_best(values: Array, most: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return the indices of at most `most` values, half of them the best, the others random; in rising order."""
    n = len(values)
    if n <= most:
        return np.arange(n)
    order = np.argsort(-values, kind="stable")
    best = order[: most // 2]
    others = rng.choice(order[most // 2 :], size=most - most // 2, replace=False)
    return np.sort(np.concatenate([best, others]))
