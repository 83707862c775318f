from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from nni_strategies.lanas.features import Features
from nni_strategies.lanas.gp import GaussianProcess, half_best
from nni_strategies.lanas.kernel import HammingHistogramKernel
from nni_strategies.lanas.values import normal_scores
from nni_strategies.space.parameters import Categorical, Subset
from nni_strategies.space.search_space import SearchSpace

CELL = SearchSpace(tuple(Categorical(f"edge_{i}", tuple("abcde")) for i in range(6)))
UNRELATED = SearchSpace(
    (Categorical("a b", (1, 2)), Categorical("c d", ("x", "y", "z")), Subset("s", tuple("pqrst"), 2))
)


def prepared(space: SearchSpace, n: int, seed: int = 0):
    features = Features(space)
    codes = space.sample_codes(np.random.default_rng(seed), n)
    return features, codes, features.transform(codes)


def brute_force(codes_a, codes_b, theta):
    """The recipe's formula, entry by entry, for the cell space."""
    g, share, gamma = np.exp(theta[:6]), np.exp(theta[6]), np.exp(theta[7])
    out = np.empty((len(codes_a), len(codes_b)))
    for i, x in enumerate(codes_a):
        for j, y in enumerate(codes_b):
            c, d = (np.bincount(row.astype(int), minlength=5) for row in (x, y))
            hamming = np.exp(-(g * (x != y)).sum())
            out[i, j] = (hamming + share * np.exp(-gamma * ((c - d) ** 2).sum() / 2)) / (1 + share)
    return out


def test_the_kernel_is_the_formula():
    features, codes, x = prepared(CELL, 30)
    kernel = HammingHistogramKernel(features)
    theta = kernel.start + np.random.default_rng(1).normal(0, 0.5, len(kernel.start))
    got = kernel.covariance(kernel.prepare(x[:20], theta), kernel.prepare(x[20:], theta), theta)
    assert np.abs(got - brute_force(codes[:20], codes[20:], theta)).max() < 1e-6
    assert np.exp(kernel.start) == pytest.approx([4 / 6] * 6 + [0.3, 0.3, 0.05])


def test_without_groups_it_is_the_plain_hamming_kernel():
    features, codes, x = prepared(UNRELATED, 25)
    kernel = HammingHistogramKernel(features)
    assert not kernel.has_histogram
    assert len(kernel.start) == 4
    got = kernel.covariance(kernel.prepare(x, kernel.start), kernel.prepare(x, kernel.start), kernel.start)
    g = 4 / 3
    for i in range(25):
        for j in range(25):
            swapped = np.abs(codes[i, 2:] - codes[j, 2:]).sum() / 4  # two of two elements swapped is 1
            distance = (codes[i, :2] != codes[j, :2]).sum() + swapped
            assert got[i, j] == pytest.approx(np.exp(-g * distance), abs=1e-6)


def relearn(gp, x, values, seed):
    """One re-learn of what :class:`Surrogate` does at each."""
    gp.condition(gp.moved(gp.theta, x, values, np.random.default_rng(seed)), values, np.random.default_rng(seed))


def textbook(kernel, theta, x, values, candidates, pending):
    """Expected improvement by plain inverses."""

    def k(a, b):
        return kernel.covariance(kernel.prepare(a, theta), kernel.prepare(b, theta), theta)

    noise, z = np.exp(theta[-1]) + 1e-8, normal_scores(values)
    inverse = np.linalg.inv(k(x, x) + noise * np.eye(len(x)))
    mean, signal = k(candidates, x) @ inverse @ z, z @ inverse @ z / len(z)
    everything = np.vstack([x, pending])
    inverse = np.linalg.inv(k(everything, everything) + noise * np.eye(len(everything)))
    cross = k(candidates, everything)
    sd = np.sqrt(signal * (1 - np.einsum("ij,jk,ik->i", cross, inverse, cross)))
    u = (mean - z.max()) / sd
    return sd * (u * norm.cdf(u) + norm.pdf(u))


