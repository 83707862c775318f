from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.irl.best_response import BestResponse
from nni_strategies.irlas.irl.legal_steps import LegalSteps
from nni_strategies.irlas.nsc_experts import NSC_EXPERTS
from nni_strategies.irlas.nsc_features import FEATURES, BlockArray, NSCFeatures
from tests.irlas.nsc_blocks import all_blocks, layers_at

LONGEST = 4


@pytest.mark.parametrize("name", FEATURES)
def test_it_is_the_best_of_all_blocks(name: str):
    features, blocks = NSCFeatures(name), all_blocks(LONGEST)
    counts = features.counts(BlockArray.of(blocks))
    lengths = np.array([len(block) for block in blocks])
    responses = BestResponse(features, LONGEST)
    for weights in np.random.default_rng(0).normal(size=(40, features.size)):
        values = counts @ weights
        by_length = responses.by_length(weights)
        assert [response.value for response in by_length] == pytest.approx(
            [values[lengths == length].max() for length in range(2, LONGEST + 1)]
        )
        best = responses.best(weights)
        assert best.block in blocks
        assert best.value == pytest.approx(values.max())
        assert best.counts == pytest.approx(counts[blocks.index(best.block)])


@pytest.mark.parametrize("name", FEATURES)
def test_another_than_the_expert_is_the_best_of_all_others(name: str):
    features, blocks = NSCFeatures(name), all_blocks(LONGEST)
    counts = features.counts(BlockArray.of(blocks))
    expert_was_best = 0
    for weights in np.random.default_rng(1).normal(size=(40, features.size)):
        values = counts @ weights
        expert = blocks[int(values.argmax())]  # the very block that would be the answer
        others = np.abs(counts - counts[values.argmax()]).max(axis=1) > 1e-9
        best = BestResponse(features, LONGEST, expert).best(weights)
        assert best.value == pytest.approx(values[others].max())
        assert best.block != expert
        expert_was_best += values[others].max() < values.max() - 1e-9
    assert expert_was_best > 20


def test_the_layers_that_may_stand_at_a_place_are_all_there():
    legal = LegalSteps(NSCFeatures("nsc_raw"), 12)
    for index, layers in enumerate(legal.layers, start=1):
        assert set(map(tuple, layers.tolist())) == set(map(tuple, layers_at(index)))


def test_means_of_each_length_are_means_over_all_blocks():
    for name in FEATURES:
        features, blocks = NSCFeatures(name), all_blocks(LONGEST)
        counts = features.counts(BlockArray.of(blocks))
        lengths = np.array([len(block) for block in blocks])
        means = [counts[lengths == length].mean(axis=0) for length in range(2, LONGEST + 1)]
        assert LegalSteps(features, LONGEST).length_means() == pytest.approx(np.array(means), abs=1e-9)


def test_what_cannot_be_is_refused():
    features = NSCFeatures("nsc_raw")
    with pytest.raises(InvalidArgument, match="max_length"):
        BestResponse(features, 1)
    with pytest.raises(InvalidArgument, match="2 to 4 layers"):
        BestResponse(features, 4, NSC_EXPERTS["resnext"])
    with pytest.raises(InvalidArgument, match="the last one the terminal"):
        BestResponse(features, 12, NSC_EXPERTS["resnext"][:-1])
