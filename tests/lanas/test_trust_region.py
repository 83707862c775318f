"""The box that widens and narrows, and the candidates in it."""

from __future__ import annotations

import numpy as np

from nni_strategies.lanas.trust_region import Box, TrustRegion, number_codes, propose_in_box, snap
from nni_strategies.search.searcher import UniformPrior
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameters import Categorical, Condition, Numerical
from nni_strategies.space.search_space import SearchSpace


def number(label: str, **kwargs: object) -> Numerical:
    return Numerical(label, distribution=Distribution("uniform", 0.0, 1.0), **kwargs)


MIXED = SearchSpace(
    (
        Categorical("op", choices=("x", "y", "z")),
        number("a"),
        number("only_x", condition=Condition("op", ("x",))),
        Numerical("layers", distribution=Distribution("uniform", 1, 6, integer=True, q=1)),
    )
)


def test_three_successes_double_the_side_and_failures_halve_it() -> None:
    region = TrustRegion(n_numbers=5)
    region.add(0.0, searching=False)
    for value in (1.0, 2.0, 3.0):
        region.add(value, searching=True)
    assert region.length == 1.6
    for _ in range(4):
        region.add(0.0, searching=True)
    assert region.length == 1.6
    region.add(0.0, searching=True)
    assert region.length == 0.8


def test_blind_draws_do_not_move_it() -> None:
    region = TrustRegion(2)
    for value in range(50):
        region.add(float(-value), searching=False)
    assert region.length == 0.8


def test_a_side_that_became_too_small_starts_again() -> None:
    region = TrustRegion(2)
    seen = []
    region.add(1.0, searching=True)
    for _ in range(4 * 6):
        region.add(0.0, searching=True)
        seen.append(region.length)
    assert min(seen) >= 2.0**-6
    assert seen[-1] == 0.8


def test_the_box_is_wide_where_the_scale_is_long_and_stays_in_the_range() -> None:
    region = TrustRegion(2)
    box = region.box(np.array([0.5, 0.1]), np.array([0.1, 0.4]))
    np.testing.assert_allclose(box.high - box.low, [0.4, 0.1 + 0.8])
    assert (box.low >= 0).all() and (box.high <= 1).all()


def test_candidates_are_points_of_the_space_and_in_the_box_but_for_a_few_of_the_prior() -> None:
    rng = np.random.default_rng(0)
    parents = MIXED.sample_codes(rng, 8)
    box = Box(np.array([0.2, 0.3, 0.0]), np.array([0.4, 0.6, 0.5]), 0.3)
    codes = propose_in_box(MIXED, UniformPrior(MIXED), parents, box, 600, rng)
    assert len(codes) > 500
    assert all(MIXED.contains(c) for c in MIXED.decode(codes))
    np.testing.assert_array_equal(snap(MIXED, codes.copy()), codes)
    column = number_codes(MIXED)[0]
    inside = (codes[:, column] >= 0.2) & (codes[:, column] <= 0.4)
    assert 0.6 < inside.mean() < 0.95  # a third is left as it was bred
    assert len(np.unique(codes[:, MIXED.columns["op"].start])) == 3


def test_numbers_only_leave_some_of_the_parents_numbers_alone() -> None:
    space = SearchSpace(tuple(number(f"x{i}") for i in range(40)))
    rng = np.random.default_rng(1)
    parents = space.sample_codes(rng, 1)
    codes = propose_in_box(space, UniformPrior(space), parents, Box.whole(40), 400, rng)
    changed = (codes[:380] != parents).sum(axis=1)
    assert changed.min() >= 1
    assert np.quantile(changed, 0.25) <= 5 and np.quantile(changed, 0.75) >= 15
