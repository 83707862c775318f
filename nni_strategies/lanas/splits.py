"""Splits: the boundary between the good and the bad half of a node.

Ridge (LaNAS): v ~ w.x + b on centred features, threshold = mean prediction over the node's results, so a point is
good when w.(x - mean(x)) >= 0. The closed form replaces the official code's gradient descent, whose step of 1e-5
leaves the weights near their start. SVM (LA-MCTS): the boundary of two clusters of (features, value).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nni_strategies.lanas.config import LaNASConfig

Array = npt.NDArray[np.float64]

_CHUNK = 2048  # rows that are in double precision at a time
_FEW = 100  # rows for which libsvm is as fast
_SVM_POINTS = 1000  # a classifier of n points takes n^2 time: it is learned from a sample of more


class Split(Protocol):
    """A boundary in feature space."""

    def margin(self, x: npt.NDArray[Any]) -> Array:
        """Return how far on the good side each row of ``[n, n_columns]`` is; >= 0 is good."""

    def top_weights(self, names: list[str], count: int) -> list[tuple[str, float]]:
        """Return the most telling features, empty where the boundary has no weights."""


class LinearSplit:
    """Good where ``w.x >= threshold``.

    Parameters
    ----------
    weights
        w, ``[n_columns]``.
    threshold
        Mean prediction without the intercept, which cancels.
    """

    # Points on the boundary (common in discrete spaces) go to the good side whatever the order of summation was.
    slack = 1e-7

    def __init__(self, weights: Array, threshold: float) -> None:
        self.weights = weights
        self.threshold = threshold

    def margin(self, x: npt.NDArray[Any]) -> Array:
        return _product(x, self.weights) - (self.threshold - self.slack)

    def top_weights(self, names: list[str], count: int) -> list[tuple[str, float]]:
        order = np.argsort(-np.abs(self.weights), kind="stable")[:count]
        return [(names[i], float(self.weights[i])) for i in order if self.weights[i] != 0.0]


class SvmSplit:
    """Good where the classifier says so; `sign` turns it round when its good side has the lower mean."""

    def __init__(self, classifier: Any, sign: float) -> None:
        self._classifier = classifier
        self._sign = sign

    def margin(self, x: npt.NDArray[Any]) -> Array:
        x = np.asarray(x, dtype=np.float64)
        if len(x) <= _FEW:
            return np.asarray(self._sign * self._classifier.decision_function(x))
        return self._sign * _decisions(self._classifier, x)

    def top_weights(self, names: list[str], count: int) -> list[tuple[str, float]]:
        return []


def ridge_weights(x: npt.NDArray[Any], v: Array, penalty: float) -> Array:
    """Return w ``[n_columns]`` minimising ``|v - mean - (x - mean(x)) w|^2 + penalty |w|^2``.

    The Gram matrix is that of the columns where there are fewer columns than rows, else that of the rows.

    Parameters
    ----------
    x
        Features, ``[n, n_columns]``.
    v
        Targets, ``[n]``.
    """
    mean, target = x.mean(axis=0, dtype=np.float64), v - v.mean()
    n, d = x.shape
    weights: Array
    if n < d:
        centred: Array = np.subtract(x, mean, dtype=np.float64)
        weights = centred.T @ np.linalg.solve(centred @ centred.T + penalty * np.eye(n), target)
        return weights
    gram: npt.NDArray[Any] = penalty * np.eye(d)
    moments: npt.NDArray[Any] = np.zeros(d)
    for first in range(0, n, _CHUNK):
        centred = np.subtract(x[first : first + _CHUNK], mean, dtype=np.float64)
        gram += centred.T @ centred
        moments += centred.T @ target[first : first + _CHUNK]
    weights = np.linalg.solve(gram, moments)
    return weights


def _product(x: npt.NDArray[Any], weights: Array) -> Array:
    if len(x) <= _CHUNK:
        return np.asarray(x @ weights, dtype=np.float64)
    return np.concatenate([x[first : first + _CHUNK] @ weights for first in range(0, len(x), _CHUNK)])


def fit_split(x: npt.NDArray[Any], v: Array, config: LaNASConfig) -> Split | None:
    """Learn the boundary of a node, or None where there is none to learn.

    Parameters
    ----------
    x
        Features of the node's results, ``[n, n_columns]``.
    v
        Their transformed values, ``[n]``.
    """
    if float(np.ptp(v)) == 0.0 or not np.ptp(x, axis=0).any():
        return None
    if config.split == "ridge":
        weights = ridge_weights(x, v, config.ridge_lambda)
        if not np.isfinite(weights).all() or float(np.abs(weights).max()) < 1e-12:
            return None
        return LinearSplit(weights, float(x.mean(axis=0, dtype=np.float64) @ weights))
    return _svm_split(x, v, config)


def _decisions(classifier: Any, x: Array) -> Array:
    """Return ``classifier.decision_function(x)`` by matrix products, which libsvm does row by row."""
    from sklearn.metrics.pairwise import pairwise_kernels

    kernel = {"metric": classifier.kernel, "gamma": classifier._gamma, "coef0": classifier.coef0}
    parts = [
        pairwise_kernels(
            x[i : i + _CHUNK], classifier.support_vectors_, filter_params=True, degree=classifier.degree, **kernel
        )
        @ classifier.dual_coef_[0]
        for i in range(0, len(x), _CHUNK)
    ]
    return np.asarray(np.concatenate(parts) + classifier.intercept_[0])


def load_scikit_learn() -> None:
    """Import what the SVM splits need: it takes a second, which no proposal is to wait for."""
    import sklearn.cluster
    import sklearn.metrics.pairwise
    import sklearn.svm  # noqa: F401


def _svm_split(x: npt.NDArray[Any], v: Array, config: LaNASConfig) -> Split | None:
    from sklearn.svm import SVC  # see load_scikit_learn

    if len(v) > _SVM_POINTS:
        sample = np.sort(np.random.default_rng(len(v)).choice(len(v), _SVM_POINTS, replace=False))
        x, v = x[sample], v[sample]
    labels = v > np.median(v) if config.split == "svm" else _clusters(x, v)
    if labels is None or labels.all() or not labels.any():
        return None
    classifier = SVC(kernel=config.svm_kernel, gamma=config.svm_gamma)
    classifier.fit(np.asarray(x, dtype=np.float64), labels)
    split = SvmSplit(classifier, 1.0)
    good = split.margin(x) >= 0
    if good.any() and not good.all() and v[good].mean() < v[~good].mean():
        return SvmSplit(classifier, -1.0)
    return split


def _clusters(x: npt.NDArray[Any], v: Array) -> npt.NDArray[np.bool_] | None:
    """Return the members of the better of two clusters of standardised (features, value), ``[n]``."""
    from sklearn.cluster import KMeans

    points = np.column_stack([x, v]).astype(np.float64)
    spread = points.std(axis=0)
    points = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    if len(np.unique(points, axis=0)) < 2:
        return None
    first: npt.NDArray[np.bool_] = KMeans(n_clusters=2, n_init=4, random_state=0).fit_predict(points) == 0
    if first.all() or not first.any():
        return None
    return first if v[first].mean() >= v[~first].mean() else ~first
