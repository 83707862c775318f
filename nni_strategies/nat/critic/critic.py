"""A Gaussian process that guesses what an architecture reaches from those that were evaluated.

The covariance of two architectures is a weighted sum of the four kernels of :mod:`.kernels`. The weights (all 1/4, or
.7 for one and .1 for the others) and the noise (.003, .01, .03 or .1) are those of the highest marginal likelihood on
at most 300 of the points. Architectures are compared in canonical form (:mod:`.canonical`): what reaches no output does
not count. Choices other than operations and sources are not seen.

It learns the target, standardised,

    t(y) = -log(y_max + (q90 - median + 0.001) / 2 - y),

which draws out the differences near the top, where the best has to be told from the good.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, cholesky, solve_triangular

from nni_strategies.nat.critic.canonical import canonical
from nni_strategies.nat.critic.cell_features import CellFeatures
from nni_strategies.nat.critic.kernels import KERNELS, combined
from nni_strategies.nat.edges import Architectures, EdgeView, Integers
from nni_strategies.nat.operation_classes import OperationClasses

Array = npt.NDArray[np.float64]

FIT_POINTS = 300
NOISES = (0.003, 0.01, 0.03, 0.1)
_N = len(KERNELS)
WEIGHTS = np.concatenate([np.full((1, _N), 1.0 / _N), np.full((_N, _N), 0.1) + 0.6 * np.eye(_N)])
_JITTER = 1e-8
_CHUNK = 2048  # architectures whose covariance with the points is held at a time


class Critic:
    """Guesses the target t of architectures.

    Parameters
    ----------
    view, classes
        The edges, and what their operations are.

    Attributes
    ----------
    weights, noise
        Of the kernels (paths, edges, counts, shapes), and the variance added to a point's; after a fit.
    """

    def __init__(self, view: EdgeView, classes: OperationClasses) -> None:
        self._view, self._classes = view, classes
        self._cells = [CellFeatures(view, classes, cell) for cell in view.cells]
        self.weights, self.noise = WEIGHTS[0], NOISES[0]
        self._shift, self._least, self._mean, self._sd = 0.0, 1.0, 0.0, 1.0
        self._points: Integers = np.zeros((0, len(self._cells)), dtype=np.int64)
        self._factor: Array = np.zeros((0, 0))
        self._alpha: Array = np.zeros(0)

    def fit(self, architectures: Architectures, values: Array) -> None:
        """Learn from evaluated architectures.

        Parameters
        ----------
        values
            What they reached, ``[n]``, higher is better, finite; at least one.
        """
        self._set_target(values)
        self._points = self._rows(architectures)
        target, n = self.target(values), len(values)
        chosen = np.arange(n) if n <= FIT_POINTS else np.linspace(0, n - 1, FIT_POINTS).round().astype(np.int64)
        points = self._points[chosen]
        stack = np.stack([combined(kernel, self._cells, points, points) for kernel in KERNELS])
        likelihoods = {
            (w, noise): _log_likelihood(np.tensordot(WEIGHTS[w], stack, 1), noise, target[chosen])
            for w, noise in itertools.product(range(len(WEIGHTS)), NOISES)
        }
        best, self.noise = max(likelihoods, key=lambda key: likelihoods[key])
        self.weights = WEIGHTS[best]
        self._factor = _factor(self._covariance(self._points, self._points), self.noise)
        self._alpha = cho_solve((self._factor, True), target)

    def predict(self, architectures: Architectures) -> tuple[Array, Array]:
        """Return mean and standard deviation of the target of `n` architectures, each ``[n]``."""
        distinct, place = self._distinct(architectures)
        mean, variance = np.zeros(len(distinct)), np.zeros(len(distinct))
        for part in _chunks(len(distinct)):
            covariance = self._covariance(distinct[part], self._points)
            mean[part] = covariance @ self._alpha
            solved = solve_triangular(self._factor, covariance.T, lower=True, check_finite=False)
            variance[part] = 1.0 - np.einsum("ij,ij->j", solved, solved)
        return mean[place], np.sqrt(np.maximum(variance, 0.0))[place]

    def mean(self, architectures: Architectures) -> Array:
        """Return the mean alone, ``[n]``: faster than :meth:`predict` where there are many points."""
        distinct, place = self._distinct(architectures)
        mean = np.zeros(len(distinct))
        for part in _chunks(len(distinct)):
            mean[part] = self._covariance(distinct[part], self._points) @ self._alpha
        return mean[place]

    def draw(self, architectures: Architectures, rng: np.random.Generator) -> Array:
        """Draw the targets of `n` architectures together from the posterior, ``[n]``."""
        mean, joint = self._joint(architectures)
        values, vectors = np.linalg.eigh(joint)
        normal = np.sqrt(np.maximum(values, 0.0)) * rng.normal(size=len(mean))
        return np.asarray(mean + vectors @ normal)

    def lead(self, architectures: Architectures) -> tuple[Array, Array]:
        """Return by how much the targets of `n` are above the first one's, ``[n]``: mean and standard deviation."""
        mean, joint = self._joint(architectures)
        variance = joint.diagonal() + joint[0, 0] - 2.0 * joint[0]
        return mean - mean[0], np.sqrt(np.maximum(variance, 0.0))

    def _joint(self, architectures: Architectures) -> tuple[Array, Array]:
        """Return mean and covariance of the targets of `n` architectures, ``[n]`` and ``[n, n]``."""
        rows = self._rows(architectures)
        covariance = self._covariance(rows, self._points)
        solved = solve_triangular(self._factor, covariance.T, lower=True, check_finite=False)
        return np.asarray(covariance @ self._alpha), np.asarray(self._covariance(rows, rows) - solved.T @ solved)

    def explained(self) -> float:
        """Return the share of the targets' variance that is explained when each point is left out in turn.

        0 of equal values, and without any. Rasmussen and Williams: Gaussian Processes for Machine Learning, 2006,
        equation 5.12.
        """
        if len(self._alpha) < 2:
            return 0.0
        inverse = cho_solve((self._factor, True), np.eye(len(self._alpha)))
        errors = self._alpha / inverse.diagonal()
        targets = self._factor @ (self._factor.T @ self._alpha)
        variance = float(targets.var())
        return 1.0 - float(np.mean(errors**2)) / variance if variance > _JITTER else 0.0

    def target(self, values: Array) -> Array:
        """Return what measured values ``[n]`` are as targets; those above all it learned from count alike."""
        left = np.maximum(self._shift - values, self._least)
        return np.asarray((-np.log(left) - self._mean) / self._sd)

    def value(self, targets: Array) -> Array:
        """Return the values ``[n]`` that targets stand for."""
        return np.asarray(self._shift - np.exp(-(targets * self._sd + self._mean)))

    def _set_target(self, values: Array) -> None:
        self._least = 0.5 * (float(np.quantile(values, 0.9) - np.median(values)) + 1e-3)
        self._shift = float(values.max()) + self._least
        left = self._shift - values
        raw = -np.log(np.where(left > 0, left, self._least))  # of values so large that the least is lost in rounding
        self._mean, self._sd = float(raw.mean()), float(raw.std()) or 1.0

    def _rows(self, architectures: Architectures) -> Integers:
        """Return the row of each cell of each architecture, ``[n, n_cells]``."""
        form = canonical(self._view, self._classes, architectures)
        return np.stack([cell.rows(form) for cell in self._cells], axis=1)

    def _distinct(self, architectures: Architectures) -> tuple[Integers, Integers]:
        """Return distinct rows in order of first mention, ``[m, n_cells]``, and which of them each one is, ``[n]``.

        Not in order of row numbers, which depend on what was asked before: what is computed must not.
        """
        rows = self._rows(architectures)
        names = rows[:, 0]
        for column in rows.T[1:]:
            names = np.unique(names, return_inverse=True)[1] * (column.max(initial=0) + 1) + column
        _, first, place = np.unique(names, return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return rows[first[order]], rank[place]

    def _covariance(self, a: Integers, b: Integers) -> Array:
        total = np.zeros((len(a), len(b)))
        for kernel, weight in zip(KERNELS, self.weights, strict=True):
            total += weight * combined(kernel, self._cells, a, b)
        return total


def _chunks(n: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, n, _CHUNK))


def _factor(covariance: Array, noise: float) -> Array:
    covariance[np.diag_indices(len(covariance))] += noise + _JITTER
    return np.asarray(cholesky(covariance, lower=True, check_finite=False))


def _log_likelihood(covariance: Array, noise: float, target: Array) -> float:
    factor = _factor(covariance, noise)
    white = solve_triangular(factor, target, lower=True, check_finite=False)
    return -0.5 * float(white @ white) - float(np.log(np.diag(factor)).sum())