@pytest.mark.parametrize("n_pending", [0, 7])
def test_expected_improvement_matches_the_textbook_however_the_factor_grew(n_pending):
    features, codes, x = prepared(CELL, 160)
    values = codes @ np.arange(1.0, 7.0) + np.random.default_rng(2).normal(0, 1, 160)
    gp = GaussianProcess(HammingHistogramKernel(features), 500, 200, 10)
    relearn(gp, x[:40], values[:40], 3)
    candidates, pending = x[120:150], x[150 : 150 + n_pending]
    for n in (40, 41, 55, 119):  # the factor is extended, also past the room it first had
        got = gp.expected_improvement(candidates, x[:n], values[:n], pending)
        expected = textbook(gp.kernel, gp.theta, x[:n], values[:n], candidates, pending)
        assert got == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_the_factor_is_the_same_number_for_number_when_it_is_made_at_once():
    """A replayed search extends in one go what the first one extended result by result."""
    features, codes, x = prepared(CELL, 120)
    values = codes.sum(axis=1)
    first, second = (GaussianProcess(HammingHistogramKernel(features), 500, 200, 10) for _ in range(2))
    for gp in (first, second):
        relearn(gp, x[:60], values[:60], 3)
    none = x[:0]
    for n in range(60, 110):
        first.expected_improvement(x[110:], x[:n], values[:n], none)
    one, other = (gp.expected_improvement(x[110:], x[:110], values[:110], none) for gp in (first, second))
    assert np.array_equal(one, other)


def test_pending_points_shrink_the_variance_only():
    features, codes, x = prepared(CELL, 60)
    values = codes @ np.arange(1.0, 7.0)
    gp = GaussianProcess(HammingHistogramKernel(features), 500, 200, 5)
    relearn(gp, x[:40], values[:40], 0)
    alone = gp.expected_improvement(x[40:], x[:40], values[:40], x[:0])
    crowded = gp.expected_improvement(x[40:], x[:40], values[:40], x[40:45])
    assert (crowded <= alone + 1e-12).all()
    assert (crowded[:5] < 0.5 * alone[:5]).all()


def test_fitting_lowers_the_loss_and_repeats_itself():
    features, codes, x = prepared(CELL, 150)
    values = 3.0 * (codes[:, 0] == 2) + (codes[:, 1] == 1)  # the other edges do not matter
    gps = [GaussianProcess(HammingHistogramKernel(features), 500, 200, 30) for _ in range(2)]
    for gp in gps:
        start = gp._loss(gp.theta, x, normal_scores(values))
        relearn(gp, x, values, 4)
        assert gp._loss(gp.theta, x, normal_scores(values)) < start
    assert np.array_equal(gps[0].theta, gps[1].theta)
    for _ in range(10):
        relearn(gps[0], x, values, 4)
    assert gps[0].theta[0] > gps[0].theta[2:6].max()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_or_equal_results_are_no_trouble(n):
    features, _, x = prepared(CELL, 10)
    gp = GaussianProcess(HammingHistogramKernel(features), 500, 200, 5)
    if n:
        relearn(gp, x[:n], np.full(n, 3.0), 0)
    gain = gp.expected_improvement(x[5:], x[: n + 1], np.full(n + 1, 3.0), x[4:5])
    assert np.isfinite(gain).all()
    assert (gain >= 0).all()


def test_above_the_limit_half_are_the_best():
    values = np.random.default_rng(0).permutation(1000).astype(float)
    chosen = half_best(values, 100, np.random.default_rng(1))
    assert len(set(chosen.tolist())) == 100
    assert set(np.argsort(-values)[:50]) <= set(chosen.tolist())
    assert np.array_equal(chosen, np.sort(chosen))
    assert half_best(values[:80], 100, np.random.default_rng(1)).tolist() == list(range(80))
