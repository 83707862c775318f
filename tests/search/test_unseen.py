"""Unseen points: every one is found, each is as likely as any other, and what was drawn before does not matter."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nni_strategies.search.testing_spaces import SMALL_SPACES, SPACES
from nni_strategies.search.unseen import Unseen
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace


@pytest.mark.parametrize("name", list(SMALL_SPACES))
def test_finds_every_point_then_none(name: str) -> None:
    space, seen = SMALL_SPACES[name], dict[str, int]()
    unseen = Unseen(space)
    while (configuration := unseen.draw(seen, np.random.default_rng(len(seen)))) is not None:
        assert space.key(configuration) not in seen
        seen[space.key(configuration)] = len(seen)
    assert set(seen) == {space.key(point) for point in space.enumerate()}


def test_the_last_points_are_equally_likely() -> None:
    space = SearchSpace((Categorical("x", tuple(range(100))),))
    seen = {space.key({"x": i}): i for i in range(96)}
    unseen = Unseen(space)
    counts = Counter(str(unseen.draw(seen, np.random.default_rng([1, i]))) for i in range(2000))
    assert len(counts) == 4
    assert all(400 < count < 600 for count in counts.values())


def test_what_is_drawn_does_not_depend_on_earlier_draws() -> None:
    space = SPACES["flat"]
    keys = [space.key(point) for point in space.enumerate()]
    seen = {key: i for i, key in enumerate(keys) if i % 50}
    used = Unseen(space)
    partial = dict(list(seen.items())[:1000])
    used.draw(partial, np.random.default_rng(0))
    used.draw(seen, np.random.default_rng(1))
    assert used.draw(seen, np.random.default_rng(2)) == Unseen(space).draw(seen, np.random.default_rng(2))


def test_an_infinite_space_always_has_more() -> None:
    space = SPACES["numbers"]
    assert Unseen(space).draw({}, np.random.default_rng(0)) is not None


class _Never:
    def violation(self, configuration: object) -> str:
        return "satisfiable"

    def describe(self) -> str:
        return "never"


@pytest.mark.parametrize("n", [3, 50], ids=["enumerable", "large"])
def test_a_space_without_a_valid_point_is_empty(n: int) -> None:
    space = SearchSpace(tuple(Categorical(f"x{i}", (0, 1)) for i in range(n)), (_Never(),))
    assert Unseen(space).draw({}, np.random.default_rng(0)) is None
