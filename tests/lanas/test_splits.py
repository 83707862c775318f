from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn import svm
from sklearn.linear_model import Ridge

from nni_strategies.lanas import LaNASConfig
from nni_strategies.lanas.splits import LinearSplit, SvmSplit, fit_split, ridge_weights


@pytest.mark.parametrize(("n", "d"), [(40, 7), (7, 40), (12, 12), (2, 30), (500, 160)])
def test_ridge_matches_scikit_learn(n, d):
    rng = np.random.default_rng(n + d)
    x, v = rng.integers(0, 2, (n, d)).astype(np.float32), rng.random(n)
    expected = Ridge(alpha=0.7).fit(x.astype(float), v)
    assert np.abs(ridge_weights(x, v, 0.7) - expected.coef_).max() <= 1e-8
    split = fit_split(x, v, LaNASConfig(ridge_lambda=0.7))
    predicted = expected.predict(x.astype(float))
    assert split.margin(x) == pytest.approx(predicted - predicted.mean(), abs=2e-7)


def test_a_fit_is_not_left_near_its_start():
    """The official code's step of 1e-5 leaves the weights near zero, so that its splits are near random."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (500, 60)).astype(np.float32)
    truth = rng.normal(size=60)
    held_out = rng.integers(0, 2, (500, 60)).astype(np.float32)
    split = fit_split(x, 63 + 5 * x @ truth, LaNASConfig())
    right = (split.margin(held_out) >= 0) == (held_out @ truth >= (x @ truth).mean())
    assert right.mean() > 0.97


@pytest.mark.parametrize("kind", ["ridge", "kmeans_svm", "svm"])
def test_nothing_to_learn_is_no_split(kind):
    config = LaNASConfig(split=kind)
    x = np.eye(6, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit_split(x, np.full(6, 3.0), config) is None  # equal values
        assert fit_split(np.ones((6, 3), dtype=np.float32), np.arange(6.0), config) is None  # equal points
        assert fit_split(x[:1], np.array([1.0]), config) is None


@pytest.mark.parametrize("kind", ["kmeans_svm", "svm"])
def test_svm_splits_put_the_better_half_on_the_good_side(kind):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 2)).astype(np.float32)
    v = (x[:, 0] > 0) + 0.1 * rng.random(60)
    split = fit_split(x, v, LaNASConfig(split=kind))
    good = split.margin(x) >= 0
    assert v[good].mean() > v[~good].mean() + 0.3
    assert split.top_weights(["a", "b"], 2) == []


def test_clusters_do_not_depend_on_units():
    """Unscaled, whatever has the larger units would decide alone."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    v = x[:, 0] + 0.2 * rng.normal(size=60)
    small = fit_split(x, v, LaNASConfig(split="kmeans_svm")).margin(x) >= 0
    large = fit_split(x, 1e6 * v, LaNASConfig(split="kmeans_svm")).margin(x) >= 0
    assert np.array_equal(small, large)


@pytest.mark.parametrize("kernel", ["rbf", "poly", "linear", "sigmoid"])
def test_many_margins_by_matrix_products_are_those_of_libsvm(kernel):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5000, 4)).astype(np.float32)
    split = fit_split(x[:200], x[:200, 0] ** 2, LaNASConfig(split="svm", svm_kernel=kernel))
    one_by_one = np.concatenate([split.margin(x[i : i + 50]) for i in range(0, len(x), 50)])
    assert split.margin(x) == pytest.approx(one_by_one, abs=1e-9)


def test_a_classifier_is_learned_from_a_sample_of_many_results(monkeypatch):
    learned = []
    fit = svm.SVC.fit
    monkeypatch.setattr(svm.SVC, "fit", lambda self, x, y: (learned.append(len(x)), fit(self, x, y))[1])
    rng = np.random.default_rng(4)
    x = rng.normal(size=(3000, 2)).astype(np.float32)
    splits = [fit_split(x, x[:, 0].astype(float), LaNASConfig(split="svm")) for _ in range(2)]
    assert learned == [1000, 1000]
    good, again = (split.margin(x) >= 0 for split in splits)
    assert np.array_equal(good, again)
    assert (good == (x[:, 0] >= np.median(x[:, 0]))).mean() > 0.95


class _Inverted:
    def decision_function(self, x):
        return -x[:, 0]


def test_an_inverted_boundary_can_be_turned_round():
    x = np.array([[1.0], [-1.0]])
    assert SvmSplit(_Inverted(), 1.0).margin(x).tolist() == [-1.0, 1.0]
    assert SvmSplit(_Inverted(), -1.0).margin(x).tolist() == [1.0, -1.0]


def test_points_on_the_boundary_are_good_whatever_the_order_of_summation():
    weights = np.array([0.1, 0.2, 0.3, -0.6])
    x = np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    assert (LinearSplit(weights, 0.0).margin(x) >= 0).all()


def test_the_most_telling_features_come_first():
    split = LinearSplit(np.array([0.1, -0.5, 0.0, 0.3]), 0.0)
    assert split.top_weights(["a", "b", "c", "d"], 3) == [("b", -0.5), ("d", 0.3), ("a", 0.1)]
    assert len(split.top_weights(["a", "b", "c", "d"], 4)) == 3
