from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nni_strategies.lanas import LaNASConfig, LaNASSearcher
from nni_strategies.lanas.initial_design import latin_hypercube
from nni_strategies.search.searcher import UniformPrior
from nni_strategies.search.study import Study
from nni_strategies.search.testing_spaces import SPACES
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameters import Categorical, Numerical
from nni_strategies.space.search_space import SearchSpace
from nni_strategies.space.weighted import WeightedCategorical

RANGE = Distribution("uniform", -5.0, 10.0)
CUBE = SearchSpace(
    (*(Numerical(f"x{i}", distribution=RANGE) for i in range(4)), Categorical("op", ("conv", "pool", "skip")))
)


def test_each_number_has_one_point_in_each_part_of_its_range_and_each_value_its_share():
    codes = latin_hypercube(CUBE, np.random.default_rng(0), 40)
    assert codes.shape == (40, 5)
    for column in range(4):
        assert sorted(np.floor(40 * codes[:, column]).astype(int)) == list(range(40))
    counts = np.bincount(codes[:, 4].astype(int), minlength=3)
    assert counts.sum() == 40 and counts.max() - counts.min() <= 2


def test_unequal_weights_are_followed():
    weighted = WeightedCategorical("op", ("a", "b", "c", "d"), (), (0.75, 0.2, 0.05, 0.0))
    codes = latin_hypercube(SearchSpace((weighted,)), np.random.default_rng(0), 40)
    assert np.bincount(codes[:, 0].astype(int), minlength=4).tolist() == [30, 8, 2, 0]


def test_columns_are_independent():
    codes = np.vstack([latin_hypercube(CUBE, np.random.default_rng(seed), 40) for seed in range(50)])
    for other in range(1, 4):
        assert abs(stats.spearmanr(codes[:, 0], codes[:, other]).statistic) < 0.1


@pytest.mark.parametrize("name", SPACES)
def test_points_of_any_space_are_valid(name):
    codes = latin_hypercube(SPACES[name], np.random.default_rng(1), 30)
    assert 0 < len(codes) <= 30
    assert all(SPACES[name].contains(configuration) for configuration in SPACES[name].decode(codes))


def started(seed: int, **arguments: object) -> list[dict[str, object]]:
    study = Study(LaNASSearcher(CUBE, LaNASConfig(preset="lamcts_ackley"), **arguments), seed=seed)
    return [study.ask().configuration for _ in range(40)]


def test_lamcts_begins_with_the_whole_design_of_its_seed():
    first = started(3)
    for column, label in enumerate(CUBE.labels[:4]):
        codes = CUBE.encode(first)[:, column]
        assert sorted(np.floor(40 * codes).astype(int)) == list(range(40)), label
    assert started(3) == first
    assert started(4) != first


class Corner(UniformPrior):
    """Draws near one corner."""

    def sample_codes(self, rng, n):
        codes = super().sample_codes(rng, n)
        codes[:, 0] *= 0.01
        return codes


def test_a_prior_goes_before_the_design():
    codes = CUBE.encode(started(3, prior=Corner(CUBE)))
    assert codes[:, 0].max() <= 0.01
