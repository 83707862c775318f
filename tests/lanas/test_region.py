from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from nni_strategies.lanas.features import Features
from nni_strategies.lanas.region import Region, draw_inside, walk
from nni_strategies.lanas.splits import LinearSplit
from nni_strategies.search.searcher import UniformPrior
from nni_strategies.search.testing_spaces import AtMost
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.parameters import Categorical, Subset
from nni_strategies.space.search_space import SearchSpace

pytestmark = pytest.mark.timeout(60)  # chi-square tests of thousands of draws, maybe on a slow machine


def choices(n: int, k: int, constraints=()) -> SearchSpace:
    return SearchSpace(tuple(Categorical(f"c{i}", tuple("abcdefgh"[:k])) for i in range(n)), constraints)


def linear(space: SearchSpace, sides: str, seed: int = 0) -> Region:
    """Boundaries through random directions, at the median of the space; `sides` such as "+-"."""
    features, rng = Features(space, histogram=False, quadratic=False), np.random.default_rng(seed)
    x = features.transform(space.sample_codes(rng, 2000))
    path = []
    for side in sides:
        weights = rng.normal(size=features.n_columns)
        path.append((LinearSplit(weights, float(np.median(x @ weights))), side == "+"))
    return Region(features, tuple(path))


def everything(space: SearchSpace) -> np.ndarray:
    return space.encode(list(space.enumerate()))


def fresh_all(codes):
    return codes


def test_a_region_is_the_conjunction_of_its_boundaries():
    space = choices(5, 4)
    region, codes = linear(space, "+-+"), everything(space)
    expected = np.ones(len(codes), dtype=bool)
    for split, good in region.path:
        expected &= (split.margin(region.features.transform(codes)) >= 0) == good
    assert np.array_equal(region.contains(codes), expected)
    assert np.array_equal(region.violation(codes) == 0, expected)
    assert 0 < expected.sum() < len(codes) / 2
    assert Region(region.features, ()).contains(codes).all()


def test_relaxing_drops_the_deepest_boundary_first():
    region = linear(choices(5, 4), "+-+")
    assert region.relaxed().path == region.path[:2]
    assert region.relaxed().relaxed().relaxed().path == ()


@pytest.mark.parametrize("method", ["rejection", "chain"])
@pytest.mark.parametrize("space", [choices(6, 3), choices(6, 3, (AtMost("a", 2),))], ids=["free", "constrained"])
def test_choices_are_drawn_uniformly(method, space):
    region, rng = linear(space, "++", seed=1), np.random.default_rng(0)
    inside = everything(space)[region.contains(everything(space))]
    assert 20 < len(inside) < 400
    counts = count(region, inside, method, rng, 3000)
    assert counts.sum() == 3000
    assert chisquare(counts).pvalue > 0.01


def test_subsets_are_drawn_uniformly_by_the_chain():
    space = SearchSpace((Subset("s", tuple(range(6)), 3), Subset("t", (0, 1, 2)), Categorical("c", tuple("abc"))))
    region, rng = linear(space, "+", seed=2), np.random.default_rng(0)
    inside = everything(space)[region.contains(everything(space))]
    counts = count(region, inside, "chain", rng, 5000)
    assert chisquare(counts).pvalue > 0.01


def count(region: Region, inside, method: str, rng, n: int):
    index = {row.tobytes(): i for i, row in enumerate(inside)}
    counts, prior, starts = np.zeros(len(inside)), UniformPrior(region.features.space), inside
    while counts.sum() < n:
        if method == "rejection":
            drawn = draw_inside(region, prior, starts, fresh_all, rng)
        else:
            starts = walk(region, starts, fresh_all, rng)
            drawn = starts
        for row in drawn[: int(n - counts.sum())]:
            counts[index[row.tobytes()]] += 1  # a KeyError is a draw outside
    return counts


def test_numbers_are_drawn_uniformly_on_their_chord():
    space = space_from_json({f"x{i}": {"_type": "uniform", "_value": [0, 1]} for i in range(2)})
    features = Features(space, histogram=False, quadratic=False)
    # u0 >= 0.75, and u1 is free: standardised quantiles are (u - 1/2) * sqrt(12).
    split = LinearSplit(np.array([1.0, 0.0]), 0.25 * np.sqrt(12))
    region, rng = Region(features, ((split, True),)), np.random.default_rng(0)
    starts = np.array([[0.8, 0.5]])
    drawn = np.vstack([walk(region, starts, fresh_all, rng) for _ in range(100)])
    assert drawn[:, 0].min() >= 0.75
    assert kstest((drawn[:, 0] - 0.75) * 4, "uniform").pvalue > 0.01
    assert kstest(drawn[:, 1], "uniform").pvalue > 0.01


@pytest.mark.parametrize("known", [True, False], ids=["member known", "no member known"])
def test_a_tiny_region_is_found_within_a_second(known):
    space = choices(30, 2)  # one point of 2^30: probability 1e-9
    features = Features(space, histogram=False)
    weights = np.array([0.0, 1.0] * 30)
    region = Region(features, ((LinearSplit(weights, 29.5), True),))
    starts = np.ones((1, 30)) if known else np.empty((0, 30))
    begin = time.process_time()
    drawn = draw_inside(region, UniformPrior(space), starts, fresh_all, np.random.default_rng(0))
    assert time.process_time() - begin < 1.0
    assert (drawn == 1).all()
    assert len(drawn) > 0


@pytest.mark.parametrize("known", [True, False])
def test_an_impossible_region_ends_empty_within_a_second(known):
    space = choices(30, 3)
    region = Region(Features(space), ((LinearSplit(np.ones(93), 1e6), True),))
    starts = np.zeros((1, 30)) if known else np.empty((0, 30))
    begin = time.process_time()
    drawn = draw_inside(region, UniformPrior(space), starts, fresh_all, np.random.default_rng(0))
    assert time.process_time() - begin < 1.0
    assert drawn.shape == (0, 30)


def test_nothing_new_ends_empty():
    space = choices(4, 3)
    region = linear(space, "+")
    inside = everything(space)[region.contains(everything(space))]
    drawn = draw_inside(region, UniformPrior(space), inside, lambda codes: codes[:0], np.random.default_rng(0))
    assert len(drawn) == 0


def test_a_chain_over_conditions_stays_in_the_space():
    space = space_from_json(
        {
            "layer": {
                "_type": "choice",
                "_value": [{"_name": "none"}, {"_name": "conv", "k": {"_type": "choice", "_value": [1, 3, 5]}}],
            },
            "lr": {"_type": "loguniform", "_value": [1e-4, 1]},
            "width": {"_type": "quniform", "_value": [8, 64, 8]},
        }
    )
    region, rng = linear(space, "+"), np.random.default_rng(0)
    codes = space.sample_codes(rng, 200)
    drawn = np.vstack([walk(region, codes[region.contains(codes)], fresh_all, rng) for _ in range(10)])
    assert region.contains(drawn).all()
    for configuration in space.decode(drawn):
        space.validate(configuration)
    assert {c["layer"] for c in space.decode(drawn)} == {"none", "conv"}
