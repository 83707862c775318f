from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from nni_strategies.irlas.irl.demonstration import Demonstration
from nni_strategies.irlas.irl.projection import projection
from nni_strategies.irlas.nsc_experts import NSC_EXPERTS
from nni_strategies.irlas.nsc_features import BlockArray, NSCFeatures
from tests.irlas.nsc_blocks import all_blocks, random_ones


def demonstration(name: str, expert: str, n: int = 1000, seed: int = 0) -> Demonstration:
    return Demonstration(NSCFeatures(name), NSC_EXPERTS[expert], random_ones(n, seed))


@pytest.mark.parametrize("expert", NSC_EXPERTS)
@pytest.mark.parametrize("name", ["nsc_raw_window", "nsc_onehot_window"])
def test_the_gap_never_rises_and_falls_to_a_tenth(name: str, expert: str):
    report = projection(demonstration(name, expert))
    assert report.iterations == len(report.gaps) == 300
    assert np.diff(report.gaps).max() <= 0
    assert report.gaps[-1] <= 0.1 * report.gaps[0]
    assert report.certificate.verdict == "not extreme"
    assert report.margin <= report.gaps[-1]  # any margin is at most the distance to a mixture of others


def test_the_first_weights_lead_from_the_mean_to_the_expert():
    given = demonstration("nsc_onehot_window", "resnext")
    report = projection(given, max_iterations=1)
    direction = given.expert_counts - given.random_counts.mean(axis=0)
    assert report.weights == pytest.approx(direction / np.linalg.norm(direction))
    assert report.gaps == pytest.approx((np.linalg.norm(direction),))
    blocks = BlockArray.of(random_ones(50))
    assert report.scores(blocks) == pytest.approx(given.features.counts(blocks) @ report.weights)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("expert", NSC_EXPERTS)
def test_the_expert_beats_999_of_1000_random_blocks_by_one_hot_windows(expert: str, seed: int):
    report = projection(demonstration("nsc_onehot_window", expert, 10_000, seed), max_iterations=1)
    assert report.expert_percentile >= 99.9


def test_raw_numbers_tell_the_expert_apart_less_well():
    raw, onehot = (
        projection(demonstration(name, "resnext", 10_000), max_iterations=1).expert_percentile
        for name in ("nsc_raw_window", "nsc_onehot_window")
    )
    assert 50 < raw < 95 < onehot


def test_an_expert_that_is_extreme_is_found_to_be():
    blocks = all_blocks(3)
    report = projection(Demonstration(NSCFeatures("nsc_onehot_window"), blocks[100], blocks, max_length=3))
    assert report.expert_is_extreme
    assert 0 < report.margin <= report.certificate.upper <= report.gaps[-1] + 1e-9
    assert report.expert_percentile == 100.0


def test_a_random_block_as_expert_is_learned_as_well_and_orders_blocks_its_own_way():
    # it is the method that puts an expert first, not the expert
    features, blocks = NSCFeatures("nsc_onehot_window"), random_ones(1000)
    experts = [*random_ones(2, seed=9), NSC_EXPERTS["resnext"]]
    orders = []
    for number, block in enumerate(experts):
        given = Demonstration(features, block, blocks, per_length=True)
        report = projection(given, max_iterations=100)
        assert report.expert_percentile >= 99.0
        scores = report.scores(BlockArray.of([*experts, *blocks]))
        assert scores[: len(experts)].argmax() == number
        orders.append(scores[len(experts) :])
    assert np.abs(spearmanr(np.array(orders).T).statistic[np.triu_indices(3, 1)]).max() < 0.9
