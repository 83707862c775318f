"""Categoricals and subsets: codes there and back, draws, mutations and neighbours counted on enumerable parameters."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from nni_strategies.errors import InvalidConfiguration, InvalidSearchSpace
from nni_strategies.space.parameters import Categorical, Condition, Numerical, Parameter, Subset, canonical

MESSY = Categorical("x", ("1", 1, True, None, [1, 2], {"a": 1.0, "b": [None]}, 0.5, False, 0))
PARAMETERS: list[Parameter] = [
    Categorical("x", ("a", "b", "c", "d")),
    Categorical("x", ("only",)),
    MESSY,
    Subset("x", ("a", "b", "c", "d", "e"), 2),
    Subset("x", ("a", "b", "c", "d", "e"), 0),
    Subset("x", ("a", "b", "c"), 3),
    Subset("x", (1, 2, 3, 4)),
]
every = pytest.mark.parametrize("parameter", PARAMETERS, ids=[f"{type(p).__name__}-{p.size}" for p in PARAMETERS])


@every
def test_there_are_as_many_values_as_it_says(parameter: Parameter) -> None:
    values = list(parameter.values())
    assert len({canonical(value) for value in values}) == len(values) == parameter.size
    assert all(parameter.problem(value) is None for value in values)


@every
def test_codes_there_and_back(parameter: Parameter) -> None:
    values = list(parameter.values())
    codes = parameter.encode_all(values)
    assert codes.shape == (len(values), parameter.n_codes)
    assert [canonical(v) for v in parameter.decode_all(codes)] == [canonical(v) for v in values]
    assert [parameter.decode(np.array(parameter.encode(v))) for v in values] == values
    assert [parameter.normal_form(v) for v in values] == values
    assert parameter.encode_all([]).shape == (0, parameter.n_codes)
    assert parameter.decode_all(np.empty((0, parameter.n_codes))) == []


@every
def test_every_value_is_drawn_equally_often(parameter: Parameter) -> None:
    n = 400 * (parameter.size or 1)
    counts = Counter(map(canonical, parameter.decode_all(parameter.sample_codes(np.random.default_rng(0), n))))
    assert len(counts) == parameter.size
    assert all(400 - 110 < count < 400 + 110 for count in counts.values())  # five standard deviations


@every
def test_a_mutation_moves_to_neighbours_and_to_all_of_them(parameter: Parameter) -> None:
    for value in parameter.values():
        near = {canonical(v) for v in parameter.values_near(value)}
        assert canonical(value) not in near
        codes = parameter.encode_all([value] * 400)
        moved = {canonical(v) for v in parameter.decode_all(parameter.mutate_codes(codes, np.random.default_rng(1)))}
        assert moved == (near or {canonical(value)})


def test_subset_neighbours_are_swaps_or_flips() -> None:
    fixed, free = Subset("x", tuple("abcde"), 2), Subset("x", tuple("abc"))
    swaps = [sorted(set(pair)) for pair in itertools.combinations("abcde", 2) if len(set(pair) & {"a", "b"}) == 1]
    assert sorted(fixed.values_near(["a", "b"])) == sorted(swaps)
    assert sorted(free.values_near(["a"])) == [[], ["a", "b"], ["a", "c"]]


@pytest.mark.parametrize(
    ("parameter", "value", "fine"),
    [
        (MESSY, 1.0, True), (MESSY, 1, True), (MESSY, True, True), (MESSY, "1", True), (MESSY, 2, False),
        (MESSY, (1, 2), True), (MESSY, {"b": [None], "a": 1}, True), (MESSY, object(), False), (MESSY, math.nan, False),
        (Subset("x", tuple("abc"), 2), ["c", "a"], True), (Subset("x", tuple("abc"), 2), ["a"], False),
        (Subset("x", tuple("abc"), 2), ["a", "a"], False), (Subset("x", tuple("abc")), [], True),
        (Subset("x", tuple("abc")), ["d"], False), (Subset("x", tuple("abc")), "ab", False),
        (Subset("x", tuple("abc")), [object()], False), (Subset("x", tuple("abc")), None, False),
    ],
)  # fmt: skip
def test_what_is_a_value(parameter: Parameter, value: Any, fine: bool) -> None:
    assert (parameter.problem(value) is None) is fine


def test_equal_looking_values_are_told_apart() -> None:
    assert [MESSY.index(value) for value in MESSY.choices] == list(range(9))
    assert MESSY.normal_form(1.0) == 1
    assert type(MESSY.normal_form(1.0)) is int
    assert Subset("x", tuple("abc")).normal_form(["c", "a"]) == ["a", "c"]


@pytest.mark.parametrize("parameter", [Categorical("x", ("a", "b")), Subset("x", ("a", "b"))], ids=["one", "some"])
def test_a_value_that_is_none_is_refused_by_name(parameter: Parameter) -> None:
    with pytest.raises(InvalidConfiguration, match="x = "):
        parameter.encode(["z"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Categorical("", ("a",)), "label"),
        (lambda: Categorical(3, ("a",)), "label"),  # type: ignore[arg-type]
        (lambda: Categorical("x", ()), "at least one"),
        (lambda: Categorical("x", ("a", "a")), "different"),
        (lambda: Categorical("x", (1, 1.0)), "different"),
        (lambda: Subset("x", ()), "at least one"),
        (lambda: Subset("x", ("a", "a")), "different"),
        (lambda: Subset("x", ("a", "b"), 3), "0 to 2"),
    ],
)
def test_bad_parameters_are_refused(make: Any, message: str) -> None:
    with pytest.raises(InvalidSearchSpace, match=message):
        make()


def test_conditions_compare_as_json_does() -> None:
    assert Condition("x", (1, "a")).holds(1.0)
    assert not Condition("x", (1, "a")).holds(True)


def test_numerical_is_found_here_too() -> None:
    assert Numerical.__name__ == "Numerical"
