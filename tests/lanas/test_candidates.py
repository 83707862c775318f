from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.lanas import LaNASConfig
from nni_strategies.lanas.candidates import best_members, breed, collect, distinct, row_keys
from nni_strategies.lanas.features import Features
from nni_strategies.lanas.region import Region
from nni_strategies.lanas.splits import LinearSplit
from nni_strategies.search.searcher import UniformPrior
from nni_strategies.search.testing_spaces import SPACES
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace

CELL = SearchSpace(tuple(Categorical(f"edge_{i}", tuple("abcde")) for i in range(6)))


def test_a_round_holds_the_shares_of_the_recipe():
    parent = np.zeros((1, 6))
    codes = breed(CELL, UniformPrior(CELL), parent, 300, np.random.default_rng(0))
    assert len(codes) == 300
    changes = (codes != 0).sum(axis=1)
    assert (changes[:180] == 1).all()
    assert (changes[180:255] == 2).all()
    assert (changes[255:265] == 1).all()  # crossovers of equal parents, a third of them mutated
    assert (changes[265:285] == 0).all()
    assert changes[285:].mean() > 3  # draws from the prior


def test_better_parents_have_more_children():
    parents = np.repeat(np.arange(3.0)[:, None], 6, axis=1)
    codes = breed(CELL, UniformPrior(CELL), parents, 3000, np.random.default_rng(0))[:1800]
    children = [((codes == i).sum(axis=1) >= 5).mean() for i in range(3)]
    assert children == pytest.approx([6 / 11, 3 / 11, 2 / 11], abs=0.05)


def test_without_parents_all_come_from_the_prior():
    codes = breed(CELL, UniformPrior(CELL), np.empty((0, 6)), 500, np.random.default_rng(0))
    assert codes.shape == (500, 6)
    assert (codes != codes[0]).sum() > 1500


@pytest.mark.parametrize("name", SPACES)
def test_candidates_are_points_of_any_space(name):
    space = SPACES[name]
    rng = np.random.default_rng(0)
    codes = breed(space, UniformPrior(space), space.sample_codes(rng, 5), 60, rng)
    assert len(codes) > 20
    for configuration in space.decode(codes):
        space.validate(configuration)


def test_candidates_are_new_distinct_and_inside():
    features, prior, rng = Features(CELL), UniformPrior(CELL), np.random.default_rng(0)
    weights = np.zeros(features.n_columns)
    weights[0] = 1.0  # the first edge is "a"
    region = Region(features, ((LinearSplit(weights, 0.5), True),))
    seen = set(row_keys(CELL.sample_codes(rng, 4000)))

    def fresh(codes):
        return codes[[key not in seen for key in row_keys(codes)]]

    codes = collect(CELL, prior, region, np.zeros((1, 6)), fresh, LaNASConfig(), rng)
    assert len(codes) >= 30
    assert (codes[:, 0] == 0).all()
    assert not seen & set(row_keys(codes))
    assert len(set(row_keys(codes))) == len(codes)
    assert len(collect(CELL, prior, region, np.zeros((1, 6)), lambda c: c[:0], LaNASConfig(), rng)) == 0


def test_distinct_keeps_the_first_of_equal_rows_in_order():
    rows = np.array([[2.0, 1.0], [0.0, 0.0], [2.0, 1.0], [-0.0, 0.0], [1.0, 1.0]])
    assert distinct(rows).tolist() == [[2, 1], [0, 0], [1, 1]]
    assert distinct(rows[:0]).shape == (0, 2)


def test_best_members_come_best_first():
    values = np.array([1.0, 5.0, 3.0, 5.0, 9.0])
    assert best_members([0, 1, 2, 3], values, 3).tolist() == [1, 3, 2]
