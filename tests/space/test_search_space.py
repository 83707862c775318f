"""SearchSpace as a whole, on random spaces: whatever the parameters, conditions and constraints, the same laws hold."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nni_strategies.errors import InvalidConfiguration, InvalidSearchSpace
from nni_strategies.search.testing_spaces import SMALL_SPACES, SPACES, AtMost
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.parameters import INACTIVE, Categorical, Condition, Numerical, Parameter, Subset
from nni_strategies.space.search_space import SearchSpace

laws = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def spaces(draw: st.DrawFn, infinite: bool = True) -> SearchSpace:
    """A space of a few parameters, some nested in branches of others, perhaps constrained."""
    parameters: list[Parameter] = []
    kinds = ["categorical", "categorical", "subset", "grid"] + (["uniform", "lognormal"] if infinite else [])
    for i in range(draw(st.integers(1, 4))):
        kind, label = draw(st.sampled_from(kinds)), f"p{i}"
        above = [p for p in parameters if isinstance(p, Categorical) and p.branches]
        condition = None
        if above and draw(st.booleans()):
            parent = draw(st.sampled_from(above))
            branch = draw(st.sampled_from(parent.choices))
            condition = Condition(parent.label, (branch,))
            label = f"{parent.label}.{branch}.p{i}"
        given_names: dict[str, Any] = {"condition": condition, "name": f"p{i}"}
        if kind == "categorical":
            choices = tuple("abcd"[: draw(st.integers(1, 4))])
            parameters.append(Categorical(label, choices, choices if draw(st.booleans()) else (), **given_names))
        elif kind == "subset":
            n_chosen = draw(st.none() | st.integers(0, 3))
            parameters.append(Subset(label, ("a", "b", "c"), n_chosen, **given_names))
        elif kind == "grid":
            parameters.append(Numerical(label, Distribution("uniform", 0, draw(st.integers(0, 3)), 1.0), **given_names))
        else:
            parameters.append(Numerical(label, Distribution(kind, 0, 1), **given_names))
    constrained = draw(st.booleans())
    return SearchSpace(tuple(parameters), (AtMost("a", draw(st.integers(0, 2))),) if constrained else ())


def _drawn(space: SearchSpace, seed: int, n: int = 20) -> np.ndarray[Any, Any]:
    try:
        return space.sample_codes(np.random.default_rng(seed), n)
    except InvalidSearchSpace:
        assert space.constraints
        return np.empty((0, space.n_codes))


@given(spaces(), st.integers(0, 10))
@laws
def test_draws_are_points_and_go_to_codes_and_back(space: SearchSpace, seed: int) -> None:
    codes = _drawn(space, seed)
    configurations = space.decode(codes)
    for configuration in configurations:
        space.validate(configuration)
    np.testing.assert_allclose(space.encode(configurations), codes, atol=1e-9)
    for one, again in zip(configurations, space.decode(space.encode(configurations)), strict=True):
        assert one == pytest.approx(again) if set(map(type, one.values())) == {float} else one.keys() == again.keys()


@given(spaces(), st.integers(0, 10), st.integers(1, 3))
@laws
def test_mutants_are_points_that_differ_in_so_many_active_parameters(space: SearchSpace, seed: int, n: int) -> None:
    codes = _drawn(space, seed)
    plain = SearchSpace(space.parameters)  # without constraints no child is dropped
    children = plain.mutate_codes(codes, np.random.default_rng([seed, 1]), n)
    for parent, child in zip(codes, children, strict=True):
        assert plain.contains(plain.decode(child[None])[0])
        shared = [p for p in plain.parameters if INACTIVE not in (parent[_at(plain, p)], child[_at(plain, p)])]
        changed = [p for p in shared if (parent[plain.columns[p.label]] != child[plain.columns[p.label]]).any()]
        active = [p for p in plain.parameters if parent[_at(plain, p)] != INACTIVE and p.size != 1]
        lost = [p for p in active if child[_at(plain, p)] == INACTIVE]
        assert len(changed) <= n
        assert len(changed) + len(lost) >= min(n, len(active))
    for child in space.decode(space.mutate_codes(codes, np.random.default_rng(seed), n)):
        space.validate(child)


def _at(space: SearchSpace, parameter: Parameter) -> int:
    return int(space.columns[parameter.label].start)


@given(spaces(), st.integers(0, 10))
@laws
def test_children_of_two_take_each_parameter_from_one(space: SearchSpace, seed: int) -> None:
    mothers, fathers = _drawn(space, seed), _drawn(space, seed + 1)
    n = min(len(mothers), len(fathers))
    plain = SearchSpace(space.parameters)
    children = plain.cross_codes(mothers[:n], fathers[:n], np.random.default_rng(seed))
    for configuration in plain.decode(children):
        plain.validate(configuration)
    if not plain.conditional:
        assert ((children == mothers[:n]) | (children == fathers[:n])).all()


@given(spaces(infinite=False))
@laws
def test_enumeration_is_complete_and_without_repeats(space: SearchSpace) -> None:
    points = list(space.enumerate())
    keys = {space.key(point) for point in points}
    assert len(keys) == len(points)
    for point in points:
        space.validate(point)
    assert {space.key(c) for c in space.decode(_drawn(space, 0, 100))} <= keys
    if space.constraints:
        plain = SearchSpace(space.parameters)
        assert keys == {space.key(point) for point in plain.enumerate() if space.contains(point)}
        assert len(points) <= (space.size or 0)
    else:
        assert len(points) == space.size


@given(spaces(infinite=False), st.integers(0, 10))
@laws
def test_neighbours_are_the_points_one_step_away(space: SearchSpace, seed: int) -> None:
    points = {space.key(point): point for point in space.enumerate()}
    for configuration in space.decode(_drawn(space, seed, 3)):
        near = list(space.neighbours(configuration))
        keys = {space.key(point) for point in near}
        assert len(keys) == len(near)
        assert keys <= points.keys()
        # The oracle: points that differ in one shared parameter by one of its steps, switched-on ones at their first.
        expected = {key for key, point in points.items() if _one_step(space, configuration, point)}
        assert keys == expected


def _one_step(space: SearchSpace, old: dict[str, Any], new: dict[str, Any]) -> bool:
    changed = [label for label in old if label in new and old[label] != new[label]]
    if len(changed) != 1 or new[changed[0]] not in list(space[changed[0]].values_near(old[changed[0]])):
        return False
    for label in new.keys() - old.keys():
        parameter = space[label]
        first = parameter.median if isinstance(parameter, Numerical) else next(parameter.values())
        if new[label] != first:
            return False
    return True


@given(spaces(), st.integers(0, 10))
@laws
def test_nesting_there_and_back(space: SearchSpace, seed: int) -> None:
    for configuration in space.decode(_drawn(space, seed, 10)):
        assert space.flatten(space.nest(configuration)) == configuration


@given(spaces(), st.integers(0, 10))
@laws
def test_the_normal_form_of_a_point_is_the_point(space: SearchSpace, seed: int) -> None:
    for configuration in space.decode(_drawn(space, seed, 5)):
        assert space.key(space.normal_form(dict(reversed(configuration.items())))) == space.key(configuration)


# -- what is not a point, what is no space -------------------------------------------------------------


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"a": 1, "b": "z", "c": [0]}, 'b = "z": one of'),
        ({"a": 1, "b": "x"}, "c = null: present"),
        ({"a": 1, "b": "x", "c": [0], "d": 2}, 'label = "d"'),
        ({"a": 1, "bb": "x", "c": [0]}, 'label = "bb": a label of the space; did you mean'),
        ([1], "configuration = "),
        (None, "configuration = null: a dictionary"),
    ],
)
def test_what_is_not_a_point_is_refused_by_name(configuration: Any, message: str) -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        SMALL_SPACES["flat"].validate(configuration)
    assert str(raised.value).startswith(message)
    assert not SMALL_SPACES["flat"].contains(configuration)


def test_a_switched_off_parameter_has_to_be_absent() -> None:
    space = SMALL_SPACES["nested"]
    assert space.contains({"layer": "pool", "layer.pool.stride": 2, "width": 0.25})
    with pytest.raises(InvalidConfiguration, match="layer switches it off"):
        space.validate({"layer": "none", "layer.pool.stride": 2, "width": 0.25})


def test_a_broken_constraint_is_named() -> None:
    with pytest.raises(InvalidConfiguration, match="at most 1 times 'skip', not 5"):
        SPACES["constrained"].validate({f"op_{i}": "skip" for i in range(5)})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((), "at least one parameter"),
        ((Categorical("x", (1,)), Categorical("x", (2,))), "used once"),
        ((Categorical("x", (1,), condition=Condition("y", (1,))),), "comes before"),
        ((Categorical("x", (1,), condition=Condition("y", (1,))), Categorical("y", (1,))), "comes before"),
        ((Subset("y", (1,)), Categorical("x", (1,), condition=Condition("y", (1,)))), "categorical"),
    ],
)
def test_what_is_no_space_is_refused(parameters: tuple[Parameter, ...], message: str) -> None:
    with pytest.raises(InvalidSearchSpace, match=message):
        SearchSpace(parameters)


@pytest.mark.parametrize("name", ["numbers"])
def test_an_infinite_space_is_not_enumerated(name: str) -> None:
    with pytest.raises(InvalidSearchSpace, match="infinite"):
        SPACES[name].enumerate()


def test_a_space_of_more_than_a_million_points_is_not_enumerated() -> None:
    space = SearchSpace(tuple(Categorical(f"x{i}", tuple(range(10))) for i in range(7)))
    with pytest.raises(InvalidSearchSpace, match=r"search_space.size = 10000000: at most 1000000 points"):
        space.enumerate()


def test_unsatisfiable_constraints_are_found_out() -> None:
    space = SearchSpace((Categorical("x", ("skip",)),), (AtMost("skip", 0),))
    with pytest.raises(InvalidSearchSpace, match="satisfiable"):
        space.sample_codes(np.random.default_rng(0), 3)


def test_rare_points_are_drawn() -> None:
    # 11 of 1,024 points satisfy it.
    space = SearchSpace(tuple(Categorical(f"x{i}", ("skip", "conv")) for i in range(10)), (AtMost("skip", 1),))
    codes = space.sample_codes(np.random.default_rng(0), 5)
    assert len(codes) == 5
    assert space.valid(codes).all()


# -- identity -----------------------------------------------------------------------------------------


def test_spaces_are_the_same_when_their_hashes_are() -> None:
    hashes = [space.hash for space in (*SPACES.values(), *SMALL_SPACES.values())]
    assert len(set(hashes)) == len(hashes)
    choice = {"_type": "choice", "_value": [1.0, 2]}
    again = {"_type": "choice", "_value": [1, 2.0]}  # what NNI's manager, which is JavaScript, makes of it
    assert space_from_json({"x": choice}).hash == space_from_json({"x": again}).hash
    assert space_from_json({"x": choice}).hash != space_from_json({"y": choice}).hash


def test_keys_are_equal_exactly_for_equal_points() -> None:
    key = SearchSpace.key
    assert key({"a": 1, "b": [2.0]}) == key({"b": [2], "a": 1.0})
    assert len({key({"a": value}) for value in (1, True, "1", None, [1], 1.5)}) == 6


def test_a_space_can_bring_its_own_draw() -> None:
    space = SearchSpace((Categorical("x", tuple(range(10))),), draw=lambda rng: {"x": int(rng.integers(2))})
    drawn = Counter(c["x"] for c in space.decode(space.sample_codes(np.random.default_rng(0), 100)))
    assert set(drawn) == {0, 1}
    assert space.sample(np.random.default_rng(0))["x"] in (0, 1)


# -- time ---------------------------------------------------------------------------------------------


def test_rows_are_worked_on_together() -> None:
    """300 rows take no more calls than 2: a loop over rows would take 150 times as many."""
    space = SearchSpace(tuple(Categorical(f"op{i}", tuple("abcde")) for i in range(20)))
    rng = np.random.default_rng(0)
    codes = space.sample_codes(rng, 300)
    works: dict[str, Callable[[int], object]] = {
        "sample": lambda n: space.sample_codes(rng, n),
        "mutate": lambda n: space.mutate_codes(codes[:n], rng),
        "cross": lambda n: space.cross_codes(codes[:n], codes[:n], rng),
    }

    def calls(work: Callable[[int], object], n: int) -> int:
        made: list[str] = []
        sys.setprofile(lambda frame, event, argument: made.append(event) if event.endswith("call") else None)
        try:
            work(n)
        finally:
            sys.setprofile(None)
        return len(made)

    for name, work in works.items():  # a mutation touches few of 20 columns in 2 rows, all of them in 300
        assert calls(work, 300) <= 20 * calls(work, 2), name
