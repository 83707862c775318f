"""RDMs against scipy and rsatoolbox, and what they must and must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.gram import gram
from nni_strategies.rsa.rdm import (
    correlation_rdm,
    cosine_rdm,
    dead_rows,
    is_informative,
    n_stimuli,
    rdm_from_features,
    square,
    upper,
)

pytestmark = pytest.mark.timeout(60)  # rsatoolbox takes seconds to import


@pytest.mark.parametrize("n", [2, 3, 92, 300])
@pytest.mark.parametrize("d", [2, 7, 4096, 40000])
def test_it_is_scipys(n, d):
    rng = np.random.default_rng([n, d])
    x = rng.normal(size=(n, d)) + 100.0 * rng.normal(size=(n, 1))
    expected = pdist(x, "correlation")
    assert np.abs(rdm_from_features(x, dtype="float64") - expected).max() <= 1e-10
    assert np.abs(rdm_from_features(x) - expected).max() <= 1e-6
    assert np.abs(rdm_from_features(torch.as_tensor(x)) - expected).max() <= 1e-6


def test_it_is_rsatoolboxs():
    import rsatoolbox

    x = np.random.default_rng(0).normal(size=(92, 4096)) + 1e4
    expected = rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(x), method="correlation").dissimilarities[0]
    assert np.abs(rdm_from_features(x, dtype="float64") - expected).max() <= 1e-10
    assert np.abs(rdm_from_features(x) - expected).max() <= 1e-6


def test_cosine_is_scipys():
    x = np.random.default_rng(0).normal(size=(40, 300)) + 3.0
    assert np.abs(cosine_rdm(gram(x, "float64")) - pdist(x, "cosine")).max() <= 1e-10
    assert np.abs(cosine_rdm(gram(x)) - pdist(x, "cosine")).max() <= 1e-6


@given(st.integers(0, 10**6))
def test_what_it_must_not_depend_on(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(12, 50))
    rdm = rdm_from_features(x, dtype="float64")
    scaled = x * np.exp(rng.normal(size=(12, 1))) + rng.normal(size=(12, 1))
    for same in (scaled, x[:, rng.permutation(50)], np.hstack([x, x])):
        assert np.abs(rdm_from_features(same, dtype="float64") - rdm).max() <= 1e-12


def test_what_it_must_depend_on():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 50))
    rdm = rdm_from_features(x, dtype="float64")
    rotation = np.linalg.qr(rng.normal(size=(50, 50)))[0]
    assert np.abs(rdm_from_features(x + 5.0 * rng.normal(size=50), dtype="float64") - rdm).max() > 0.1
    assert np.abs(rdm_from_features(x @ rotation, dtype="float64") - rdm).max() > 0.01


@pytest.mark.parametrize("constant", [0.0, 3.7, 1e4, -1e-3])
def test_a_dead_row_is_unlike_all_but_another(constant):
    x = np.random.default_rng(0).normal(size=(10, 64)).astype(np.float32)
    x[[2, 5]] = constant
    sums = gram(x)
    assert np.flatnonzero(dead_rows(sums)).tolist() == [2, 5]
    matrix = squareform(correlation_rdm(sums))
    alive = [i for i in range(10) if i not in (2, 5)]
    assert (matrix[2, alive] == 1.0).all()
    assert matrix[2, 5] == 0.0
    kept = np.delete(x.astype(np.float64), [2, 5], axis=0)
    assert matrix[np.ix_(alive, alive)] == pytest.approx(squareform(pdist(kept, "correlation")), abs=1e-6)
    assert np.isfinite(cosine_rdm(sums)).all()


def test_small_variance_far_from_zero_is_not_dead():
    x = (1e4 + np.random.default_rng(0).normal(size=(10, 4000))).astype(np.float32)
    assert not dead_rows(gram(x)).any()
    assert np.abs(rdm_from_features(x) - pdist(x.astype(np.float64), "correlation")).max() <= 1e-6


def test_an_rdm_that_says_nothing():
    rng = np.random.default_rng(0)
    rdm, dead = rng.random(45), np.zeros(10, dtype=bool)
    assert is_informative(rdm, dead)
    assert not is_informative(np.full(45, 0.3), dead)
    assert not is_informative(np.where(np.arange(45) == 3, np.nan, rdm), dead)
    assert is_informative(rdm, np.arange(10) < 2)
    assert not is_informative(rdm, np.arange(10) < 3)


def test_averaging_over_conditions_comes_first():
    rng = np.random.default_rng(0)
    x, group = rng.normal(size=(12, 90)), np.repeat([7, 3, 9, 1], 3)
    means = x.reshape(4, 3, 90).mean(axis=1)
    assert np.abs(rdm_from_features(x, group, "float64") - pdist(means, "correlation")).max() <= 1e-10


def test_the_triangle_and_the_square():
    vector = np.arange(1.0, 11.0)
    assert np.array_equal(square(vector), squareform(vector))
    assert np.array_equal(upper(np.stack([square(vector)] * 2)), [vector, vector])
    assert [n_stimuli(m) for m in (1, 3, 6, 4186)] == [2, 3, 4, 92]
    for m in (0, 2, 4185):
        with pytest.raises(InvalidArgument, match="pairs of n stimuli"):
            n_stimuli(m)
