"""The kernel of numbers and choices: closed forms, an independent oracle, gradients by differences."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import Matern

from nni_strategies.lanas.features import Features
from nni_strategies.lanas.mixed_kernel import JITTER, MixedKernel
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameters import Categorical, Numerical, Subset
from nni_strategies.space.search_space import SearchSpace


def number(label: str, low: float = 0.0, high: float = 1.0) -> Numerical:
    return Numerical(label, distribution=Distribution("uniform", low, high))


NUMBERS = SearchSpace((number("a"), number("b", -5, 10), number("c")))
MIXED = SearchSpace(
    (
        number("a"),
        Categorical("op_1", choices=("x", "y", "z")),
        number("b", -1, 1),
        Categorical("op_2", choices=("x", "y", "z")),
        Subset("s", choices=(1, 2, 3, 4)),
    )
)


@pytest.mark.parametrize("space", [NUMBERS, MIXED], ids=["numbers", "mixed"])
def test_the_gradient_is_that_of_the_covariance(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    features = Features(space)
    kernel = MixedKernel(features)
    blocks = kernel.blocks(features.transform(space.sample_codes(rng, 12)))
    theta = kernel.start + 0.3 * rng.normal(size=len(kernel.start))
    w = rng.normal(size=(12, 12))
    w += w.T

    def total(t: np.ndarray) -> float:
        return float((w * kernel.covariance_gradient(blocks, t)[0]).sum())

    gradient = kernel.covariance_gradient(blocks, theta)[1](w)
    step = 1e-5 * np.eye(len(theta))
    differences = [(total(theta + e) - total(theta - e)) / 2e-5 for e in step]
    np.testing.assert_allclose(gradient, differences, atol=1e-7)


def test_numbers_alone_are_matern_five_halves() -> None:
    rng = np.random.default_rng(1)
    features = Features(NUMBERS)
    kernel = MixedKernel(features)
    codes = NUMBERS.sample_codes(rng, 20)
    theta = kernel.start.copy()
    theta[:4] = np.log(0.7), 0.1, -0.2, 0.3
    blocks = kernel.blocks(features.transform(codes))
    oracle = Matern(length_scale=0.7 * np.exp([0.1, -0.2, 0.3]), nu=2.5)(codes)
    np.testing.assert_allclose(kernel.covariance(blocks, blocks, theta), oracle, atol=1e-6)  # features are float32


def test_a_choice_that_differs_costs_its_weight() -> None:
    space = SearchSpace((number("a"), Categorical("first", choices=(1, 2)), Categorical("other", choices=(3, 4))))
    features = Features(space)
    kernel = MixedKernel(features)
    codes = np.array([[0.5, 0, 0], [0.5, 1, 0], [0.5, 1, 1]])
    theta = kernel.start.copy()
    theta[-2:] = np.log([0.4, 1.5])
    blocks = kernel.blocks(features.transform(codes))
    k = kernel.covariance(blocks, blocks, theta)
    np.testing.assert_allclose(k[0], [1.0, np.exp(-0.4), np.exp(-1.9)], rtol=1e-6)


def test_histograms_make_permuted_choices_alike() -> None:
    features = Features(MIXED)
    kernel = MixedKernel(features)
    codes = np.zeros((2, MIXED.n_codes))
    codes[0, MIXED.columns["op_1"].start] = codes[1, MIXED.columns["op_2"].start] = 2.0
    blocks = kernel.blocks(features.transform(codes))
    share, weights = 0.3, 4.0 / 3.0  # of the prior's mean; three choices
    h = np.exp(-2 * weights)
    k = kernel.covariance(blocks, blocks, kernel.start)
    assert k[0, 1] == pytest.approx((h + share) / (1 + share), rel=1e-5)


def test_noise_is_on_the_diagonal_only() -> None:
    features = Features(NUMBERS)
    kernel = MixedKernel(features)
    blocks = kernel.blocks(features.transform(NUMBERS.sample_codes(np.random.default_rng(2), 5)))
    k = kernel.covariance_gradient(blocks, kernel.start)[0]
    plain = kernel.covariance(blocks, blocks, kernel.start)
    np.testing.assert_allclose(k - plain, (0.01 + JITTER) * np.eye(5), atol=1e-12)
