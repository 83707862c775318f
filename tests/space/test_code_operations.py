"""Operations on codes, where the right codes are known; the laws are in test_search_space."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nni_strategies.errors import InvalidConfiguration
from nni_strategies.search.testing_spaces import SMALL_SPACES, SPACES
from nni_strategies.space.parameters import INACTIVE, Categorical, Condition, Subset
from nni_strategies.space.search_space import SearchSpace

SPACE = SearchSpace(
    (
        Categorical("a", ("x", "y", "z")),
        Subset("b", (1, 2, 3), 2, condition=Condition("a", ("y", "z"))),
        Categorical("c", ("p", "q")),
    )
)


def test_codes_written_out() -> None:
    configurations = [{"a": "x", "c": "q"}, {"a": "z", "b": [1, 3], "c": "p"}]
    codes = SPACE.encode(configurations)
    assert codes.tolist() == [[0, INACTIVE, INACTIVE, INACTIVE, 1], [2, 1, 0, 1, 0]]
    assert SPACE.decode(codes) == configurations
    assert SPACE.encode([]).shape == (0, 5)
    assert SPACE.decode(np.empty((0, 5))) == []


def test_what_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(InvalidConfiguration, match="did you mean 'x'"):
        SPACE.encode([{"a": "X", "c": "q"}])


def test_repair_switches_off_and_draws_what_is_switched_on() -> None:
    codes = np.array([[0.0, 1, 0, 1, 0], [1.0, INACTIVE, INACTIVE, INACTIVE, 0], [2.0, 0, 1, 1, 1]])
    repaired = SPACE.repair(codes, np.random.default_rng(0))
    assert repaired[0].tolist() == [0, INACTIVE, INACTIVE, INACTIVE, 0]
    assert repaired[1, 1:4].sum() == 2
    assert repaired[2].tolist() == codes[2].tolist()
    assert codes[0, 1] == 1  # the argument is left as it is


def test_mutations_choose_each_active_parameter_alike() -> None:
    space = SPACES["single choices"]
    codes = space.encode([space.sample(np.random.default_rng(0))] * 3000)
    children = space.mutate_codes(codes, np.random.default_rng(1))
    changed = Counter(space.labels[i] for i in np.nonzero(children != codes)[1])
    assert set(changed) == {"op_0", "op_1", "op_2", "op_3", "op_4", "below"}  # not what has one value
    assert all(380 < count < 620 for count in changed.values())


def test_mutations_may_ask_for_more_changes_than_there_are_parameters() -> None:
    space = SMALL_SPACES["one point"]
    codes = space.sample_codes(np.random.default_rng(0), 4)
    assert space.mutate_codes(codes, np.random.default_rng(0), 9).tolist() == codes.tolist()


def test_drawing_nothing_gives_nothing() -> None:
    for space in SPACES.values():
        assert space.sample_codes(np.random.default_rng(0), 0).shape == (0, space.n_codes)


def test_draws_are_uniform_over_a_flat_space() -> None:
    space = SMALL_SPACES["flat"]
    counts = Counter(map(space.key, space.decode(space.sample_codes(np.random.default_rng(0), 24 * 300))))
    assert len(counts) == 24
    assert all(300 - 87 < count < 300 + 87 for count in counts.values())


def test_switches_are_the_conditions():
    for space in SPACES.values():
        found = {label: (source, set(wanted.tolist())) for label, source, wanted in space.switches}
        expected = {
            p.label: (
                space.columns[p.condition.label].start,
                {space[p.condition.label].encode(value)[0] for value in p.condition.values},
            )
            for p in space.parameters
            if p.condition is not None
        }
        assert found == expected


@pytest.mark.parametrize("name", SPACES)
def test_loose_codes_are_points_once_they_are_repaired_and_checked(name):
    space = SPACES[name]
    loose = space.loose_codes(np.random.default_rng(3), 200)
    assert loose.shape == (200, space.n_codes)
    points = space.only_valid(space.repair(loose, np.random.default_rng(4)))
    assert len(points) > 20
    for configuration in space.decode(points):
        space.validate(configuration)
