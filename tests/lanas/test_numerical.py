"""The Gaussian process on numbers: scikit-learn as oracle, expected improvement in closed form, ascent that ascends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from nni_strategies.lanas.features import Features
from nni_strategies.lanas.mixed_kernel import MixedKernel
from nni_strategies.lanas.numerical import Posterior, fit, log_h, loss
from nni_strategies.lanas.values import standard_scores
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameters import Categorical, Numerical
from nni_strategies.space.search_space import SearchSpace

SPACE = SearchSpace(tuple(Numerical(name, distribution=Distribution("uniform", 0.0, 1.0)) for name in "abc"))
FEATURES = Features(SPACE)
KERNEL = MixedKernel(FEATURES)


def observed(n: int = 25) -> tuple[np.ndarray, np.ndarray]:
    codes = SPACE.sample_codes(np.random.default_rng(3), n)
    return codes, np.sin(4 * codes[:, 0]) - (codes[:, 1] - 0.3) ** 2


def test_standard_scores_bring_far_losers_in() -> None:
    np.testing.assert_allclose(standard_scores(np.array([1.0, 3.0])), [-1.0, 1.0])
    # The median is 2, the best 3 above it: nothing counts as further below than 4 * 3.
    lost = standard_scores(np.array([-1e9, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]))
    np.testing.assert_allclose(lost, standard_scores(np.array([-10.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0])))
    assert lost.mean() == pytest.approx(0.0) and lost.std() == pytest.approx(1.0)
    assert not standard_scores(np.full(4, 0.1)).any()


def test_posterior_is_that_of_scikit_learn() -> None:
    codes, values = observed()
    theta = KERNEL.start.copy()
    theta[0], theta[4] = np.log(0.6), np.log(1e-3)
    posterior = Posterior(KERNEL, theta, FEATURES.transform(codes), values)
    new = SPACE.sample_codes(np.random.default_rng(4), 50)
    mean, sd = posterior.predict(FEATURES.transform(new))

    kernel, z = Matern(length_scale=0.6, nu=2.5), standard_scores(values)
    k = kernel(codes) + (1e-3 + 1e-8) * np.eye(len(z))
    ones = np.linalg.solve(k, np.ones(len(z)))
    constant = (ones @ z) / ones.sum()
    signal = (z - constant) @ np.linalg.solve(k, z - constant) / len(z)
    oracle = GaussianProcessRegressor(kernel, alpha=1e-3 + 1e-8, optimizer=None).fit(codes, z - constant)
    expected, unit_sd = oracle.predict(new, return_std=True)
    np.testing.assert_allclose(mean, constant + expected, atol=1e-4)  # features are float32
    np.testing.assert_allclose(sd, np.sqrt(signal) * unit_sd, atol=1e-4)


@pytest.mark.parametrize("t", [-1e6, -2e4, -9e3, -50.0, -7.0, -1.001, -0.999, 0.0, 2.0, 30.0])
def test_log_expected_improvement_is_exact_far_below_what_doubles_hold(t: float) -> None:
    log_value, ratio = log_h(np.array(t))
    if t > -30:
        integral = quad(lambda s: s * norm.pdf(s - t), 0, max(t, 0) + 12, epsabs=0, epsrel=1e-11)[0]
        assert float(log_value) == pytest.approx(np.log(integral), rel=1e-8)
    else:
        # phi(t) / t^2 times 1 - 3 / t^2 + 15 / t^4
        series = -0.5 * t * t - 0.5 * np.log(2 * np.pi) - 2 * np.log(-t) + np.log1p(-3 / t**2 + 15 / t**4)
        assert float(log_value) == pytest.approx(series, rel=1e-9)
    step = 1e-6 * max(1.0, abs(t))
    slope = (log_h(np.array(t + step))[0] - log_h(np.array(t - step))[0]) / (2 * step)
    assert float(ratio) == pytest.approx(float(slope), rel=1e-4)


def test_expected_improvement_is_the_mean_of_what_is_gained() -> None:
    codes, values = observed()
    posterior = Posterior(KERNEL, KERNEL.start, FEATURES.transform(codes), values)
    new = FEATURES.transform(SPACE.sample_codes(np.random.default_rng(5), 5))
    mean, sd = posterior.predict(new)
    draws = mean + sd * np.random.default_rng(6).normal(size=(400_000, 5))
    gained = np.maximum(draws - standard_scores(values).max(), 0).mean(axis=0)
    np.testing.assert_allclose(np.exp(posterior.log_expected_improvement(new)), gained, rtol=0.05, atol=1e-4)


def test_pending_trials_shrink_the_variance_only() -> None:
    codes, values = observed()
    x, new = FEATURES.transform(codes), FEATURES.transform(SPACE.sample_codes(np.random.default_rng(7), 20))
    theta = KERNEL.start.copy()
    theta[0], theta[4] = np.log(0.5), np.log(1e-4)
    alone = Posterior(KERNEL, theta, x, values)
    with_pending = Posterior(KERNEL, theta, x, values, new[:3])
    mean, sd = alone.predict(new)
    same, smaller = with_pending.predict(new)
    np.testing.assert_allclose(same, mean, atol=1e-9)
    assert (smaller[:3] < 0.5 * sd[:3]).all() and (smaller <= sd + 1e-9).all()


def test_climbing_ends_where_no_direction_leads_up() -> None:
    codes, values = observed()
    posterior = Posterior(KERNEL, fit(KERNEL, FEATURES.transform(codes), values), FEATURES.transform(codes), values)
    low, high = np.array([0.1, 0.2, 0.0]), np.array([0.9, 0.8, 1.0])
    start = np.array([[0.3, 0.6, 0.5]])
    end = posterior.climb(FEATURES.transform(start)[0], low, high, steps=200)
    assert (low <= end).all() and (end <= high).all()

    def gain(points: np.ndarray) -> np.ndarray:
        return posterior.log_expected_improvement(FEATURES.transform(points))

    assert gain(end[None, :])[0] > gain(start)[0] + 0.1
    around = np.clip(end + 0.01 * np.random.default_rng(8).normal(size=(200, 3)), low, high)
    assert gain(around).max() <= gain(end[None, :])[0] + 1e-4


def test_the_fit_is_a_minimum_and_tells_which_number_matters() -> None:
    codes, values = observed(60)
    x = FEATURES.transform(codes)
    theta = fit(KERNEL, x, values)
    assert fit(KERNEL, x, values).tobytes() == theta.tobytes()
    blocks, z = KERNEL.blocks(x), standard_scores(values)
    best, slope = loss(KERNEL, blocks, z, theta)
    low, high = np.array(KERNEL.bounds).T
    assert np.abs(theta - np.clip(theta - slope, low, high)).max() < 0.05, "no way down inside the bounds"
    assert all(best <= loss(KERNEL, blocks, z, start)[0] for start in KERNEL.starts())
    assert theta[1] < theta[3], "the wavy direction has a shorter scale than the one without effect"


@pytest.mark.parametrize("values", [np.zeros(6), np.array([1e300, 0, 0, 0, 0, 0]), np.full(6, -1e-300)])
def test_degenerate_results_are_no_obstacle(values: np.ndarray) -> None:
    x = FEATURES.transform(np.repeat(SPACE.sample_codes(np.random.default_rng(9), 3), 2, axis=0))
    posterior = Posterior(KERNEL, fit(KERNEL, x, values), x, values)
    assert np.isfinite(posterior.log_expected_improvement(x)).all()


def test_choices_stay_as_they_are_while_numbers_climb() -> None:
    space = SearchSpace((*SPACE.parameters, Categorical("op", choices=("x", "y"))))
    features = Features(space)
    kernel = MixedKernel(features)
    codes = space.sample_codes(np.random.default_rng(10), 40)
    best = np.where(codes[:, 3] == 0, 0.2, 0.8)
    x = features.transform(codes)
    values = -((codes[:, 0] - best) ** 2)
    posterior = Posterior(kernel, fit(kernel, x, values), x, values)
    for choice, target in ((0.0, 0.2), (1.0, 0.8)):
        start = np.array([[0.5, 0.5, 0.5, choice]])
        end = posterior.climb(features.transform(start)[0], np.zeros(3), np.ones(3), steps=100)
        assert end[0] == pytest.approx(target, abs=0.12)
