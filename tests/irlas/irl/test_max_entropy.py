from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize
from scipy.special import logsumexp, softmax

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.irl.demonstration import Demonstration
from nni_strategies.irlas.irl.max_entropy import max_entropy, negative_log_likelihood, partition
from nni_strategies.irlas.nsc_experts import NSC_EXPERTS
from nni_strategies.irlas.nsc_features import FEATURES, BlockArray, NSCFeatures
from tests.irlas.nsc_blocks import all_blocks, random_ones

RIDGE = 1e-4


def small(name: str, per_length: bool = False) -> Demonstration:
    return Demonstration(NSCFeatures(name), all_blocks(4)[2000], all_blocks(4), max_length=4, per_length=per_length)


@pytest.mark.parametrize("per_length", [False, True])
@pytest.mark.parametrize("name", FEATURES)
def test_the_partition_is_the_sum_over_all_blocks(name: str, per_length: bool):
    given = small(name, per_length)
    array = BlockArray.of(all_blocks(4))
    counts = given.features.counts(array)
    if per_length:
        for length in (2, 3, 4):
            counts[array.lengths == length] -= counts[array.lengths == length].mean(axis=0)
    for weights in np.random.default_rng(0).normal(size=(5, given.features.size)):
        log_z, mean = partition(given, weights)
        assert log_z == pytest.approx(logsumexp(counts @ weights))
        assert mean == pytest.approx(softmax(counts @ weights) @ counts, abs=1e-9)


@pytest.mark.parametrize("per_length", [False, True])
@pytest.mark.parametrize("name", ["nsc_onehot", "nsc_onehot_window"])
def test_the_gradient_is_that_of_finite_differences(name: str, per_length: bool):
    given = Demonstration(NSCFeatures(name), NSC_EXPERTS["resnext"], random_ones(200), per_length=per_length)
    weights = np.random.default_rng(0).normal(scale=0.3, size=given.features.size)
    _, gradient = negative_log_likelihood(given, weights, RIDGE)
    numerical = approx_fprime(weights, lambda w: negative_log_likelihood(given, w, RIDGE)[0], 1e-6)
    assert gradient == pytest.approx(numerical, rel=1e-4, abs=1e-5)
    assert np.abs(gradient).max() > 0.1


@pytest.mark.parametrize("expert", NSC_EXPERTS)
@pytest.mark.parametrize("name", ["nsc_onehot", "nsc_onehot_window"])
def test_the_objective_never_rises_and_the_gap_falls_to_a_hundredth(name: str, expert: str):
    report = max_entropy(Demonstration(NSCFeatures(name), NSC_EXPERTS[expert], random_ones(1000)))
    assert np.diff(report.objectives).max() <= 0
    assert report.gaps[-1] <= 0.01 * report.gaps[0]
    assert report.iterations <= 60
    assert report.certificate.verdict == "not extreme"
    assert report.expert_percentile >= 80.0


def test_it_goes_on_to_the_optimum_that_another_minimiser_finds():
    given, ridge = small("nsc_onehot"), 0.1
    counts = given.features.counts(BlockArray.of(all_blocks(4)))

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        rewards = counts @ weights
        value = logsumexp(rewards) - weights @ given.expert_counts + ridge / 2 * weights @ weights
        return value, softmax(rewards) @ counts - given.expert_counts + ridge * weights

    expected = minimize(objective, np.zeros(21), jac=True, method="BFGS", options={"gtol": 1e-8})
    report = max_entropy(given, ridge=ridge, tolerance=0.0)
    assert report.objectives[-1] == pytest.approx(expected.fun, abs=1e-8)
    assert report.weights == pytest.approx(expected.x / np.linalg.norm(expected.x), abs=1e-4)
    assert report.gaps[-1] == pytest.approx(ridge * np.linalg.norm(expected.x), abs=1e-4)


def test_without_means_of_lengths_the_shortest_block_pays_best():
    best = {}
    for per_length in (False, True):
        given = Demonstration(
            NSCFeatures("nsc_onehot"), NSC_EXPERTS["resnext"], random_ones(1000), per_length=per_length
        )
        best[per_length] = given.best_other(np.array(max_entropy(given).weights)).block
    assert [layer.operation for layer in best[False]] == ["conv1", "terminal"]
    assert len(best[True]) > 2


def test_no_ridge_is_refused():
    with pytest.raises(InvalidArgument, match="ridge"):
        max_entropy(small("nsc_onehot"), ridge=0.0)
