"""A space as decisions: completions of a beginning, legal actions, in spaces with and without constraints."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nni_strategies.irlas.decisions import Decisions
from nni_strategies.search.testing_spaces import SPACES, AtMost
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace
from nni_strategies.topology.nsc_space import nsc_space

RNG = np.random.default_rng(0)


def beginnings(space, n=30):
    """Yield points of a space, each with a place before which all is decided."""
    decisions = Decisions(space, 8)
    rng = np.random.default_rng(1)
    for codes in space.sample_codes(rng, n):
        steps = decisions.steps(codes)
        yield decisions, codes, *steps[int(rng.integers(len(steps)))]


@pytest.mark.parametrize("space", [*SPACES.values(), nsc_space(6)], ids=[*SPACES, "nsc"])
def test_completions_agree_and_are_points_of_the_space(space):
    for decisions, codes, place, action in beginnings(space, 10):
        start = space.columns[space.parameters[place].label].start
        for wanted in (None, action):
            found = decisions.completions(codes, place, RNG, 5, wanted)
            assert 1 <= len(found) <= 5
            assert (found[:, :start] == codes[:start]).all()
            assert space.valid(found).all()
            for configuration in space.decode(found):
                space.validate(configuration)
            if wanted is not None:
                assert {decisions.action(place, point) for point in found} == {action}


def test_completions_under_a_constraint_are_uniform():
    """One of three is to be chosen of what is left; drawing whole points and keeping those that agree would not be."""
    space = SearchSpace(tuple(Categorical(f"op_{i}", ("a", "b", "c")) for i in range(4)), (AtMost("a", 1),))
    decisions = Decisions(space, 8)
    codes = space.encode([{"op_0": "a", "op_1": "b", "op_2": "b", "op_3": "c"}])[0]
    found = decisions.completions(codes, 2, np.random.default_rng(0), 4000)
    assert len(found) == 4000
    counted = Counter(tuple(point[2:].astype(int)) for point in found)
    assert set(counted) == {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert max(counted.values()) < 1.12 * min(counted.values())


class Counting(AtMost):
    """A constraint that counts how often it is asked."""

    def violation(self, configuration):
        asked.append(configuration)
        return super().violation(configuration)


asked: list = []


def test_rare_points_are_found_without_drawing_whole_ones_first():
    """Of whole points 0.4 % are valid: 64 of those would ask the constraint 16,000 times."""
    space = SearchSpace(tuple(Categorical(f"op_{i}", ("a", "b")) for i in range(12)), (Counting("b", 1),))
    decisions = Decisions(space, 8)
    codes = space.encode([dict.fromkeys(space.labels, "a")])[0]
    asked.clear()
    found = decisions.completions(codes, 6, np.random.default_rng(0), 64)
    assert len(found) >= 8
    assert len(asked) < 600
    assert len(decisions.completions(codes, 0, np.random.default_rng(0), 1)) == 1


def test_what_has_no_completion_ends():
    space = SearchSpace((Categorical("a", (0, 1)), Categorical("b", (0, 1))), (AtMost(1, 1),))
    codes = space.encode([{"a": 1, "b": 1}])[0]
    assert len(Decisions(space, 8).completions(codes, 1, RNG, 3, action=(1,))) == 0


def test_legal_actions_of_nsc_are_all_there_are():
    space = nsc_space(4)
    checked = 0
    for decisions, codes, place, _ in beginnings(space, 40):
        label = space.parameters[place].label
        kind, t = label.split("_")
        configuration = space.decode(codes[None])[0]
        legal = space.legal_actions(space.actions(configuration)[: int(t) - 1])
        taken = [configuration[f"{name}_{t}"] for name in ("op", "p1", "p2")[: ("op", "p1", "p2").index(kind)]]
        expected = {action[len(taken)] for action in legal if list(action[: len(taken)]) == taken}
        assert decisions.count_actions(place, codes) == len(expected)
        checked += len(expected) < decisions.n_actions[place]
    assert checked >= 5


def test_without_constraints_all_actions_are_legal():
    for space in (SPACES["flat"], SPACES["nested"], SPACES["numbers"]):
        for decisions, codes, place, _ in beginnings(space, 5):
            assert decisions.count_actions(place, codes) == decisions.n_actions[place]


def test_points_agree_up_to_a_place():
    space = SPACES["flat"]
    decisions = Decisions(space, 8)
    one, other = np.zeros(6), np.array([0.0, 0, 0, 1, 0, 0])
    assert [decisions.agree(one, other, place) for place in range(6)] == [True, True, True, True, False, False]
